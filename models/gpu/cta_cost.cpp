// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cta_cost.h"

#include <algorithm>

namespace siliscope {
namespace {

/// Steps of the shorter of two runs: their difference is free of what happens once. A kernel of
/// fewer steps runs those that it has, so that its parts add up to what was measured.
std::int64_t FewSteps(const KernelPass& pass) {
  if (pass.steps == 0) return 0;
  return std::clamp<std::int64_t>(pass.steps, 1, std::clamp<std::int64_t>(pass.ring, 2, 8) + 2);
}
constexpr std::int64_t kMoreSteps = 6;
constexpr std::size_t kNoPass = ~std::size_t{0};

struct Run {
  double cycles = 0;  ///< in all
  double start = 0;
  double oldest_end = 0;  ///< of the CTA that was started first
  std::vector<double> passes, drains;
  SmCounters counters;
};

/// Whether a step waits for the memory: loads are not sent ahead of it.
bool ExposesLatency(const KernelPass& pass) {
  return pass.Loads() && pass.ring <= 1 && !pass.through_registers;
}

/// Runs `ctas` CTAs side by side, and others after them, `rounds` times as many in all; one pass
/// may take more steps than the few of the others.
Run RunCtas(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t ctas,
            std::int64_t memory_latency_cycles, std::size_t longer_pass = kNoPass,
            std::int64_t rounds = 1) {
  std::vector<std::int64_t> steps;
  for (const KernelPass& pass : kernel.passes) steps.push_back(FewSteps(pass));
  if (longer_pass != kNoPass) steps[longer_pass] += kMoreSteps;
  const bool in_step = std::any_of(kernel.passes.begin(), kernel.passes.end(), &ExposesLatency);
  IdealSmMemory memory(static_cast<std::uint64_t>(memory_latency_cycles));
  SmCycle sm(gpu, nullptr, kernel, steps, memory);
  sm.WarmInstructions();
  constexpr std::uint64_t kTurnCycles = 16;
  Run run;
  std::uint64_t next = 0;
  std::uint32_t started = 0;
  for (std::int64_t left = ctas * rounds; left > 0;) {
    const auto free = ctas - static_cast<std::int64_t>(sm.resident_ctas());
    for (std::int64_t c = std::min(left, free); c > 0; --c, --left) {
      CtaWork work;
      work.at.cluster = started++;
      // The scheduler has been round all other SMs since it placed the CTA before. (What waits for
      // its loads is measured in step.)
      const auto round = static_cast<std::uint64_t>(gpu.sms / gpu.launch.ctas_per_cycle);
      const bool apart = !in_step && work.at.cluster < static_cast<std::uint32_t>(ctas);
      sm.Launch(work, sm.now() + (apart ? work.at.cluster * round : 0));
    }
    if (left == 0 || next == ~std::uint64_t{0}) break;
    next = sm.RunUntil(std::max(next, sm.now() + kTurnCycles));
  }
  run.cycles = static_cast<double>(sm.Run());
  for (const SmCycle::Ended& ended : sm.TakeEnded()) {
    if (ended.cluster == 0) run.oldest_end = static_cast<double>(ended.cycle);
  }
  run.start = static_cast<double>(sm.passes().front().begin);
  for (std::size_t p = 0; p < sm.passes().size(); ++p) {
    const PassTimes& pass = sm.passes()[p];
    // Where warps run on, the first are in this pass before the last have left the one before.
    const bool overlaps = p > 0 && !kernel.passes[p - 1].joins;
    const std::uint64_t begin =
        overlaps ? std::max(pass.begin, sm.passes()[p - 1].end) : pass.begin;
    run.passes.push_back(pass.end > begin ? static_cast<double>(pass.end - begin) : 0);
    const bool drains = pass.steps_end > 0 && pass.end > pass.steps_end;
    run.drains.push_back(drains ? static_cast<double>(pass.end - pass.steps_end) : 0);
  }
  run.counters = sm.counters();
  return run;
}

/// Cycles that the busiest pipe is taken by what a longer run did more.
double BusiestPipe(const GpuSpec& gpu, const SmCounters& longer, const SmCounters& few) {
  const auto subcores = static_cast<double>(gpu.sm.subcores);
  const auto more = [](std::uint64_t of, std::uint64_t than) {
    return static_cast<double>(of) - static_cast<double>(than);
  };
  return std::max({more(longer.tensor_cycles, few.tensor_cycles) / subcores,
                   more(longer.fp32_cycles, few.fp32_cycles) / subcores,
                   more(longer.memory_pipe_cycles, few.memory_pipe_cycles)});
}

/// What a step of each pass adds to a run of a few CTAs.
struct StepCosts {
  std::vector<double> cycles;
  std::vector<double> pipe_cycles;  ///< of the busiest
  std::vector<SmTraffic> traffic;   ///< of all of them
  std::vector<Run> runs;            ///< with the further steps
};

/// `few` is the run without the further steps.
StepCosts MeasureSteps(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t ctas,
                       const Run& few, CtaCost* cost) {
  StepCosts steps;
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
    const Run longer = RunCtas(gpu, kernel, ctas, gpu.sm.l1.latency_cycles, p);
    steps.cycles.push_back(std::max(0.0, (longer.cycles - few.cycles) / kMoreSteps));
    steps.pipe_cycles.push_back(BusiestPipe(gpu, longer.counters, few.counters) / kMoreSteps);
    SmTraffic traffic;
    traffic.Add(SmTraffic::Of(longer.counters), 1.0 / kMoreSteps);
    traffic.Add(SmTraffic::Of(few.counters), -1.0 / kMoreSteps);
    steps.traffic.push_back(traffic);
    steps.runs.push_back(longer);
    cost->instructions += longer.counters.instructions;
    if (p == 0) cost->counters = longer.counters;
  }
  return steps;
}

/// The SM's time for a CTA where one follows another.
double CtaIntervalCycles(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t ctas,
                         const Run& first_round, CtaCost* cost, std::size_t longer_pass = kNoPass) {
  constexpr std::int64_t kMoreRounds = 2;
  const Run more =
      RunCtas(gpu, kernel, ctas, gpu.sm.l1.latency_cycles, longer_pass, 1 + kMoreRounds);
  cost->instructions += more.counters.instructions;
  return (more.cycles - first_round.cycles) / static_cast<double>(kMoreRounds * ctas);
}

/// From the first instruction to the first pass, where the SM has the kernel's parameters.
double LaterStart(const GpuSpec& gpu, const GpuKernel& kernel) {
  IdealSmMemory memory(static_cast<std::uint64_t>(gpu.sm.l1.latency_cycles));
  SmCycle sm(gpu, nullptr, kernel, std::vector<std::int64_t>(kernel.passes.size(), 1), memory);
  sm.WarmInstructions();
  sm.WarmConstants();
  sm.Launch({}, 0);
  sm.Run();
  return static_cast<double>(sm.passes().front().begin);
}

/// How far the oldest CTA is preferred where all together ask for more than the pipes have.
double Precedence(double alone, double together, double oldest) {
  const double demand = together / alone;  // steps that the pipes do in the time of one
  if (demand <= 1.001 || oldest <= 0) return 1;
  const double fair = 1 / demand;
  return std::clamp((alone / oldest - fair) / (1 - fair), 0.0, 1.0);
}

/// Whether other CTAs come after those that an SM holds at first.
bool CtasFollow(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident) {
  return !kernel.persistent && kernel.grid.Ctas() > gpu.sms * co_resident;
}

/// What a step of each pass takes beside its loads where these come from the L2: every warp waits
/// for its own, and those of a CTA don't hold each other up as they do on short ways.
std::vector<double> ChainCycles(const GpuSpec& gpu, const GpuKernel& kernel, CtaCost* cost) {
  std::vector<double> cycles(kernel.passes.size(), 0);
  const std::int64_t latency = gpu.l2.near_latency_cycles;
  GpuSpec far = gpu;
  far.sm.l1.latency_cycles = latency;  // also where a step's lines are those of the step before
  const Run few = RunCtas(far, kernel, 1, latency);
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
    if (!ExposesLatency(kernel.passes[p])) continue;
    const Run longer = RunCtas(far, kernel, 1, latency, p);
    const double step = (longer.cycles - few.cycles) / kMoreSteps;
    cycles[p] = std::max(0.0, step - static_cast<double>(latency));
    cost->instructions += longer.counters.instructions;
  }
  return cycles;
}

