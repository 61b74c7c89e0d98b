// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "sim/run/csv.h"
#include "sim/run/result_files.h"

namespace siliscope {

namespace {

/// Of the whole kernel's time, as its CTAs walk through their steps wave after wave.
double CyclesPerStep(const KernelRecord& r, double clock_hz) {
  const double steps = static_cast<double>(r.steps) * std::max(1.0, std::ceil(r.waves));
  return steps > 0 ? ToMicroseconds(r.end - r.start) * 1e-6 * clock_hz / steps : 0;
}

/// Of what the chip's Tensor Cores, or its pipes, could do.
double PipePercent(const KernelRecord& r, const GpuKernel& kernel, const MachineSpec& machine) {
  const std::string type = kernel.tensor_core || kernel.dtype == "fp64" ? kernel.dtype : "fp32";
  const double peak = ComputedPeakOperations(machine, type);
  const double us = ToMicroseconds(r.end - r.start);
  return peak > 0 && us > 0 ? 100 * r.pipe_flops / (us * 1e-6) / peak : 0;
}

}  // namespace

std::string KernelsCsv(const SimulationResult& result) {
  const GpuProgram& gpu = result.program.gpu;
  std::vector<std::string> columns = {"launch",
                                      "operator",
                                      "stream",
                                      "name",
                                      "kernel",
                                      "tile",
                                      "grid",
                                      "cluster",
                                      "ctas",
                                      "waves",
                                      "ctas_per_sm",
                                      "warps",
                                      "registers",
                                      "shared_bytes",
                                      "occupancy_pct",
                                      "limiter",
                                      "queued_us",
                                      "begin_us",
                                      "end_us",
                                      "steps",
                                      "cycles_per_step",
                                      "pipe_pct",
                                      "l2_gb_per_s",
                                      "l2_hit_pct",
                                      "dram_gb_per_s",
                                      "register_bytes_per_mac",
                                      "shared_bytes_per_mac",
                                      "active_lanes"};
  for (const std::string& slot : result.record.issue_slot_names) {
    columns.push_back(slot + "_pct");
  }
  std::string text = CsvLine(columns);
  for (const KernelRecord& r : result.record.kernels) {
    const GpuLaunch& launch = gpu.launches[r.launch];
    const GpuKernel& k = gpu.kernels[launch.kernel];
    const double hit_pct = r.l2_read_bytes == 0 ? 0
                                                : 100 - 100 * static_cast<double>(r.l2_miss_bytes) /
                                                            static_cast<double>(r.l2_read_bytes);
    const auto per_us = [&](std::int64_t n) {
      return r.end > r.start ? static_cast<double>(n) / ToMicroseconds(r.end - r.start) : 0;
    };
    const auto count = [](std::int64_t n) { return std::to_string(n); };
    std::vector<std::string> row = {std::to_string(r.launch),
                                    std::to_string(launch.op),
                                    std::to_string(launch.stream),
                                    result.program.operators[launch.op].name,
                                    k.name,
                                    k.tile,
                                    count(k.grid.rows) + "x" + count(k.grid.columns) + "x" +
                                        count(k.grid.batch * k.grid.splits),
                                    count(k.cluster_rows) + "x" + count(k.cluster_columns) +
                                        (k.cluster_splits > 1 ? "x" + count(k.cluster_splits) : ""),
                                    count(r.ctas),
                                    NumberText(r.waves),
                                    count(r.ctas_per_sm),
                                    count(k.warps),
                                    count(k.registers_per_thread),
                                    count(k.shared_bytes),
                                    NumberText(r.occupancy_pct),
                                    r.limiter,
                                    NumberText(ToMicroseconds(r.queued)),
                                    NumberText(ToMicroseconds(r.start)),
                                    NumberText(ToMicroseconds(r.end)),
                                    count(r.steps),
                                    NumberText(CyclesPerStep(r, result.record.clock_hz)),
                                    NumberText(PipePercent(r, k, result.machine)),
                                    NumberText(per_us(r.l2_read_bytes + r.l2_write_bytes) / 1e3),
                                    NumberText(hit_pct),
                                    NumberText(per_us(r.dram_bytes) / 1e3),
                                    NumberText(r.register_bytes_per_mac),
                                    NumberText(r.shared_bytes_per_mac),
                                    NumberText(r.active_lanes)};
    for (const double share : r.issue_slots) row.push_back(NumberText(100 * share));
    text += CsvLine(row);
  }
  return text;
}

}  // namespace siliscope
