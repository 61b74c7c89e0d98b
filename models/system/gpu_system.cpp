// SPDX-License-Identifier: Apache-2.0
// Registers GPUs as a kind of chip.
#include <systemc>

#include "models/gpu/gpu_peak.h"
#include "models/system/gpu_chip.h"
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

/// Kernels are priced by the lowering itself; nothing asks this.
class GpuTileCost : public TileCost {
 public:
  double MatmulIntervalCycles(std::int64_t, double, bool) const override { return 0; }
  double MatmulAloneCycles(std::int64_t, double, bool) const override { return 0; }
  double VectorCycles(const VectorWork&, std::int64_t, std::int64_t) const override { return 0; }
  double CopySeconds(std::int64_t, MemorySpace) const override { return 0; }
};

std::vector<std::string> PaidResources(const MachineSpec&) {
  return {"dram", "l2", "launch", "power"};
}

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "gpu", {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
              return std::make_unique<GpuSystem>(machine);
            },
            [](const MachineSpec&) -> std::unique_ptr<TileCost> {
              return std::make_unique<GpuTileCost>();
            },
            &GpuPeak,
            [](const MachineSpec&) { return std::vector<std::string>{}; },
            {"dram", "l2", "launch", "power"},
            &PaidResources});

}  // namespace
}  // namespace siliscope
