// SPDX-License-Identifier: Apache-2.0
// Registers `kind: npu`: a chip that runs a program, and the prices of its tiles.
#include <algorithm>

#include "models/npu/peak.h"
#include "models/npu/systolic_timing.h"
#include "models/npu/vector_unit.h"
#include "models/system/npu_chip.h"
#include "sim/contract/system_model.h"

namespace siliscope {
namespace {

class NpuSystem : public SystemModel {
 public:
  explicit NpuSystem(const MachineSpec& machine) : machine_(machine) {}

  Record Run(const Program& program, const SimulationOptions& options) override {
    NpuChip chip("chip", machine_, program, options);
    chip.Start();
    sc_core::sc_start();
    return chip.Finish();
  }

 private:
  MachineSpec machine_;
};

class NpuTileCost : public TileCost {
 public:
  explicit NpuTileCost(const MachineSpec& machine) : machine_(machine) {}

  double MatmulIntervalCycles(std::int64_t rows, double rate,
                              bool output_stationary) const override {
    const SystolicArraySpec& array = machine_.npu.array;
    const auto stream = SystolicTiming::StreamCycles(array, rows, rate);
    if (output_stationary) {
      const auto least = static_cast<std::uint64_t>(array.rows);
      return static_cast<double>(array.overlap_fill_drain
                                     ? std::max(stream, least)
                                     : stream + SystolicTiming::DrainCycles(array));
    }
    const auto push = SystolicTiming::PushCycles(array);
    if (!array.overlap_fill_drain) return MatmulAloneCycles(rows, rate, false);
    return static_cast<double>(array.weight_double_buffer ? std::max(stream, push) : stream + push);
  }

  double MatmulAloneCycles(std::int64_t rows, double rate, bool output_stationary) const override {
    const SystolicArraySpec& array = machine_.npu.array;
    return static_cast<double>((output_stationary ? 0 : SystolicTiming::PushCycles(array)) +
                               SystolicTiming::StreamCycles(array, rows, rate) +
                               SystolicTiming::DrainCycles(array));
  }

  double VectorCycles(const VectorWork& work, std::int64_t rows,
                      std::int64_t columns) const override {
    return siliscope::VectorCycles(machine_.npu.vector, work, rows, columns);
  }

  double CopySeconds(std::int64_t bytes, MemorySpace space) const override {
    const NpuSpec& npu = machine_.npu;
    const auto moved = static_cast<double>(bytes);
    switch (space) {
      case MemorySpace::kHost:
        return npu.dma.latency_s + npu.host_link.latency_s +
               moved / npu.host_link.bandwidth_bytes_per_s;
      case MemorySpace::kShared:
        return npu.dma.latency_s + npu.shared_memory.latency_s +
               moved / npu.shared_memory.bandwidth_bytes_per_s;
      case MemorySpace::kDram:
        break;
    }
    const double peak = machine_.memory.PeakBytesPerSecond();
    const DramTiming& t = machine_.memory.timing;
    double seconds = npu.dma.latency_s + machine_.memory.controller_latency_s;
    // A copy may meet a refresh on its way.
    if (!machine_.memory.ideal()) seconds += (t.trcd_ns + t.tcl_ns + t.trfc_ns) * 1e-9;
    if (peak > 0) seconds += moved / (peak * (1 - RefreshShare()));
    return seconds;
  }

 private:
  double RefreshShare() const {
    const DramTiming& t = machine_.memory.timing;
    return machine_.memory.ideal() || t.trefi_ns <= 0 ? 0 : t.trfc_ns / t.trefi_ns;
  }

  MachineSpec machine_;
};

std::vector<std::string> PaidResources(const MachineSpec& machine) {
  const NpuSpec& npu = machine.npu;
  std::vector<std::string> paid = {"dma", "scratchpad", "vector"};
  if (machine.memory.PeakBytesPerSecond() > 0) paid.emplace_back("dram");
  if (npu.host_link.bandwidth_bytes_per_s > 0) paid.emplace_back("host_link");
  if (npu.mapping.launch_s > 0) paid.emplace_back("launch");
  if (npu.shared_memory.size_bytes > 0) paid.emplace_back("shared_memory");
  if (npu.mapping.synchronise_s > 0) paid.emplace_back("synchronisation");
  return paid;
}

std::vector<std::string> ZoomableUnits(const MachineSpec& machine) {
  std::vector<std::string> units;
  if (!machine.memory.ideal()) units.emplace_back("dram");
  for (std::int64_t c = 0; c < machine.npu.cores; ++c) {
    for (std::int64_t a = 0; a < machine.npu.array.count; ++a) {
      units.push_back("core" + std::to_string(c) + ".array" + std::to_string(a));
    }
  }
  return units;
}

const bool kRegistered = SystemModelRegistry::Instance().Add(
    "npu", {[](const MachineSpec& machine) -> std::unique_ptr<SystemModel> {
              return std::make_unique<NpuSystem>(machine);
            },
            [](const MachineSpec& machine) -> std::unique_ptr<TileCost> {
              return std::make_unique<NpuTileCost>(machine);
            },
            &NpuChipPeak,
            &ZoomableUnits,
            {"dram", "dma", "host_link", "launch", "scratchpad", "shared_memory", "synchronisation",
             "vector"},
            &PaidResources});

}  // namespace
}  // namespace siliscope
