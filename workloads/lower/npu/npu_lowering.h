// SPDX-License-Identifier: Apache-2.0
// Lowers a graph to an NPU program: decides where every tensor lives, walks the operators in order
// and lets the lowering of each kind emit its commands. Work is split over the cores of a chip by
// rows or by independent products; each core works on its share of a tensor in its own scratchpad
// (halos of convolutions between cores are not modelled).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/tile_cost.h"
#include "sim/core/registry.h"
#include "workloads/ir/graph.h"
#include "workloads/lower/npu/memory_allocator.h"
#include "workloads/lower/npu/program_builder.h"
#include "workloads/lower/npu/scratchpad_allocator.h"

namespace siliscope {

/// Where a tensor is.
struct TensorHome {
  bool on_chip = false;                    ///< in the scratchpads of the cores, a share in each
  MemorySpace space = MemorySpace::kDram;  ///< else here
  std::int64_t address = 0;
  std::int64_t bytes = 0;
  std::vector<ScratchpadAllocator::Region> regions;  ///< a core each, on chip only
  CommandIds ready;                                  ///< complete before anyone may read
  CommandIds readers;                                ///< read it last
  int uses_left = 0;
  std::uint32_t first_operator = 0;
};

class NpuLowering {
 public:
  NpuLowering(const Graph& graph, const MachineSpec& machine, const TileCost& cost,
              const std::string& dtype);
  /// `invocations` runs of the graph, one after another, as one program.
  Program Run(std::int64_t invocations);

  // What the lowering of a kind works with.
  const Graph& graph() const { return graph_; }
  const MachineSpec& machine() const { return machine_; }
  const NpuSpec& npu() const { return machine_.npu; }
  const TileCost& cost() const { return cost_; }
  ProgramBuilder& builder() { return builder_; }
  OperatorInfo& info(std::uint32_t op) { return program_.operators[op]; }
  const Operator& op(std::uint32_t index) const { return graph_.operators[index]; }
  std::int64_t cores() const { return machine_.npu.cores; }

  /// Rate of the arrays relative to one multiply-accumulate a processing element and cycle.
  double rate() const { return rate_; }
  std::int64_t ActivationBytes(std::int64_t elements) const;
  std::int64_t WeightBytes(std::int64_t elements) const;
  std::int64_t TensorBytes(TensorId id) const;

  TensorHome& home(TensorId id) { return homes_[static_cast<std::size_t>(Root(id))]; }
  ScratchpadAllocator& allocator(std::int64_t core) {
    return allocators_[static_cast<std::size_t>(core)];
  }
  ScratchpadAllocator& weight_allocator(std::int64_t core) {
    return weight_allocators_.empty() ? allocator(core)
                                      : weight_allocators_[static_cast<std::size_t>(core)];
  }

  /// Makes `id` another name for the elements of `of`.
  void Alias(TensorId id, TensorId of);
  /// Decides where the result of an operator goes; on chip where it fits. Returns its home.
  TensorHome& PlaceResult(TensorId id, std::uint32_t op);
  /// The operator's result is complete when `commands` are; adds the chip's synchronisation.
  void FinishResult(TensorId id, std::uint32_t op, const CommandIds& commands);
  /// `commands` read the tensor.
  void AddReaders(TensorId id, const CommandIds& commands);

  /// Copies a tensor that is used many times into every core's scratchpad, where it fits.
  void Pin(TensorId id, std::uint32_t op);

  /// Copies the next weight tile into a core's weight FIFO, once a place in it is free.
  CommandId LoadWeightTile(std::uint32_t op, std::int64_t core, TensorId weights,
                           std::int64_t tile);
  /// The oldest tile of the FIFO has gone into the array with `push`.
  void WeightTilePushed(std::int64_t core, CommandId push);

  /// A place for an intermediate result of one operator: on chip where it fits and may be, else in
  /// memory. Give it back with ReleaseTemporary.
  TensorId PlaceTemporary(std::int64_t bytes, std::uint32_t op, bool may_be_on_chip);
  /// The same in the weight memory of a chip with a weight FIFO.
  TensorId PlaceInWeightMemory(std::int64_t bytes, std::uint32_t op);
  void ReleaseTemporary(TensorId id) { Release(id); }

  /// What a push or an output-stationary tile must wait for because the array has to be empty when
  /// its dataflow changes; kNone where it does not change.
  CommandId DataflowChange(std::int64_t core, std::int64_t array, bool output_stationary) const;
  /// `command` is the latest tile of the array.
  void ArrayUsed(std::int64_t core, std::int64_t array, bool output_stationary, CommandId command);

  /// The memory that a result of so many bytes goes to when it can't stay on chip.
  MemorySpace SpillSpaceOf(std::int64_t bytes) const;

  /// A copy between memory and a scratchpad; returns kNone where nothing is to be copied.
  CommandId Copy(NpuOpcode opcode, std::uint32_t op, std::int64_t core, const TensorHome& home,
                 std::int64_t offset, std::int64_t bytes, bool weights,
                 const CommandIds& dependencies);

 private:
  TensorId Root(TensorId id) const;
  void AddLaunch();
  void AddOperators();
  void CacheParameters();
  void RunOnce();
  void PlaceInputs();
  void PlaceWeight(TensorId id, std::uint32_t op);
  void StoreOutputs();
  TensorId NewTemporary(std::int64_t bytes, std::uint32_t op);
  bool PlaceOnChip(TensorHome* home);
  void ReleaseInputs(std::uint32_t op);
  void Release(TensorId id);
  void RecordPlacement(TensorId id, std::uint32_t last_operator);
  void CheckCapacity();
  std::int64_t TakeAddress(MemorySpace space, std::int64_t bytes);
  MemorySpace SpillSpace(std::int64_t bytes);

  const Graph& graph_;
  const MachineSpec& machine_;
  const TileCost& cost_;
  GraphUses uses_;
  Program program_;
  ProgramBuilder builder_;
  DataType weight_type_, activation_type_;
  double rate_ = 1;
  std::deque<TensorHome> homes_;  ///< of tensors, then of temporaries; references stay good
  std::vector<TensorId> alias_;
  std::vector<ScratchpadAllocator> allocators_, weight_allocators_;
  std::map<MemorySpace, MemoryAllocator> memories_;
  std::int64_t shared_used_ = 0;
  bool recording_ = true;                ///< placements, of the first invocation
  CommandIds stored_;                    ///< the results of an invocation are out
  std::vector<CommandIds> fifo_pushes_;  ///< of each core, in order
  struct ArrayUse {
    CommandId last = kNone;
    bool output_stationary = false;
  };
  std::vector<ArrayUse> array_uses_;  ///< of all arrays of all cores
};

/// How one kind of operator is lowered.
using NpuLowerFunction = void (*)(NpuLowering& lowering, std::uint32_t op);
using NpuLowerRegistry = Registry<NpuLowerFunction>;

}  // namespace siliscope
