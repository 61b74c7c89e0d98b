// SPDX-License-Identifier: Apache-2.0
// A core of an NPU: scalar issue fills the command queues (load, store, push and matrix of each
// array, vector, scalar) in program order; the head of a queue starts when what it depends on is
// complete and its unit can take it. All units run apart and meet in events only.
#pragma once

#include <deque>
#include <memory>
#include <systemc>
#include <vector>

#include "models/memory/scratchpad.h"
#include "models/npu/dma_engine.h"
#include "models/npu/systolic_array.h"
#include "models/npu/vector_unit.h"
#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"
#include "sim/contract/system_model.h"
#include "sim/core/domain.h"

namespace siliscope {

/// Which dependents wait for a command; shared by the cores of a chip.
struct CommandGraph {
  explicit CommandGraph(const NpuProgram& program);
  std::vector<std::uint32_t> successor_begin;
  std::vector<std::uint32_t> successors;
};

/// State of the commands of a running program.
struct CommandStates {
  explicit CommandStates(const NpuProgram& program);
  std::vector<CommandTimes> times;
  std::vector<std::uint32_t> pending;        ///< dependencies that are not complete
  std::vector<std::uint32_t> blocker;        ///< the one that completed last, pushes left out
  std::vector<std::uint32_t> issue_blocker;  ///< head of the queue that held scalar issue up last
  std::uint64_t completed = 0;
};

class NpuCore : public sc_core::sc_module,
                private DmaEngine::Listener,
                private SystolicArray::Listener {
 public:
  /// Told when a command completes that another core may wait for.
  class Chip {
   public:
    virtual ~Chip() = default;
    virtual void CommandDone(std::uint32_t command) = 0;
  };

  NpuCore(const sc_core::sc_module_name& name, const MachineSpec& machine, std::uint16_t index,
          const Program& program, CommandStates& states, Domain& domain, Chip& chip,
          const ZoomRequest& zoom);

  /// Begins scalar issue; call once, at time 0.
  void Start();
  /// A dependency of `command` of this core has completed, and no other is left.
  void Ready(std::uint32_t command);

  DmaEngine& dma() { return *dma_; }
  const std::vector<std::unique_ptr<SystolicArray>>& arrays() const { return arrays_; }
  const VectorUnit& vector_unit() const { return *vector_; }
  const std::vector<std::unique_ptr<Scratchpad>>& scratchpads() const { return scratchpads_; }

  /// The queue that a command goes to: its unit, for records.
  std::uint32_t QueueOf(const NpuCommand& command) const;
  std::string QueueName(std::uint32_t queue) const;
  std::uint32_t queue_count() const { return static_cast<std::uint32_t>(queues_.size()); }

 private:
  enum FixedQueue : std::uint32_t { kLoadQueue, kStoreQueue, kVectorQueue, kScalarQueue, kArrays };

  std::uint16_t PriorityOf(std::uint32_t queue) const {
    return queue < kArrays ? 0 : arrays_[(queue - kArrays) / 2]->priority();
  }

  struct Queue {
    std::deque<std::uint32_t> waiting;
    Tick retry_at = kNever;
  };

  void Issue();
  void TryStart(std::uint32_t queue);
  bool StartHead(std::uint32_t queue, std::uint32_t command);
  bool RetryLater(std::uint32_t queue, Tick when);
  void StartCopy(std::uint32_t queue, std::uint32_t command);
  bool StartPush(std::uint32_t queue, std::uint32_t command);
  bool StartMatmul(std::uint32_t queue, std::uint32_t command);
  void CompleteAt(std::uint32_t command, Tick when);
  void Complete(std::uint32_t command);
  void CopyStarted(std::uint32_t command, Tick first_data) override;
  void CopyDone(std::uint32_t command, double port_share) override;
  void EngineFree() override;
  void Pushed(std::uint32_t command, Tick start, Tick end) override;
  void Streamed(std::uint32_t command, Tick start, Tick stream_end, Tick complete) override;
  void EntranceFree(std::uint32_t array) override;
  void BuildScratchpads();
  void BuildArrays(Domain& domain, const ZoomRequest& zoom);
  Scratchpad& InputPad() { return *scratchpads_.front(); }
  Scratchpad& WeightPad() { return *scratchpads_[scratchpads_.size() > 1 ? 1 : 0]; }
  Scratchpad& OutputPad() { return *scratchpads_.back(); }

  template <void (NpuCore::*Method)(std::uint32_t)>
  static void Call(void* self, std::uint64_t argument) {
    (static_cast<NpuCore*>(self)->*Method)(static_cast<std::uint32_t>(argument));
  }

  const NpuSpec& spec_;
  const Program& program_;
  CommandStates& states_;
  EventQueue& events_;
  Chip& chip_;
  Clock clock_;
  std::uint16_t index_;
  bool ideal_synchronise_;
  bool ideal_launch_;
  std::vector<std::uint32_t> own_;  ///< this core's commands in issue order
  std::size_t next_ = 0;
  Tick scalar_free_ = 0;
  std::uint32_t issue_blocker_ = kNone;  ///< head of the last queue that was full
  std::vector<Queue> queues_;
  std::vector<std::unique_ptr<Scratchpad>> scratchpads_;
  std::vector<std::unique_ptr<SystolicArray>> arrays_;
  std::unique_ptr<VectorUnit> vector_;
  std::unique_ptr<DmaEngine> dma_;
};

}  // namespace siliscope
