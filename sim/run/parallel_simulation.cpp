// SPDX-License-Identifier: Apache-2.0
#include "sim/run/parallel_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <sstream>

#include "sim/config/host_loader.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/cluster_files.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/csv.h"
#include "sim/run/simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

bool IsExchange(const OperatorInfo& op) {
  return op.kind == "all_reduce" || op.kind == "all_gather";
}

SimulationRequest RankRequest(const ParallelRequest& request, const std::string& chip) {
  const std::vector<std::string> chips = ListMachines();
  if (std::find(chips.begin(), chips.end(), chip) == chips.end()) {
    throw UserError(request.system + ": its chip, " + chip +
                    ", has links here but no model of its compute; collectives run on it");
  }
  SimulationRequest rank;
  rank.system = chip;
  WorkloadRequest workload = request.workload;
  workload.tensor_parallel = request.plan.tensor;
  rank.work = workload;
  rank.host = request.host;
  return rank;
}

/// Times of a rank's operators, a line each, after the whole.
std::string RankTimes(const SimulationRequest& rank) {
  const SimulationResult result = Simulate(rank);
  std::string text = std::to_string(result.record.total) + "\n";
  for (const OperatorRecord& op : result.record.operators) {
    text += std::to_string(op.exclusive) + "\n";
  }
  return text;
}

using Exchange = std::pair<std::string, std::int64_t>;  ///< operation, bytes

/// What a rank keeps: its part of the weights, and all else.
void AddMemory(const Program& program, ParallelResult* result) {
  result->weight_bytes = program.weight_bytes;
  result->memory_bytes = program.memory_bytes;
}

}  // namespace

ParallelPlan ParseParallelPlan(const std::string& text, std::int64_t chips) {
  ParallelPlan plan;
  std::stringstream words(text);
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (key != "tp") {
      throw UserError("--parallel " + word + ": not a way to divide a network" +
                      Suggestion(key, {"tp"}));
    }
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), plan.tensor);
    if (error != std::errc() || end != value.data() + value.size() || plan.tensor < 1) {
      throw UserError("--parallel " + word + ": not a whole number from 1 on, such as tp=8");
    }
  }
  if (plan.tensor > chips) {
    throw UserError(fmt::format("--parallel {}: {} ranks on {} chips", text, plan.tensor, chips));
  }
  return plan;
}

ParallelResult SimulateParallel(const ParallelRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  ParallelResult result;
  result.cluster = LoadCluster(request.system, request.overrides);
  result.plan = request.plan;
  const SimulationRequest rank = RankRequest(request, result.cluster.chip);
  const MachineSpec machine = MachineOf(rank);
  const Program program = CompileRequest(rank, machine);
  std::map<Exchange, double> exchanges;
  for (const OperatorInfo& op : program.operators) {
    if (IsExchange(op)) exchanges[{op.kind, op.output_bytes}] = 0;
  }
  std::vector<Exchange> distinct;
  for (const auto& [exchange, us] : exchanges) distinct.push_back(exchange);
  const auto jobs = RunJobs(
      1 + distinct.size(),
      [&](std::size_t i) {
        if (i == 0) return RankTimes(rank);
        ClusterRequest exchange;
        exchange.system = request.system;
        exchange.overrides = request.overrides;
        exchange.collective.op = distinct[i - 1].first;
        exchange.collective.bytes = distinct[i - 1].second;
        exchange.collective.ranks = request.plan.tensor;
        return std::to_string(SimulateCluster(exchange).record.total);
      },
      [](std::size_t) {});
  for (const JobResult& job : jobs) {
    if (job.exit_code != 0) throw Error(static_cast<ExitCode>(job.exit_code), job.output);
  }
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    exchanges[distinct[i]] = ToMicroseconds(std::stoull(jobs[i + 1].output));
  }
  // A framework's call takes the place of the launch from a stream.
  double eager_us = 0;
  if (!request.host.empty()) {
    const double call_s = LoadHost(request.host).DispatchSeconds("all_reduce", "all_reduce");
    eager_us = std::max(0.0, call_s - result.cluster.times.launch_s) * 1e6;
  }
  std::istringstream times(jobs.front().output);
  Tick total = 0, exclusive = 0;
  times >> total;
  result.compute_us = ToMicroseconds(total);
  for (const OperatorInfo& op : program.operators) {
    times >> exclusive;
    ParallelOperator row{op.name, op.kind, op.shape, op.mapping, ToMicroseconds(exclusive), 0};
    if (IsExchange(op)) {
      row.exchanged_bytes = op.output_bytes;
      row.time_us = exchanges[{op.kind, op.output_bytes}] + eager_us;
      row.mapping = fmt::format("{} ranks", request.plan.tensor);
      result.communication_us += row.time_us;
    }
    result.operators.push_back(std::move(row));
  }
  result.workload = program.workload;
  result.batch = program.batch;
  result.dtype = program.dtype;
  result.time_us = result.compute_us + result.communication_us;
  result.nominal_flops = program.NominalFlops() * static_cast<double>(request.plan.tensor);
  result.peak_operations_per_s =
      PeakOperations(machine, program.dtype) * static_cast<double>(request.plan.tensor);
  result.capacity_bytes = machine.memory.capacity_bytes;
  AddMemory(program, &result);
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

nlohmann::ordered_json ParallelSummaryJson(const ParallelResult& r) {
  nlohmann::ordered_json json;
  json["workload"] = r.workload;
  json["system"] = r.cluster.name;
  json["kind"] = "cluster";
  json["chip"] = r.cluster.chip;
  json["chips"] = r.plan.tensor;
  json["tensor_parallel"] = r.plan.tensor;
  json["batch"] = r.batch;
  json["dtype"] = r.dtype;
  json["time_us"] = r.time_us;
  json["compute_us"] = r.compute_us;
  json["communication_us"] = r.communication_us;
  json["nominal_flops"] = r.nominal_flops;
  json["nominal_tops"] = r.nominal_flops / r.time_us / 1e6;
  json["peak_tops"] = r.peak_operations_per_s / 1e12;
  json["compute_util_pct"] = 100 * r.nominal_flops / (r.time_us * 1e-6) / r.peak_operations_per_s;
  json["weight_bytes_per_rank"] = r.weight_bytes;
  json["other_bytes_per_rank"] = r.memory_bytes - r.weight_bytes;
  json["memory_bytes_per_rank"] = r.memory_bytes;
  json["capacity_bytes_per_chip"] = r.capacity_bytes;
  return json;
}

void WriteParallelFiles(const OutputFolder& out, const ParallelResult& r,
                        const std::string& command) {
  out.Write("summary.json", ParallelSummaryJson(r).dump(2) + "\n");
  std::string csv = CsvLine({"name", "kind", "shape", "mapping", "time_us", "exchanged_bytes"});
  for (const ParallelOperator& op : r.operators) {
    csv += CsvLine({op.name, op.kind, op.shape, op.mapping, NumberText(op.time_us),
                    std::to_string(op.exchanged_bytes)});
  }
  out.Write("operators.csv", csv);
  out.Write("run.yaml", ClusterRunYaml(r.cluster, r.workload, command));
}

}  // namespace siliscope
