// SPDX-License-Identifier: Apache-2.0
// Registers CPUs as a kind of chip.
#include <systemc>

#include "models/cpu/cpu_peak.h"
#include "models/system/cpu_chip.h"
#include "sim/contract/system_model.h"
#include "sim/core/error.h"

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

/// Kernels of a CPU are simulated, none is priced.
class CpuTileCost : public TileCost {
 public:
  double MatmulIntervalCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double MatmulAloneCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double VectorCycles(const VectorWork&, std::int64_t, std::int64_t) const override {
    return NoArray();
  }
  double CopySeconds(std::int64_t, MemorySpace) const override { return NoArray(); }

 private:
  [[noreturn]] static double NoArray() { throw InternalError("a CPU has no array tiles to price"); }
};

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "cpu", {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
              return std::make_unique<CpuSystem>(machine);
            },
            [](const MachineSpec&) -> std::unique_ptr<TileCost> {
              return std::make_unique<CpuTileCost>();
            },
            &CpuPeak,
            [](const MachineSpec&) { return std::vector<std::string>{"core0"}; },
            {"dram"},
            [](const MachineSpec&) { return std::vector<std::string>{"dram"}; }});

}  // namespace
}  // namespace siliscope
