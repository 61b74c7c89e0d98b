// SPDX-License-Identifier: Apache-2.0
// Emits the commands of matrix products: copies of blocks, pushes, matmuls, the vector work on each
// result tile, and the copies of results that leave the chip.
#pragma once

#include <string>
#include <vector>

#include "workloads/lower/npu/gemm_mapping.h"
#include "workloads/lower/npu/npu_lowering.h"

namespace siliscope {

/// `groups` independent products of the streamed operand [m][k] by the stationary one [k][n].
struct GemmTask {
  std::uint32_t op = 0;
  std::int64_t groups = 1;
  std::int64_t m = 0, n = 0, k = 0;
  TensorId streamed = kNoTensor;  ///< none: an intermediate that is on chip, see wait_for
  TensorId stationary = kNoTensor;
  std::int64_t streamed_bytes = 0;  ///< as it lies in memory, all groups
  std::int64_t stationary_bytes = 0;
  TensorHome* result = nullptr;  ///< null: results stay in scratchpad, unnamed
  std::int64_t result_bytes = 0;
  VectorWork epilogue;  ///< on each result tile
  std::vector<TensorId> epilogue_operands;
  double useful = 1;    ///< share of a tile's elements that count, where others are zeros
  CommandIds wait_for;  ///< before anything else of this task
};

/// Emits a task over all cores. Returns the commands after which the result is complete.
CommandIds EmitGemm(NpuLowering& lowering, const GemmTask& wanted);

/// The vector work of an operator's epilogue, conversion of the sums included.
VectorWork EpilogueWork(NpuLowering& lowering, const Operator& op, bool bias);
/// The tensors that an epilogue reads.
std::vector<TensorId> EpilogueOperands(const Operator& op);

}  // namespace siliscope
