// SPDX-License-Identifier: Apache-2.0
// How one matrix product is cut for an NPU core: blocks that fit its scratchpads, the order of the
// loops over them, rows a tile, and what stays on chip. Found by pricing every candidate with the
// hardware's own tile costs.
#pragma once

#include <cstdint>
#include <string>

#include "sim/contract/machine_spec.h"
#include "sim/contract/tile_cost.h"
#include "sim/core/ceil_divide.h"

namespace siliscope {

/// The product of one core: `groups` independent products of m x k by k x n.
struct GemmExtents {
  std::int64_t groups = 1;
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t streamed_bytes = 0;    ///< of the whole streamed operand as it lies in memory
  std::int64_t stationary_bytes = 0;  ///< of the whole stationary operand as it lies in memory
  std::int64_t result_bytes = 0;
  double rate = 1;
  MemorySpace streamed_space = MemorySpace::kDram;  ///< where operands come from, results go to
  MemorySpace stationary_space = MemorySpace::kDram;
  MemorySpace result_space = MemorySpace::kDram;
  MemorySpace spill_space = MemorySpace::kDram;  ///< of partial sums
  bool streamed_on_chip = false;                 ///< needs no copy
  bool stationary_on_chip = false;
  bool result_leaves = false;
  Dataflow dataflow = Dataflow::kWeightStationary;  ///< not searched; input: operands exchanged
};

struct GemmMapping {
  Dataflow dataflow = Dataflow::kWeightStationary;
  std::int64_t block_m = 0, block_n = 0, block_k = 0;
  /// Block loops, outermost first. With k outermost, sums pass through memory between its blocks.
  LoopOrder order = LoopOrder::kMnk;
  bool streamed_resident = false;  ///< copied whole before the loops
  bool stationary_resident = false;
  bool split_rows = false;        ///< arrays share each tile's rows, else they take tiles in turn
  std::int64_t tile_rows = 0;     ///< rows of one matmul command, before splitting
  double estimated_seconds = -1;  ///< negative: does not fit

  bool m_before_n() const { return order == LoopOrder::kMnk || order == LoopOrder::kKmn; }
  bool spills_sums() const { return order == LoopOrder::kKmn || order == LoopOrder::kKnm; }
  std::string Text() const;
};

/// Tiles whose partial sums can be on chip at the same time.
std::int64_t SumPlaces(const GemmMapping& mapping, const NpuSpec& npu);

/// The mapping of least estimated time, of those that the machine's `mapping` settings allow.
/// `free_*_bytes` of scratchpad are there for blocks.
GemmMapping SearchGemmMapping(const GemmExtents& work, const MachineSpec& machine,
                              const TileCost& cost, std::int64_t free_streamed_bytes,
                              std::int64_t free_stationary_bytes);

}  // namespace siliscope
