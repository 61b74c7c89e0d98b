// SPDX-License-Identifier: Apache-2.0
// Registers GPUs as a kind of chip.
#include <systemc>

#include "models/gpu/gpu_peak.h"
#include "models/system/gpu_chip.h"
#include "sim/contract/system_model.h"
#include "sim/core/error.h"

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

/// The lowering prices kernels by a closed form of its own and simulates what it takes; whoever
/// asks for a tile of an array has the wrong chip.
class GpuTileCost : public TileCost {
 public:
  double MatmulIntervalCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double MatmulAloneCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double VectorCycles(const VectorWork&, std::int64_t, std::int64_t) const override {
    return NoArray();
  }
  double CopySeconds(std::int64_t, MemorySpace) const override { return NoArray(); }

 private:
  [[noreturn]] static double NoArray() { throw InternalError("a GPU has no array tiles to price"); }
};

std::vector<std::string> PaidResources(const MachineSpec&) {
  return {"dram", "host_link", "l2", "launch", "power"};
}

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "gpu", {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
              return std::make_unique<GpuSystem>(machine);
            },
            [](const MachineSpec&) -> std::unique_ptr<TileCost> {
              return std::make_unique<GpuTileCost>();
            },
            &GpuPeak,
            [](const MachineSpec&) { return std::vector<std::string>{"sms"}; },
            {"dram", "host_link", "l2", "launch", "power"},
            &PaidResources});

}  // namespace
}  // namespace siliscope
