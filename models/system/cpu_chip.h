// SPDX-License-Identifier: Apache-2.0
// A CPU: cores with their caches, a last-level cache, off-chip memory. A program runs once to warm
// the caches and once to be recorded, unless it begins cold.
#pragma once

#include <memory>
#include <vector>

#include "models/cpu/core_cycle.h"
#include "models/cpu/core_memory.h"
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
  static void CallRunCalls(void* self, std::uint64_t) { static_cast<CpuChip*>(self)->RunCalls(); }
  void RunCalls();
  void BeginPass();
  void EnterLibrary(const CpuCall& call);
  void Charge(const CpuCall& call, const CoreCounters& before, std::uint64_t begin);
  void ChargeBytes(OperatorRecord* op);
  void AddLevels(Record* record) const;

  const MachineSpec& machine_;
  const Program& program_;
  bool keep_spans_;
  Clock clock_;
  std::unique_ptr<Dram> dram_;
  std::unique_ptr<SharedMemory> shared_;
  std::unique_ptr<CoreMemory> memory_;
  std::unique_ptr<CoreCycle> core_;
  std::size_t next_call_ = 0;
  bool warming_ = true;
  bool finished_ = false;
  std::uint64_t begin_cycle_ = 0, end_cycle_ = 0;
  std::uint64_t entered_until_ = 0;  ///< the library is at work before the operator's calls
  std::uint64_t micro_ops_ = 0;      ///< of both passes
  DramCounters dram_before_;
  std::int64_t l2_charged_ = 0, dram_read_charged_ = 0, dram_write_charged_ = 0;
  CauseTimes times_{};
  std::vector<OperatorRecord> operators_;
  std::vector<Span> spans_;
};

}  // namespace siliscope
