// SPDX-License-Identifier: Apache-2.0
// A closed form of a GEMM kernel's time, for the choice among tiles only: the chosen kernel is
// simulated. It knows the mechanisms that tell tiles apart: whole and partial waves, the slowest of
// pipes, shared memory and L2 in a step, prologue and epilogue, off-chip bytes.
#include <algorithm>
#include <cmath>

#include "workloads/lower/gpu/gemm_kernel.h"

namespace siliscope {
namespace {

double CeilDivide(double a, double b) { return std::ceil(a / b); }

struct Sizes {
  double ctas, resident, step, latency, steps;  ///< step and latency in cycles
  double epilogue;
};

/// CTAs that an SM holds.
double ResidentCtas(const SmSpec& sm, const GemmTile& t, const GemmProblem& p) {
  const std::int64_t simt_threads = t.bm * t.bn / (t.thread_m * t.thread_n) * t.slices;
  const auto threads = static_cast<double>(
      t.kind == GemmTile::Kind::kSimt ? simt_threads : t.warps_m * t.warps_n * 32);
  const double registers = t.kind == GemmTile::Kind::kSimt
                               ? static_cast<double>(t.thread_m * t.thread_n + 56)
                               : std::min(255.0, static_cast<double>(t.bm * t.bn) / threads + 90);
  const double shared =
      static_cast<double>(t.stages) *
          StageBytes(p, t.bm, t.bn, t.kind == GemmTile::Kind::kSimt ? kSimtPart * t.slices : t.bk) +
      2048;
  return std::max(
      1.0, std::floor(std::min({static_cast<double>(sm.registers.registers) / (threads * registers),
                                static_cast<double>(sm.shared_memory.size_bytes) / shared,
                                static_cast<double>(sm.max_warps * 32) / threads})));
}

}  // namespace

double EstimateGemmSeconds(const MachineSpec& machine, const GemmProblem& p, const GemmTile& t) {
  const GpuSpec& gpu = machine.gpu;
  const double clock = machine.clock_hz;
  const auto m = static_cast<double>(p.m), n = static_cast<double>(p.n),
             k = static_cast<double>(p.k), batch = static_cast<double>(p.batch);
  const auto bm = static_cast<double>(t.bm), bn = static_cast<double>(t.bn),
             bk = static_cast<double>(t.bk), split = static_cast<double>(t.split);
  const double sms = static_cast<double>(gpu.sms);
  const double dram =
      machine.memory.PeakBytesPerSecond() > 0 ? 0.8 * machine.memory.PeakBytesPerSecond() : 1e18;
  const double dram_latency = 350e-9 + static_cast<double>(gpu.l2.far_latency_cycles) / clock;
  const double weights = n * k * p.b_bytes * (p.b_shared ? 1 : batch);
  if (t.kind == GemmTile::Kind::kGemv) return weights / dram + 2 * dram_latency;
  const bool simt = t.kind == GemmTile::Kind::kSimt;
  const bool group = t.kind == GemmTile::Kind::kGroup;
  const double ctas = CeilDivide(m, bm) * CeilDivide(n, bn) * batch * split;
  const double cluster =
      static_cast<double>(t.cluster_rows * t.cluster_columns * (t.cluster_split ? t.split : 1));
  const double resident = group ? 1 : ResidentCtas(gpu.sm, t, p);
  double macs_per_cycle = 4.0 * 32.0 / static_cast<double>(gpu.sm.fp32.interval_cycles) *
                          static_cast<double>(gpu.sm.subcores) / 4;
  const auto rate = gpu.tensor_core.macs_per_cycle.find(p.dtype);
  if (!simt && rate != gpu.tensor_core.macs_per_cycle.end()) macs_per_cycle = rate->second;
  if (p.dtype == "fp64" && simt) {
    macs_per_cycle = 32.0 * static_cast<double>(gpu.sm.subcores) /
                     static_cast<double>(gpu.sm.fp64.interval_cycles);
  }
  const double rows = group && t.bm >= 64 ? std::max(bm, 64.0) : bm;
  const double compute = rows * bn * bk * MultipliedShare(p) / macs_per_cycle;
  const double a_bytes = bk * p.a_bytes, b_bytes = bk * p.b_bytes;  // of a row in a step
  double shared = 0;
  if (group) {
    shared = (a_bytes * bm + b_bytes * std::max(1.0, bm / 64) * bn) / 128;
  } else if (simt) {
    const double threads = bm * bn / static_cast<double>(t.thread_m * t.thread_n);
    shared = static_cast<double>(t.thread_m + t.thread_n) * 4 * threads * bk / 128 * 8.0 /
             static_cast<double>(gpu.sm.shared_memory.wide_lanes);
    const double slots = (static_cast<double>(t.thread_m * t.thread_n) +
                          static_cast<double>(t.thread_m + t.thread_n) / 4 + 4) *
                         threads / 32 / static_cast<double>(gpu.sm.subcores) * bk;
    shared = std::max(shared, slots);
  } else {
    shared = (a_bytes * bm * static_cast<double>(t.warps_n + 1) +
              b_bytes * bn * static_cast<double>(t.warps_m + 1)) /
             128;
  }
  // Bursts of many SMs for the same lines reach about this share.
  const double l2_total = 0.7 * gpu.l2.ReadBytesPerCycle(gpu.gpcs);
  const double active = std::min(ctas, sms);
  const double l2_bytes = a_bytes * bm / static_cast<double>(t.cluster_columns) +
                          b_bytes * bn / static_cast<double>(t.cluster_rows);
  const double step_bytes = a_bytes * bm + b_bytes * bn;
  const double l2 = std::max(l2_bytes / (l2_total / active),
                             step_bytes / static_cast<double>(gpu.sm.l1.fill_bytes_per_cycle));
  // Operands that come from memory are waited for as long as it takes, over the stages ahead.
  const bool from_memory = p.weights_cold || weights > static_cast<double>(gpu.l2.size_bytes) ||
                           m * k * p.a_bytes > static_cast<double>(gpu.l2.size_bytes);
  const double latency =
      (from_memory ? dram_latency * clock : static_cast<double>(gpu.l2.far_latency_cycles)) /
      static_cast<double>(std::max<std::int64_t>(1, t.stages - 1));
  const double barrier = 40;
  const auto step_of = [&](double c) {
    return std::max({c * compute + barrier, c * shared, c * l2, latency + barrier});
  };
  const double steps = std::ceil(std::ceil(k / split) / bk);
  const double prologue =
      static_cast<double>(gpu.launch.cta_start_cycles) + 300 + dram_latency * clock;
  const double c_bytes = split > 1 ? 4 : p.c_bytes;
  const double epilogue = bm * bn * c_bytes / 20 + 200;
  // Clusters lie in one GPC: what is left over in each holds none.
  double groups = 0;
  for (std::int64_t g = 0; g < gpu.gpcs; ++g) {
    const std::int64_t tpcs = (gpu.sms / gpu.sms_per_tpc + gpu.gpcs - 1 - g) / gpu.gpcs;
    groups += std::floor(static_cast<double>(tpcs * gpu.sms_per_tpc) / cluster) * cluster;
  }
  const double slots = groups * resident;
  const double full = std::floor(ctas / slots), rest = ctas - full * slots;
  double cycles = full * steps * step_of(resident);
  if (rest > 0) cycles += steps * step_of(std::min(resident, CeilDivide(rest, groups)));
  const double waves = std::ceil(ctas / slots);
  cycles += group ? prologue + waves * epilogue
                  : (prologue + epilogue) * (resident > 1 ? std::max(1.0, waves * 0.7) : waves);
  if (t.stream_k) {  // no partial wave, but sums of tiles that end in the middle go through L2
    const double shares = std::ceil(ctas * steps / sms);
    cycles = prologue + shares * step_of(1) + epilogue + 2 * bm * bn * 4 / 40 +
             2 * static_cast<double>(gpu.l2.far_latency_cycles);
  }
  const double activations = m * k * p.a_bytes * batch + m * n * p.c_bytes * batch;
  const double l2_size = static_cast<double>(gpu.l2.size_bytes);
  double bytes = p.weights_cold || weights > l2_size ? weights : 0;
  if (activations > 0.5 * l2_size) bytes += activations;
  // Little's law: what the CTAs keep in flight over the latency.
  const double in_flight =
      std::min(ctas, groups * resident) * static_cast<double>(t.stages) * step_bytes;
  const double reached = std::min(dram, in_flight / (1.9 * dram_latency));
  double seconds = std::max(cycles / clock, bytes / reached + (prologue + epilogue) / clock);
  if (t.cluster_split) {  // sums pass between the SMs of a cluster
    return std::max(seconds, weights / dram) +
           (2 * static_cast<double>(gpu.sm.peer_latency_cycles) + bm * bn * 4 / 32) / clock;
  }
  if (split > 1) {
    seconds += gpu.launch.graph_s + 1.5e-6 + split * m * n * 4 / (l2_total * clock * 0.5);
  }
  return seconds;
}

}  // namespace siliscope
