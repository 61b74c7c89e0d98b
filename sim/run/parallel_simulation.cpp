// SPDX-License-Identifier: Apache-2.0
#include "sim/run/parallel_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <sstream>
#include <utility>

#include "sim/config/host_loader.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/exchange_matching.h"
#include "sim/run/simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

bool IsExchange(const OperatorInfo& op) {
  return op.kind == "all_reduce" || op.kind == "all_gather" || op.kind == "reduce_scatter" ||
         op.kind == "all_to_all";
}

/// As nccl-tests count them: of the whole, which is what goes in or what comes out.
std::int64_t ExchangedBytes(const OperatorInfo& op) {
  return std::max(op.input_bytes, op.output_bytes);
}

SimulationRequest StageRequest(const ParallelRequest& request, const std::string& chip,
                               std::int64_t stage) {
  const ParallelPlan& plan = request.plan;
  SimulationRequest rank;
  rank.system = chip;
  WorkloadRequest workload = request.workload;
  workload.division = {plan.tensor, plan.sequence, plan.experts, stage, plan.stages};
  const std::int64_t parts = plan.experts * plan.microbatches;
  if (parts > 1) {
    if (workload.batch < parts || workload.batch % parts != 0) {
      const std::string given =
          workload.batch > 0 ? fmt::format("--batch {}", workload.batch) : "without --batch: 1 is";
      throw UserError(fmt::format(
          "{}{} no multiple of {} groups of experts x {} micro-batches; each takes other inputs",
          given, workload.batch > 0 ? ":" : "", plan.experts, plan.microbatches));
    }
    workload.batch /= parts;
  }
  rank.work = workload;
  rank.host = request.host;
  rank.autotune = request.autotune;
  if (!request.lock_clock.empty()) rank.overrides.emplace_back("lock_clock", request.lock_clock);
  return rank;
}

/// Layers that follow each other and do the same: `length` operators, `count` times.
struct Repetition {
  std::size_t first = 0, length = 0, count = 0;

  /// All but the first two.
  std::pair<std::size_t, std::size_t> Rest() const {
    if (count < 3) return {0, 0};
    return {first + 2 * length, first + count * length};
  }
};

/// The repetition that leaves the most operators out.
Repetition FindRepetition(const Program& program) {
  std::map<std::string, std::size_t> number;
  std::vector<std::size_t> kinds;
  for (const OperatorInfo& op : program.operators) {
    const std::string text = op.kind + "|" + op.call + "|" + op.shape + "|" + op.mapping;
    kinds.push_back(number.emplace(text, number.size()).first->second);
  }
  Repetition best;
  constexpr std::size_t kLeast = 4, kMost = 256;  // operators of a layer
  for (std::size_t length = kLeast; length <= std::min(kMost, kinds.size() / 3); ++length) {
    for (std::size_t first = 0; first + length < kinds.size();) {
      std::size_t alike = 0;
      while (first + alike + length < kinds.size() &&
             kinds[first + alike] == kinds[first + alike + length]) {
        ++alike;
      }
      const Repetition found{first, length, alike / length + 1};
      if (found.count >= 3 && found.count * length > best.count * best.length) best = found;
      first += alike + 1;
    }
  }
  return best;
}

/// Picoseconds of a rank's operators, a line each. Of layers alike two are simulated; the others
/// take as long as the second, which finds in the caches what a layer left there.
std::string StageTimes(SimulationRequest rank, const Program& program) {
  const Repetition layers = program.gpu.launches.empty() ? Repetition{} : FindRepetition(program);
  const auto [begin, end] = rank.left_out = layers.Rest();
  const SimulationResult result = Simulate(rank);
  std::string text;
  for (std::size_t op = 0; op < result.record.operators.size(); ++op) {
    std::size_t like = op;
    if (op >= begin && op < end) {
      like = layers.first + layers.length + (op - layers.first) % layers.length;
    }
    text += std::to_string(result.record.operators[like].exclusive) + "\n";
  }
  return text;
}

std::string Bytes(std::int64_t bytes) { return Engineering(static_cast<double>(bytes), "B"); }

