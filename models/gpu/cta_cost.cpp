// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cta_cost.h"

#include <algorithm>

namespace siliscope {
namespace {

/// Steps of the shorter of two runs: their difference is free of what happens once.
std::int64_t FewSteps(const KernelPass& pass) {
  return std::clamp<std::int64_t>(pass.ring, 2, 8) + 2;
}
constexpr std::int64_t kMoreSteps = 6;

struct Times {
  double start = 0;
  std::vector<double> passes;
  SmCounters counters;
};

Times RunOnce(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t ctas,
              std::int64_t more_steps) {
  std::vector<std::int64_t> steps;
  for (const KernelPass& pass : kernel.passes) steps.push_back(FewSteps(pass) + more_steps);
  IdealSmMemory memory(static_cast<std::uint64_t>(gpu.sm.l1.latency_cycles));
  SmCycle sm(gpu, nullptr, kernel, steps, memory);
  sm.WarmInstructions();
  for (std::int64_t c = 0; c < ctas; ++c) sm.Launch({}, 0);
  sm.Run();
  Times times;
  times.start = static_cast<double>(sm.passes().front().begin);
  for (const PassTimes& pass : sm.passes()) {
    times.passes.push_back(pass.end > pass.begin ? static_cast<double>(pass.end - pass.begin) : 0);
  }
  times.counters = sm.counters();
  return times;
}

/// Cycles of a step of every pass: what further steps add.
std::vector<double> StepCycles(const Times& few, const Times& many) {
  std::vector<double> cycles;
  for (std::size_t p = 0; p < few.passes.size(); ++p) {
    cycles.push_back(std::max(0.0, (many.passes[p] - few.passes[p]) / kMoreSteps));
  }
  return cycles;
}

}  // namespace

CtaCost MeasureCta(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident) {
  const Times few = RunOnce(gpu, kernel, 1, 0);
  const Times many = RunOnce(gpu, kernel, 1, kMoreSteps);
  const std::vector<double> alone = StepCycles(few, many);
  std::vector<double> together = alone;
  CtaCost cost;
  cost.counters = many.counters;
  cost.instructions = few.counters.instructions + many.counters.instructions;
  if (co_resident > 1) {
    const Times few_shared = RunOnce(gpu, kernel, co_resident, 0);
    const Times many_shared = RunOnce(gpu, kernel, co_resident, kMoreSteps);
    together = StepCycles(few_shared, many_shared);
    cost.counters = many_shared.counters;
    cost.instructions += few_shared.counters.instructions + many_shared.counters.instructions;
  }
  cost.start_cycles = few.start;
  const auto latency = static_cast<double>(gpu.sm.l1.latency_cycles);
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
    const KernelPass& pass = kernel.passes[p];
    const bool loads = !pass.loads.empty();
    // The latency of the memory is the chip's: a ring of one exposes it in every step.
    const bool exposes = pass.ring <= 1 && !pass.through_registers;
    const double exposed = loads && exposes ? std::min(latency, 0.8 * alone[p]) : 0;
    PassCost c;
    c.interval_cycles = std::min(together[p] / static_cast<double>(co_resident), alone[p]);
    c.alone_cycles = std::max(alone[p] - exposed, c.interval_cycles);
    const double steps = static_cast<double>(FewSteps(pass));
    const double once = loads && !exposes ? latency : 0;
    c.fill_cycles = std::max(0.0, few.passes[p] - steps * alone[p] - once);
    cost.passes.push_back(c);
  }
  return cost;
}

std::string CtaCostKey(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident) {
  std::string key = kernel.dtype + "|" + std::to_string(co_resident) + "|" +
                    std::to_string(kernel.shared_bytes) + "|" + std::to_string(gpu.sms) + "|";
  for (const WarpRole& role : kernel.roles) {
    key += std::to_string(role.warps) + ":";
    for (const WarpInstruction& in : role.program.instructions) {
      const std::int64_t fields[] = {static_cast<std::int64_t>(in.op),
                                     in.destination,
                                     in.destinations,
                                     in.sources[0],
                                     in.sources[1],
                                     in.sources[2],
                                     in.reuse,
                                     in.lanes,
                                     in.access,
                                     in.pass,
                                     in.operand,
                                     in.trips,
                                     static_cast<std::int64_t>(in.macs)};
      for (const std::int64_t field : fields) key += std::to_string(field) + ",";
    }
    for (const WarpAccess& a : role.program.accesses) {
      const std::int64_t fields[] = {a.stream,      a.lanes_per_row, a.bytes_per_lane,
                                     a.lane_stride, a.row_stride,    a.offset % 128,
                                     a.swizzled,    a.past_l1,       a.bulk_bytes};
      for (const std::int64_t field : fields) key += std::to_string(field) + ",";
    }
  }
  for (const KernelPass& pass : kernel.passes) key += "/" + std::to_string(pass.ring);
  return key;
}

}  // namespace siliscope