/// Loads to registers are sent after a step has begun and stored before it ends: what of a step is
/// not between the two, where the memory is so slow that nothing else counts. Steps that load
/// several times wait for each part alone, which is less than for all of them at once: nothing
/// then.
double BesideLoads(const GpuSpec& gpu, const GpuKernel& kernel, std::size_t pass, double alone,
                   CtaCost* cost) {
  const auto latency = static_cast<std::int64_t>(2 * alone) + gpu.l2.near_latency_cycles;
  GpuSpec far = gpu;
  far.sm.l1.latency_cycles = latency;
  const Run few = RunCtas(far, kernel, 1, latency);
  const Run longer = RunCtas(far, kernel, 1, latency, pass);
  cost->instructions += few.counters.instructions + longer.counters.instructions;
  const double beside = (longer.cycles - few.cycles) / kMoreSteps - static_cast<double>(latency);
  return beside < alone ? std::max(0.0, beside) : 0;
}

CtaCost MeasurePasses(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident) {
  CtaCost cost;
  const Run one = RunCtas(gpu, kernel, 1, gpu.sm.l1.latency_cycles);
  cost.instructions = one.counters.instructions;
  const StepCosts steps_alone = MeasureSteps(gpu, kernel, 1, one, &cost);
  const std::vector<double>& alone = steps_alone.cycles;
  const std::vector<double> chains = ChainCycles(gpu, kernel, &cost);
  std::vector<double> together = alone, precedence(alone.size(), 1.0);
  double drain_interval = 0, drains = 0, scale = 1;
  bool whole = true;  ///< the kernel's own steps were run
  if (co_resident > 1) {
    const Run all = RunCtas(gpu, kernel, co_resident, gpu.sm.l1.latency_cycles);
    cost.instructions += all.counters.instructions;
    const StepCosts steps_together = MeasureSteps(gpu, kernel, co_resident, all, &cost);
    const double cta = CtaIntervalCycles(gpu, kernel, co_resident, all, &cost);
    // Loops that load ahead: where CTAs follow each other, as the last of a round run alone, longer
    // the more steps they have. (What waits for its loads is measured in step with the others.)
    together = steps_together.cycles;
    for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
      const double oldest =
          (steps_together.runs[p].oldest_end - all.oldest_end) / static_cast<double>(kMoreSteps);
      precedence[p] = Precedence(alone[p], steps_together.cycles[p], oldest);
      if (ExposesLatency(kernel.passes[p]) || !CtasFollow(gpu, kernel, co_resident)) continue;
      const double longer =
          CtaIntervalCycles(gpu, kernel, co_resident, steps_together.runs[p], &cost, p);
      // CTAs that change places make differences uncertain: no pipe does more than it can.
      together[p] = std::max(steps_together.pipe_cycles[p],
                             (longer - cta) * static_cast<double>(co_resident) / kMoreSteps);
    }
    double steps = 0;
    for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
      steps += static_cast<double>(FewSteps(kernel.passes[p])) * together[p] /
               static_cast<double>(co_resident);
      drains += one.drains[p];
      whole = whole && kernel.passes[p].steps <= FewSteps(kernel.passes[p]);
    }
    // What is more than the steps is for what comes after them. CTAs of few steps that are not in
    // the same place at the same time take less than those that were measured together.
    drain_interval = std::max(0.0, cta - steps);
    if (whole && steps > 0) scale = std::min(1.0, cta / steps);
  }
  cost.start_cycles = one.start;
  cost.later_start_cycles = LaterStart(gpu, kernel);
  cost.once = SmTraffic::Of(one.counters);
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
    const KernelPass& pass = kernel.passes[p];
    const auto latency = static_cast<double>(pass.peer_bytes > 0 ? gpu.sm.peer_latency_cycles
                                                                 : gpu.sm.l1.latency_cycles) +
                         static_cast<double>(pass.bulk ? gpu.sm.bulk_latency_cycles : 0);
    const bool loads = !pass.loads.empty() || pass.peer_bytes > 0;
    PassCost c;
    c.interval_cycles = std::min(scale * together[p] / static_cast<double>(co_resident), alone[p]);
    c.precedence = precedence[p];
    // The latency of the memory is the chip's: a ring of one exposes it in every step where warps
    // don't hide it from each other, a longer ring once.
    const bool exposes = ExposesLatency(pass);
    const double exposed = exposes ? std::min(latency, 0.8 * alone[p]) : 0;
    c.alone_cycles = std::max(alone[p] - exposed, c.interval_cycles);
    c.chain_cycles = exposes ? std::min(chains[p], c.alone_cycles) : c.alone_cycles;
    if (pass.through_registers && pass.Loads()) {
      c.beside_loads_cycles = BesideLoads(gpu, kernel, p, alone[p], &cost);
    }
    const double once = loads ? latency - (alone[p] - c.alone_cycles) : 0;
    const double steps = static_cast<double>(FewSteps(pass));
    double beside = one.passes[p] - steps * alone[p] - once;
    if (beside < 0 && p > 0 && !kernel.passes[p - 1].joins) {
      // Its first warps were at it while the last were in the pass before.
      PassCost& before = cost.passes.back();
      before.fill_cycles = std::max(0.0, before.fill_cycles + beside);
    }
    beside = std::max(0.0, beside);
    c.drain_cycles = std::min(one.drains[p], beside);
    c.fill_cycles = beside - c.drain_cycles;
    if (drains > 0) {
      c.drain_interval_cycles = std::min(drain_interval * one.drains[p] / drains, c.drain_cycles);
    }
    c.traffic = steps_alone.traffic[p];
    cost.once.Add(c.traffic, -steps);
    cost.passes.push_back(c);
  }
  return cost;
}

}  // namespace