/// A clear answer where a stage needs more than a chip has.
void CheckMemory(const ParallelResult& r) {
  for (std::size_t s = 0; s < r.memory.size(); ++s) {
    const MemoryUse& m = r.memory[s];
    const std::int64_t needed = m.total();
    if (r.capacity_bytes == 0 || needed <= r.capacity_bytes) continue;
    const double times = static_cast<double>(m.weight_bytes + m.cache_bytes) /
                         static_cast<double>(std::max<std::int64_t>(
                             1, r.capacity_bytes - m.activation_bytes - m.workspace_bytes));
    const std::string fits =
        m.activation_bytes + m.workspace_bytes >= r.capacity_bytes
            ? "a smaller --batch or --seq, or more micro-batches"
            : fmt::format(
                  "{:.0f} times as many ranks of tp or pp, a narrower --dtype, or chips "
                  "with more memory",
                  std::ceil(times));
    throw DoesNotFit(fmt::format(
        "{} with {} does not fit {}: a rank of stage {} needs {} of {}, so {} are missing; weights "
        "{}, caches {}, activations {}, workspace {}; what would fit: {}",
        r.workload, PlanText(r.plan), r.cluster.name, s, Bytes(needed), Bytes(r.capacity_bytes),
        Bytes(needed - r.capacity_bytes), Bytes(m.weight_bytes), Bytes(m.cache_bytes),
        Bytes(m.activation_bytes), Bytes(m.workspace_bytes), fits));
  }
}

struct Stages {
  std::vector<SimulationRequest> requests;
  std::vector<Program> programs;
};

Stages CompileStages(const ParallelRequest& request, MachineSpec machine, ParallelResult* result) {
  result->capacity_bytes = machine.memory.capacity_bytes;
  machine.memory.capacity_bytes = 0;  // all stages are judged together
  Stages stages;
  const ParallelPlan& plan = request.plan;
  for (std::int64_t s = 0; s < plan.stages; ++s) {
    stages.requests.push_back(StageRequest(request, result->cluster.chip, s));
    stages.programs.push_back(CompileRequest(stages.requests.back(), machine));
    const Program& program = stages.programs.back();
    MemoryUse memory = program.memory;
    memory.cache_bytes *= plan.microbatches;
    memory.workspace_bytes =
        std::max<std::int64_t>(0, program.memory_bytes - program.memory.total());
    result->memory.push_back(memory);
    result->nominal_flops =
        program.undivided_flops * static_cast<double>(plan.experts * plan.microbatches);
  }
  result->workload = stages.programs.front().workload;
  result->batch = stages.programs.front().batch * plan.experts * plan.microbatches;
  result->dtype = stages.programs.front().dtype;
  result->peak_operations_per_s =
      PeakOperations(machine, result->dtype) * static_cast<double>(plan.ranks());
  CheckMemory(*result);
  return stages;
}

/// What a stage's operators take, alone on their chip.
std::vector<StageWork> SimulateStages(const Stages& stages) {
  std::map<std::string, std::size_t> job_of;  // stages alike are simulated once
  std::vector<std::size_t> distinct;
  for (std::size_t s = 0; s < stages.programs.size(); ++s) {
    if (job_of.emplace(stages.programs[s].work_hash, distinct.size()).second) distinct.push_back(s);
  }
  const auto jobs = RunJobs(
      distinct.size(),
      [&](std::size_t i) {
        return StageTimes(stages.requests[distinct[i]], stages.programs[distinct[i]]);
      },
      [](std::size_t) {});
  for (const JobResult& job : jobs) {
    if (job.exit_code != 0) throw Error(static_cast<ExitCode>(job.exit_code), job.output);
  }
  std::vector<StageWork> works;
  for (std::size_t s = 0; s < stages.programs.size(); ++s) {
    std::istringstream times(jobs[job_of.at(stages.programs[s].work_hash)].output);
    StageWork work;
    for (const OperatorInfo& op : stages.programs[s].operators) {
      StageStep step;
      step.name = op.name;
      times >> step.duration;
      step.operations = op.nominal_flops;
      step.bytes = op.weight_bytes + op.input_bytes + op.output_bytes;
      if (IsExchange(op)) {
        step.exchange = op.kind;
        step.bytes = ExchangedBytes(op);
      }
      work.steps.push_back(std::move(step));
    }
    work.sent_bytes = stages.programs[s].memory.output_bytes;
    works.push_back(std::move(work));
  }
  return works;
}

