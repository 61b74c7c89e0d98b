// SPDX-License-Identifier: Apache-2.0
// Matrix products as calls of a CPU's threads.
#pragma once

#include <cstdint>

#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

/// One operand of a product, in lanes.
struct GemmOperand {
  std::int64_t address = 0;
  bool along_depth = true;  ///< the contraction's elements follow each other, else rows or columns
  std::int64_t stride = 0;  ///< bytes from one row or column (else: step of the contraction) to the
                            ///< next
  std::int64_t batch_bytes = 0;  ///< to the operand of the next product
};

/// Rows lie beside each other in the result: the columns of a row-major one.
struct CpuGemm {
  std::uint32_t op = 0;
  std::int64_t rows = 0, columns = 0, depth = 0;  ///< depth in lanes
  std::int64_t batch = 1;
  GemmOperand by_rows, by_columns;
  std::int64_t result = 0, result_stride = 0, result_batch_bytes = 0;
  bool rows_packed = false;  ///< as the tiles want them, before the network runs
  int epilogue_operations = 0;
  std::int64_t epilogue_operand = -1;  ///< the address of a tensor like the result; -1 = none
};

/// A region, or two where the contraction is cut. Returns how it was divided, for the reader.
std::string WriteGemm(CpuLowering& lowering, const CpuGemm& gemm);

/// Of the operator's epilogue: operations, and the operand that is like the result.
void AddEpilogue(CpuLowering& lowering, const Operator& op, CpuGemm* gemm);

}  // namespace siliscope
