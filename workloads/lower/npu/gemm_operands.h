// SPDX-License-Identifier: Apache-2.0
// The operands of one core's matrix product: copied whole before the loops, or block by block
// through rings of buffers, or on chip already.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "workloads/lower/npu/block_stream.h"
#include "workloads/lower/npu/gemm_share.h"

namespace siliscope {

class GemmOperands {
 public:
  /// Emits the copies of operands that are placed whole.
  explicit GemmOperands(const GemmShare& share);

  /// Emits the copies of a step's blocks, where they are not there yet.
  void LoadBlocks(const BlockStep& step);
  /// The copies that a tile's operands wait for.
  CommandIds StationaryReady(const BlockStep& step, const OutputTile& tile);
  CommandIds StreamedReady(const BlockStep& step, const OutputTile& tile);
  /// `command` of an array reads the operand's block of a step.
  void StationaryUsed(const BlockStep& step, std::int64_t array, CommandId command);
  void StreamedUsed(const BlockStep& step, std::int64_t array, CommandId command);
  /// Gives the scratchpad back, once the last commands that read it are complete.
  void Release(const CommandIds& last_users);

 private:
  /// The copies of an operand that stays: whole, or in the pieces that tiles need.
  struct ResidentCopy {
    TensorId tensor = kNoTensor;
    std::int64_t begin = 0, bytes = 0, parts = 0;
    bool weights = false;
    CommandIds dependencies;
    std::vector<CommandId>* loads = nullptr;
  };
  using LastUser = std::map<std::pair<CommandIds*, std::int64_t>, CommandId>;

  bool StreamedInBlocks() const { return !share_.mapping.streamed_resident; }
  bool StationaryInBlocks() const { return !share_.mapping.stationary_resident && !share_.fifo(); }
  void LoadResident();
  ResidentCopy PlaceOperand(TensorId id, std::int64_t bytes, std::int64_t parts, bool weights,
                            ScratchpadAllocator& allocator, std::vector<CommandId>* loads);
  void LoadParts(const ResidentCopy& copy, std::int64_t first, std::int64_t last);
  void PrepareStreams();
  std::int64_t StreamedBlock(const BlockStep& s) const {
    return (s.group * share_.MBlocks() + s.m) * share_.KBlocks() + s.k;
  }
  std::int64_t StationaryBlock(const BlockStep& s) const {
    return (s.group * share_.NBlocks() + s.n) * share_.KBlocks() + s.k;
  }
  void LoadBlock(BlockStream* stream, std::int64_t block, TensorId id, double bytes, bool weights);
  static void SetUser(CommandIds* users, std::int64_t array, CommandId id, LastUser* last);

  const GemmShare& share_;
  std::vector<CommandId> streamed_loads_, stationary_loads_;
  std::vector<std::pair<ScratchpadAllocator*, ScratchpadAllocator::Region>> resident_;
  BlockStream streamed_, stationary_;
  LastUser streamed_users_, stationary_users_;
};

}  // namespace siliscope