/// Times of each operator: of a computation as simulated alone, of an exchange the mean over the
/// ranks and micro-batches of its stage.
void AddOperators(const Stages& stages, const std::vector<StageWork>& works,
                  ParallelResult* result) {
  const ParallelPlan& plan = result->plan;
  std::vector<std::vector<double>> sums;
  std::vector<std::vector<std::int64_t>> counts;
  for (const StageWork& work : works) {
    sums.emplace_back(work.steps.size(), 0);
    counts.emplace_back(work.steps.size(), 0);
  }
  std::vector<std::size_t> at(static_cast<std::size_t>(plan.ranks()), 0);
  for (std::size_t n = 0; n < result->graph.nodes.size(); ++n) {
    const ExecutionNode& node = result->graph.nodes[n];
    if (node.kind == ExecutionKind::kSend || node.kind == ExecutionKind::kReceive) continue;
    const auto stage = static_cast<std::size_t>(node.rank / (plan.tensor * plan.experts));
    std::size_t& step = at[static_cast<std::size_t>(node.rank)];
    const NodeTimes& t = result->record.nodes[n];
    sums[stage][step] += ToMicroseconds(t.end - t.begin);
    ++counts[stage][step];
    step = (step + 1) % works[stage].steps.size();
  }
  for (std::size_t s = 0; s < works.size(); ++s) {
    for (std::size_t i = 0; i < works[s].steps.size(); ++i) {
      const OperatorInfo& op = stages.programs[s].operators[i];
      ParallelOperator row;
      row.stage = static_cast<std::int64_t>(s);
      row.name = op.name;
      row.kind = op.kind;
      row.shape = op.shape;
      row.mapping = op.mapping;
      row.time_us = sums[s][i] / static_cast<double>(std::max<std::int64_t>(1, counts[s][i]));
      if (IsExchange(op)) {
        row.exchanged_bytes = ExchangedBytes(op);
        row.mapping = fmt::format("{} ranks", op.kind == "all_to_all" ? plan.experts : plan.tensor);
      }
      result->operators.push_back(std::move(row));
    }
  }
}

}  // namespace

ParallelResult SimulateParallel(const ParallelRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  ParallelResult result;
  result.cluster = LoadCluster(request.system, request.overrides);
  result.plan = request.plan;
  const std::vector<std::string> chips = ListMachines();
  if (std::find(chips.begin(), chips.end(), result.cluster.chip) == chips.end()) {
    throw UserError(request.system + ": its chip, " + result.cluster.chip +
                    ", has links here but no model of its compute; collectives run on it");
  }
  if (request.workload.host_copies && request.plan.stages > 1) {
    throw UserError("--host-copies: not with pp; only the first and the last stage meet the host");
  }
  const MachineSpec machine = MachineOf(StageRequest(request, result.cluster.chip, 0));
  const Stages stages = CompileStages(request, machine, &result);
  const std::vector<StageWork> works = SimulateStages(stages);
  // A framework's call takes the place of the launch from a stream.
  double call_s = 0;
  if (!request.host.empty()) {
    const double eager_s = LoadHost(request.host).DispatchSeconds("all_reduce", "all_reduce");
    call_s = std::max(0.0, eager_s - result.cluster.times.launch_s);
  }
  result.graph =
      ScheduleStages(request.plan, works, static_cast<Tick>(std::llround(call_s * 1e12)));
  result.graph.workload = result.workload;
  MatchExchanges(result.cluster, request.system, &result.graph);
  const auto model =
      ClusterModelRegistry::Instance().Get("model of links", "network")(result.cluster);
  result.record = model->Run(result.graph, {});
  AddOperators(stages, works, &result);
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace siliscope
