// SPDX-License-Identifier: Apache-2.0
// A CPU: cores with their caches, last-level caches, off-chip memory. A program's regions run one
// after another, the threads of each at the same time; it runs once to warm the caches and once to
// be recorded, unless it begins cold.
//
// Threads are woken and report along a binomial tree, each step of which takes a line from one core
// to another (as OpenMP runtimes do: Hensgen, Finkel and Manber, "Two Algorithms for Barrier
// Synchronization", 1988).
#pragma once

#include <memory>
#include <vector>

#include "models/cpu/core_cycle.h"
#include "models/cpu/core_memory.h"
#include "models/cpu/core_slots.h"
#include "models/cpu/numa_map.h"
#include "models/cpu/shared_memory.h"
#include "models/memory/dram.h"
#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"
#include "sim/contract/system_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class CpuChip : public Domain {
 public:
  CpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine, const Program& program,
          const SimulationOptions& options);

  void Start();
  Record Finish();

 private:
  struct Core {
    std::unique_ptr<CoreMemory> memory;
    std::unique_ptr<CoreSlots> slots;
  };
  /// A hardware thread. Thread n is of the core CpuSpec::CoreOf(n).
  struct Thread {
    std::unique_ptr<CoreCycle> cycle;
    std::size_t next_call = 0;
    bool in_call = false;
    std::uint64_t woken = 0, ended = 0;  ///< in the region
    CoreCounters before;                 ///< when the region began
    CauseTimes times{};
  };

  static void CallRunThread(void* self, std::uint64_t thread) {
    static_cast<CpuChip*>(self)->RunThread(static_cast<std::uint32_t>(thread));
  }
  static void CallBeginRegion(void* self, std::uint64_t) {
    static_cast<CpuChip*>(self)->BeginRegion();
  }
  void BeginPass();
  void BeginRegion();
  void RunThread(std::uint32_t number);
  void EndRegion();
  std::uint64_t Hop(std::uint32_t from, std::uint32_t to) const;
  void Charge(std::uint64_t joined);
  void ChargeThread(Thread* thread, OperatorRecord* op, std::uint64_t joined);
  void ChargeBytes(OperatorRecord* op);
  CacheTraffic L2Traffic() const;
  DramCounters DramCountersOfAll() const;
  void AddLevels(Record* record) const;
  void AddUnits(Record* record) const;

  const MachineSpec& machine_;
  const Program& program_;
  bool keep_spans_;
  Clock clock_;
  NumaMap numa_;
  std::vector<std::unique_ptr<Dram>> drams_;  ///< of each node
  std::unique_ptr<SharedMemory> shared_;
  std::unique_ptr<TurnMemory> turns_;
  std::vector<Core> cores_;
  std::vector<Thread> threads_;
  std::uint64_t quantum_cycles_;  ///< that a core runs ahead between two events
  std::size_t next_region_ = 0;
  std::size_t running_ = 0;  ///< threads of the region that have not ended
  bool warming_ = true;
  bool finished_ = false;
  std::uint64_t begin_cycle_ = 0, end_cycle_ = 0;  ///< of the pass
  std::uint64_t region_cycle_ = 0;                 ///< in which the region began
  std::uint64_t entered_cycle_ = 0;                ///< in which its library has been entered
  std::uint64_t micro_ops_ = 0;                    ///< simulated one by one, of both passes
  DramCounters dram_before_;
  std::int64_t l2_charged_ = 0, dram_read_charged_ = 0, dram_write_charged_ = 0;
  std::vector<OperatorRecord> operators_;
  std::vector<Span> spans_;
};

}  // namespace siliscope
