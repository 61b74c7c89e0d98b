// SPDX-License-Identifier: Apache-2.0
// siliscope measure-cpu: measures the machine at hand, and writes a chip of it beside the rows that
// `siliscope validate` compares it with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "sim/cli/commands.h"
#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "sim/measure/cpu_probes.h"
#include "sim/run/output_folder.h"

namespace siliscope {
namespace {

/// Cycles of a load where the working set is about `bytes`.
double LatencyCycles(const CpuProbes& probes, std::int64_t bytes) {
  double cycles = 0;
  for (const ProbedTime& t : probes.latency) {
    if (t.bytes <= bytes) cycles = t.seconds / static_cast<double>(t.count) * probes.clock_hz;
  }
  return cycles;
}

double BytesPerCycle(const CpuProbes& probes, std::int64_t bytes) {
  double rate = 0;
  for (const ProbedTime& t : probes.bandwidth) {
    if (t.bytes <= bytes) {
      rate = static_cast<double>(t.bytes * t.count) / t.seconds / probes.clock_hz;
    }
  }
  return rate;
}

std::int64_t WholeCycles(double cycles) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::lround(cycles)));
}

/// What was measured, over a chip of the same vectors; the rest is assumed to be like that chip.
std::vector<Override> ChangesOf(const CpuProbes& probes) {
  std::vector<Override> changes = {{"name", "measured"},
                                   {"clock", fmt::format("{:.0f} MHz", probes.clock_hz / 1e6)}};
  const double two_ports = 2 * 2 * static_cast<double>(probes.vector_bytes) / 4;
  if (probes.flops_per_cycle > 0) {
    const std::int64_t interval = WholeCycles(two_ports / probes.flops_per_cycle);
    for (const char* unit : {"fma", "float_multiply", "float_add"}) {
      changes.push_back({fmt::format("core.interval.{}", unit), std::to_string(interval)});
    }
  }
  for (const CacheSize& cache : probes.caches) {
    const std::string level = fmt::format("l{}", cache.level);
    if (cache.level > 3 || cache.bytes % (cache.ways * probes.line_bytes) != 0) continue;
    changes.push_back({level + ".size", fmt::format("{} B", cache.bytes)});
    changes.push_back({level + ".ways", std::to_string(cache.ways)});
    // Within the cache but beyond the one above it; a last level may be shared with others.
    const std::int64_t inside =
        cache.level == 3 ? std::min<std::int64_t>(cache.bytes / 8, 4 << 20) : cache.bytes / 2;
    const double cycles = LatencyCycles(probes, inside), rate = BytesPerCycle(probes, inside);
    if (cycles > 0) changes.push_back({level + ".latency", std::to_string(WholeCycles(cycles))});
    if (cache.level == 1) {
      changes.push_back({"core.latency.load", std::to_string(WholeCycles(cycles))});
      const auto width = static_cast<std::int64_t>(std::exp2(std::lround(std::log2(rate / 2))));
      if (rate > 0) changes.push_back({"core.load_width", fmt::format("{} B", width)});
    } else if (rate > 0) {
      changes.push_back({level + ".fill", fmt::format("{:.1f} B/cycle", rate * 1.1)});
    }
  }
  return changes;
}

std::string RowsText(const CpuProbes& probes, const std::string& chip) {
  std::string text = "id,chip,op,dtype,shape,launch,measured_us,low_us,high_us,source\n";
  int id = 0;
  const auto row = [&](const char* op, const std::string& shape, double seconds) {
    text += fmt::format("m{},{},{},fp32,{},kernel,{:.3f},,,measured here\n", id++, chip, op, shape,
                        seconds * 1e6);
  };
  for (const ProbedTime& t : probes.latency) {
    row("chase", fmt::format("bytes={};loads={}", t.bytes, t.count), t.seconds);
  }
  for (const ProbedTime& t : probes.bandwidth) {
    row("stream", fmt::format("fn=read;elements={};rounds={}", t.bytes / 4, t.count), t.seconds);
  }
  for (const ProbedProduct& p : probes.products) {
    row("gemm", fmt::format("m={};n={};k={}", p.m, p.n, p.k), p.seconds);
  }
  return text;
}

}  // namespace

void MeasureCpu(const std::string& out) {
  OutputFolder folder(out);
  const CpuProbes probes =
      ProbeCpu([](const std::string& what) { fmt::print(stderr, "measures {}\n", what); });
  if (probes.latency.empty()) {
    throw UserError("this machine can't be measured: " + probes.left_out.front());
  }
  const std::string base = probes.vector_bytes == 64 ? "zen5-avx512-1core" : "zen5-avx2-1core";
  std::vector<Override> changes = ChangesOf(probes);
  // The memory's share of its latency is what the caches don't explain.
  const double memory_ns = LatencyCycles(probes, 64 << 20) / probes.clock_hz * 1e9;
  constexpr double kDevicesNs = 50;  // row, column and bursts of DDR5
  const double l3_ns = LatencyCycles(probes, 4 << 20) / probes.clock_hz * 1e9;
  changes.push_back({"memory.controller_latency",
                     fmt::format("{:.0f} ns", std::max(1.0, memory_ns - l3_ns - kDevicesNs))});
  const MachineSpec machine = LoadMachine(base, changes);
  const std::string chip = std::filesystem::absolute(folder.path()).string() + "/measured.yaml";
  folder.Write("measured.yaml", "# measured by siliscope measure-cpu; the rest is as in " + base +
                                    "\n" + machine.resolved_yaml);
  folder.Write("measured.csv", RowsText(probes, chip));
  folder.Commit();
  fmt::print("clock        {:.2f} GHz\n", probes.clock_hz / 1e9);
  if (probes.vector_bytes > 0) {
    fmt::print("peak         {:.1f} fp32 operations a cycle, vectors of {} B: {:.0f} GFLOP/s\n",
               probes.flops_per_cycle, probes.vector_bytes,
               probes.flops_per_cycle * probes.clock_hz / 1e9);
  }
  for (const ProbedTime& t : probes.latency) {
    fmt::print("latency      {:>6} KiB  {:7.1f} ns\n", t.bytes >> 10,
               t.seconds / static_cast<double>(t.count) * 1e9);
  }
  for (const ProbedTime& t : probes.bandwidth) {
    fmt::print("bandwidth    {:>6} KiB  {:7.1f} GB/s\n", t.bytes >> 10,
               static_cast<double>(t.bytes * t.count) / t.seconds / 1e9);
  }
  for (const ProbedProduct& p : probes.products) {
    fmt::print("product      {} x {} x {}  {:.1f} us\n", p.m, p.n, p.k, p.seconds * 1e6);
  }
  for (const std::string& left : probes.left_out) fmt::print("left out     {}\n", left);
  fmt::print("written      {} and {}\ncompare      siliscope validate {}\n",
             folder.path() + "/measured.yaml", folder.path() + "/measured.csv",
             folder.path() + "/measured.csv");
}

}  // namespace siliscope
