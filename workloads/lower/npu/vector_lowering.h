// SPDX-License-Identifier: Apache-2.0
// Emits work of the vector unit over rows x columns: operands from where they are, results to where
// they go, block by block through a ring of buffers where they pass through memory.
#pragma once

#include <vector>

#include "workloads/lower/npu/npu_lowering.h"

namespace siliscope {

struct VectorInput {
  TensorId tensor = kNoTensor;
  double passes = 1;   ///< how often it is read from memory, where it is not on chip
  bool whole = false;  ///< small: copied once, not block by block

  /// A view may be a part of what it is a view of.
  std::int64_t Bytes(const NpuLowering& lowering) const { return lowering.TensorBytes(tensor); }
};

struct VectorTask {
  VectorWork work;
  std::int64_t rows = 0, columns = 0;  ///< of the result, or of the longest operand
  std::vector<VectorInput> inputs;
  std::int64_t result_bytes = 0;
  bool sums_rows = false;  ///< the result is the sum over all rows: it leaves once, at the end
};

/// Emits the work of all cores into a result that has its place. Returns when it is complete.
CommandIds EmitVector(NpuLowering& lowering, std::uint32_t op, TensorHome& home,
                      const VectorTask& task);

/// Lowers a whole operator: places its result and finishes it.
void LowerVector(NpuLowering& lowering, std::uint32_t op, TensorId result, const VectorTask& task);

/// Vector commands over on-chip data, in blocks, on all cores. Returns the last of each core.
CommandIds EmitVectorCommands(NpuLowering& lowering, std::uint32_t op, const VectorWork& work,
                              std::int64_t rows, std::int64_t columns,
                              const CommandIds& dependencies);

/// Rows and columns of a tensor as the vector unit sees it: images with their channels last.
void VectorExtents(const Shape& shape, std::int64_t* rows, std::int64_t* columns);

}  // namespace siliscope
