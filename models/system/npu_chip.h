// SPDX-License-Identifier: Apache-2.0
// An NPU chip: cores that share off-chip memory, an on-chip shared memory and a host link. One
// SystemC process drains the chip's event queue.
#pragma once

#include <memory>
#include <vector>

#include "models/interconnect/pipe_link.h"
#include "models/memory/dram.h"
#include "models/npu/npu_core.h"
#include "sim/contract/system_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class NpuChip : public Domain, private NpuCore::Chip {
 public:
  NpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine, const Program& program,
          const SimulationOptions& options);

  /// Schedules the start of all cores.
  void Start();
  /// What happened. Throws InternalError where commands are left that nothing can complete.
  Record Finish();

 private:
  bool Zoomed(const std::string& unit) const;
  void CommandDone(std::uint32_t command) override;
  void CheckAllDone() const;
  void AddUnits(Record* record) const;
  void AddLevels(Record* record) const;
  void AddOperators(Record* record) const;
  void AddActiveTimes(Record* record) const;
  void AddZooms(Record* record) const;

  bool keep_spans_;
  ZoomRequest zoom_;
  MachineSpec machine_;
  const Program& program_;
  CommandGraph graph_;
  CommandStates states_;
  std::unique_ptr<Dram> dram_;
  std::unique_ptr<PipeLink> shared_;
  std::unique_ptr<PipeLink> host_;
  std::vector<std::unique_ptr<NpuCore>> cores_;
};

}  // namespace siliscope
