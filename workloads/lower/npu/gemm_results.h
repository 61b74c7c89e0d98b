// SPDX-License-Identifier: Apache-2.0
// The results of one core's matrix product: places for partial sums, the vector work on each
// finished tile, copies of results that leave the chip, and partial sums that spill to memory.
#pragma once

#include <map>
#include <vector>

#include "workloads/lower/npu/gemm_share.h"

namespace siliscope {

class GemmResults {
 public:
  explicit GemmResults(const GemmShare& share);

  std::size_t places() const { return sums_.size(); }
  /// What must complete before a tile's sums may be written to its place.
  CommandId PlaceFree(const OutputTile& tile) const { return sums_[tile.sum]; }

  /// Copies the sums that a tile left in memory back; returns that copy.
  CommandId LoadPartialSums(const OutputTile& tile);
  /// Copies the sums of a tile to memory until its next stretch of the contraction.
  void SpillPartialSums(const OutputTile& tile, const CommandIds& matmuls);
  /// The vector work on a finished tile.
  void FinishTile(const OutputTile& tile, const CommandIds& matmuls);
  /// Copies a block of rows that is complete out, where the result leaves the chip.
  void StoreRows(std::int64_t rows, std::int64_t columns);
  /// The commands after which the result is complete. Call once, at the end.
  CommandIds Finals();

 private:
  bool Leaves() const { return share_.task.result != nullptr && !share_.task.result->on_chip; }
  std::int64_t PartialBytes(const OutputTile& tile) const {
    return tile.rows * tile.columns * share_.SumBytes();
  }
  std::int64_t PartialOffset(const OutputTile& tile) const;
  CommandIds OperandTile(TensorId operand, const OutputTile& tile);
  bool IsConstant(TensorId operand) const;

  const GemmShare& share_;
  std::vector<CommandId> sums_;     ///< what frees each place for sums
  std::vector<CommandId> leaving_;  ///< what frees each block of results on its way out
  std::size_t next_leaving_ = 0;
  std::uint16_t epilogue_work_ = 0, spill_work_ = 0;
  TensorId partial_sums_ = kNoTensor;          ///< in memory, where sums spill
  std::map<std::int64_t, CommandId> spilled_;  ///< by offset: the store of a tile's sums
  std::map<TensorId, CommandId> constants_;    ///< small ones are copied once
  CommandIds finals_;
  CommandId last_vector_ = kNone;
  std::int64_t stored_ = 0, operand_offset_ = 0;
};

}  // namespace siliscope
