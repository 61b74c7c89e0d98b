// SPDX-License-Identifier: Apache-2.0
// One core's share of a matrix product, and the blocks and tiles it is cut into.
#pragma once

#include <algorithm>
#include <cstdint>

#include "workloads/lower/npu/gemm_lowering.h"

namespace siliscope {

/// Indices of the blocks that one iteration of the block loops works on.
struct BlockStep {
  std::int64_t group, m, n, k;
};

/// A tile of the result.
struct OutputTile {
  std::size_t sum = 0;  ///< the place of its sums
  std::int64_t group = 0, m_tile = 0, n_tile = 0, rows = 0, columns = 0;
};

struct GemmShare {
  NpuLowering& lowering;
  const GemmTask& task;
  std::int64_t core = 0;
  GemmExtents extents;
  /// How the cores share the task: independent products, rows, or columns of the result.
  enum class Split { kGroups, kRows, kColumns } split = Split::kRows;
  double begin = 0, part = 1;  ///< of the whole task
  GemmMapping mapping;

  const NpuSpec& npu() const { return lowering.npu(); }
  /// Where this core's part of an operand begins, in bytes.
  std::int64_t StreamedBegin() const {
    return split == Split::kColumns ? 0 : Of(task.streamed_bytes, begin);
  }
  std::int64_t StationaryBegin() const {
    return split == Split::kRows ? 0 : Of(task.stationary_bytes, begin);
  }
  static std::int64_t Of(std::int64_t bytes, double share) {
    return static_cast<std::int64_t>(static_cast<double>(bytes) * share + 0.5);
  }
  std::int64_t Rows() const { return npu().array.rows; }
  std::int64_t Columns() const { return npu().array.columns; }
  /// Bytes of a partial sum.
  std::int64_t SumBytes() const { return npu().accumulators.width_bits / 8; }
  bool fifo() const { return npu().weight_fifo_tiles > 0; }
  bool output_stationary() const { return mapping.dataflow == Dataflow::kOutputStationary; }

  std::int64_t MTiles() const { return CeilDivide(extents.m, mapping.tile_rows); }
  std::int64_t NTiles() const { return CeilDivide(extents.n, Columns()); }
  std::int64_t MBlocks() const { return CeilDivide(extents.m, mapping.block_m); }
  std::int64_t NBlocks() const { return CeilDivide(extents.n, mapping.block_n); }
  std::int64_t KBlocks() const { return CeilDivide(extents.k, mapping.block_k); }

  /// Size of a block along a dimension: the last may be smaller.
  static std::int64_t Extent(std::int64_t whole, std::int64_t block, std::int64_t index) {
    return std::min(block, whole - index * block);
  }
};

}  // namespace siliscope