CtaCost MeasureCta(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident) {
  if (kernel.stream_k_ctas == 0) return MeasurePasses(gpu, kernel, co_resident);
  // A tile's owner adds the sums that others store: none does both.
  GpuKernel owner = kernel, helper = kernel;
  owner.passes[StreamK::kStoreSums].steps = 0;
  helper.passes[StreamK::kAddSums].steps = helper.passes[StreamK::kResults].steps = 0;
  CtaCost cost = MeasurePasses(gpu, owner, co_resident);
  const CtaCost stores = MeasurePasses(gpu, helper, co_resident);
  cost.passes[StreamK::kStoreSums] = stores.passes[StreamK::kStoreSums];
  cost.instructions += stores.instructions;
  return cost;
}

SmTraffic TrafficOf(const GpuKernel& kernel, const CtaCost& cost) {
  const auto ctas = static_cast<double>(kernel.grid.Ctas());
  SmTraffic sum;
  sum.Add(cost.once, ctas);
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) {
    const KernelPass& pass = kernel.passes[p];
    const double parts = pass.split_steps ? static_cast<double>(kernel.grid.splits) : 1;
    sum.Add(cost.passes[p].traffic, ctas * static_cast<double>(pass.steps) / parts);
  }
  return sum;
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
                                     in.first_warp_only,
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
  for (const KernelPass& pass : kernel.passes) {
    key += "/" + std::to_string(pass.ring) + ":" + std::to_string(FewSteps(pass));
    for (const bool is : {pass.joins, pass.Loads(), pass.through_registers, pass.bulk})
      key += is ? "y" : "n";
  }
  key += CtasFollow(gpu, kernel, co_resident) ? "|follow" : "|once";
  key += "|" + std::to_string(gpu.l2.near_latency_cycles);
  return key;
}

}  // namespace siliscope
