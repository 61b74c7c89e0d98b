// SPDX-License-Identifier: Apache-2.0
// Registers CPUs as a kind of chip.
#include <systemc>

#include "models/cpu/cpu_peak.h"
#include "models/system/cpu_chip.h"
#include "models/system/no_tile_cost.h"
#include "sim/contract/system_model.h"

namespace siliscope {
namespace {

class CpuSystem : public SystemModel {
 public:
  explicit CpuSystem(const MachineSpec& machine) : machine_(machine) {}

  Record Run(const Program& program, const SimulationOptions& options) override {
    CpuChip chip("chip", machine_, program, options);
    chip.Start();
    sc_core::sc_start();
    return chip.Finish();
  }

 private:
  MachineSpec machine_;
};

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "cpu",
    {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
       return std::make_unique<CpuSystem>(machine);
     },
     [](const MachineSpec&) -> std::unique_ptr<TileCost> { return std::make_unique<NoTileCost>(); },
     &CpuPeak,
     [](const MachineSpec&) { return std::vector<std::string>{"core0"}; },
     {"dram"},
     [](const MachineSpec&) { return std::vector<std::string>{"dram"}; }});

}  // namespace
}  // namespace siliscope
