// SPDX-License-Identifier: Apache-2.0
// Registers GPUs as a kind of chip.
#include <systemc>

#include "models/gpu/gpu_peak.h"
#include "models/system/gpu_chip.h"
#include "models/system/no_tile_cost.h"
#include "sim/contract/system_model.h"

namespace siliscope {
namespace {

class GpuSystem : public SystemModel {
 public:
  explicit GpuSystem(const MachineSpec& machine) : machine_(machine) {}

  Record Run(const Program& program, const SimulationOptions& options) override {
    GpuChip chip("chip", machine_, program, options);
    chip.Start();
    sc_core::sc_start();
    return chip.Finish();
  }

 private:
  MachineSpec machine_;
};

std::vector<std::string> PaidResources(const MachineSpec&) {
  return {"dram", "host_link", "l2", "launch", "power"};
}

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "gpu",
    {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
       return std::make_unique<GpuSystem>(machine);
     },
     [](const MachineSpec&) -> std::unique_ptr<TileCost> { return std::make_unique<NoTileCost>(); },
     &GpuPeak,
     [](const MachineSpec&) { return std::vector<std::string>{"sms"}; },
     {"dram", "host_link", "l2", "launch", "power"},
     &PaidResources});

}  // namespace
}  // namespace siliscope
