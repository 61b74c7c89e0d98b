// SPDX-License-Identifier: Apache-2.0
#include "sim/run/overlap_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "sim/core/error.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/csv.h"
#include "sim/run/exchange_matching.h"
#include "sim/run/execution_files.h"
#include "sim/run/simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

constexpr const char* kUnits = "sms";

std::int64_t RanksOf(const CollectiveRequest& c, const ClusterSpec& cluster) {
  return c.ranks == 0 ? cluster.topology.chips : c.ranks;
}

/// Nodes of every rank: operators in one stream, each collective in one of its own.
ExecutionGraph GraphOf(const OverlapRequest& request, const ClusterSpec& cluster) {
  ExecutionGraph graph;
  graph.workload = "operators beside collectives";
  for (const CollectiveRequest& c : request.collectives) {
    const std::int64_t ranks = RanksOf(c, cluster);
    if (ranks < 2 || ranks > cluster.topology.chips) {
      throw UserError(fmt::format("ranks: {} of {}: from 2 to its {} chips", ranks, cluster.name,
                                  cluster.topology.chips));
    }
    if (c.late_rank >= 0 || !c.protocol.empty() || c.op == "copy" ||
        c.algorithm == "hierarchical") {
      throw UserError("an operator beside " + c.op +
                      ": collectives with bytes, ranks and algo only, not hierarchical ones");
    }
    graph.ranks = std::max(graph.ranks, static_cast<std::int32_t>(ranks));
    graph.groups.emplace_back();
    for (std::int32_t r = 0; r < ranks; ++r) graph.groups.back().push_back(r);
  }
  for (std::int32_t rank = 0; rank < graph.ranks; ++rank) {
    for (const OperatorRequest& op : request.operators) {
      ExecutionNode node;
      node.name = op.op;
      node.rank = rank;
      graph.nodes.push_back(std::move(node));
    }
    for (std::size_t c = 0; c < request.collectives.size(); ++c) {
      const CollectiveRequest& collective = request.collectives[c];
      if (rank >= RanksOf(collective, cluster)) continue;
      ExecutionNode node;
      node.name = node.op = collective.op;
      node.kind = ExecutionKind::kCollective;
      node.algorithm = collective.algorithm;
      node.bytes = collective.bytes;
      node.rank = rank;
      node.group = static_cast<std::int32_t>(c);
      node.stream = static_cast<std::int32_t>(c) + 1;
      graph.nodes.push_back(std::move(node));
    }
  }
  return graph;
}

/// What collectives take from an operator while they run.
struct Taken {
  std::int64_t units = 0;  ///< SMs that their channels hold
  GpuNeighbourSpec memory;
};

/// Bytes that the channels of a rank move in its memory, of all ranks the mean. What comes lands in
/// the L2 and is read from there; as channels go round buffers that are larger than an L2, it is
/// written back. With it an operand is read or a result written, half of each. What is sent first
/// is read.
struct MemoryBytes {
  double read = 0, written = 0;
};

MemoryBytes BytesInMemory(const LinkProgram& program, std::size_t ranks) {
  MemoryBytes sum;
  for (const Lane& lane : program.lanes) {
    for (const Primitive& p : program.sequences[static_cast<std::size_t>(lane.sequence)]) {
      const double bytes = static_cast<double>(p.bytes) * p.repeat / static_cast<double>(ranks);
      sum.read += p.receives ? 0.5 * bytes : bytes;
      sum.written += p.receives ? 1.5 * bytes : p.sends ? 0 : bytes;
    }
  }
  return sum;
}

/// By growing number of SMs: each collective by itself, and all. As they share the links, all
/// together move their bytes in the sum of their times.
std::vector<Taken> TakenBy(const ExecutionGraph& graph, const std::vector<double>& alone_us) {
  std::map<std::int64_t, Taken> taken;
  std::int64_t units = 0;
  MemoryBytes all;
  double seconds = 0;
  std::size_t collective = 0;
  for (const ExecutionNode& node : graph.nodes) {
    if (node.rank != 0 || node.exchange < 0) continue;
    const auto& exchange = graph.exchanges[static_cast<std::size_t>(node.exchange)];
    const LinkProgram& program = graph.programs[static_cast<std::size_t>(exchange.program)];
    const MemoryBytes bytes = BytesInMemory(program, graph.groups[collective].size());
    const double alone_s = alone_us[collective++] * 1e-6;
    taken[program.channels] = {program.channels, {bytes.read / alone_s, bytes.written / alone_s}};
    units += program.channels;
    all.read += bytes.read;
    all.written += bytes.written;
    seconds += alone_s;
  }
  taken[units] = {units, {all.read / seconds, all.written / seconds}};
  std::vector<Taken> list;
  for (const auto& [number, one] : taken) list.push_back(one);
  return list;
}

/// Picoseconds of each operator, on a chip with so many SMs less and so much traffic in its memory:
/// operator after operator, each with all of the chip, then with less and less.
std::vector<Tick> OperatorTimes(const OverlapRequest& request, const std::string& chip,
                                std::int64_t units, const std::vector<Taken>& taken) {
  const std::size_t each = taken.size() + 1;
  const auto jobs = RunJobs(
      request.operators.size() * each,
      [&](std::size_t job) {
        SimulationRequest alone;
        alone.system = chip;
        alone.work = request.operators[job / each];
        if (job % each > 0) {
          const Taken& less = taken[job % each - 1];
          const auto rate = [](double bytes_per_s) {
            return fmt::format("{:.0f} B/s", bytes_per_s);
          };
          alone.overrides.emplace_back(kUnits, std::to_string(units - less.units));
          alone.overrides.emplace_back("neighbour.read", rate(less.memory.read_bytes_per_s));
          alone.overrides.emplace_back("neighbour.write", rate(less.memory.write_bytes_per_s));
        }
        return std::to_string(Simulate(alone).record.total);
      },
      [](std::size_t) {});
  std::vector<Tick> times;
  for (const JobResult& job : jobs) {
    if (job.exit_code != 0) throw Error(static_cast<ExitCode>(job.exit_code), job.output);
    times.push_back(std::stoull(job.output));
  }
  return times;
}

/// Microseconds of each collective that has the links to itself.
std::vector<double> CollectivesAlone(const OverlapRequest& request) {
  const auto jobs = RunJobs(
      request.collectives.size(),
      [&](std::size_t c) {
        ClusterRequest alone;
        alone.system = request.system;
        alone.overrides = request.overrides;
        alone.collective = request.collectives[c];
        return std::to_string(SimulateCluster(alone).record.total);
      },
      [](std::size_t) {});
  std::vector<double> times;
  for (const JobResult& job : jobs) {
    if (job.exit_code != 0) throw Error(static_cast<ExitCode>(job.exit_code), job.output);
    times.push_back(ToMicroseconds(std::stoull(job.output)));
  }
  return times;
}

}  // namespace

bool IsCollective(const std::string& op) {
  const std::vector<std::string> names =
      CompilerRegistry::Instance().Get("compiler", "network")()->ListCollectives();
  return std::find(names.begin(), names.end(), op) != names.end();
}

OverlapResult SimulateOverlap(const OverlapRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  OverlapResult result;
  result.cluster = LoadCluster(request.system, request.overrides);
  SimulationRequest chip;
  chip.system = result.cluster.chip;
  const std::vector<std::string> chips = ListMachines();
  const bool known = std::find(chips.begin(), chips.end(), chip.system) != chips.end();
  const MachineSpec machine = known ? MachineOf(chip) : MachineSpec{};
  if (machine.kind != "gpu") {
    throw UserError(result.cluster.chip + " of " + result.cluster.name +
                    ": operators beside collectives run on GPUs, whose SMs both need");
  }
  result.units = machine.gpu.sms;
  result.graph = GraphOf(request, result.cluster);
  MatchExchanges(result.cluster, request.system, &result.graph);
  const std::vector<double> alone = CollectivesAlone(request);
  const std::vector<Taken> taken = TakenBy(result.graph, alone);
  if (taken.back().units >= result.units) {
    throw UserError(fmt::format("{} channels on {} SMs: nothing is left for an operator",
                                taken.back().units, result.units));
  }
  const std::vector<Tick> times = OperatorTimes(request, result.cluster.chip, result.units, taken);
  const std::size_t each = taken.size() + 1;
  std::vector<std::size_t> next(static_cast<std::size_t>(result.graph.ranks), 0);
  for (ExecutionNode& node : result.graph.nodes) {
    if (node.kind != ExecutionKind::kCompute) continue;
    const std::size_t op = next[static_cast<std::size_t>(node.rank)]++;
    node.duration = times[op * each];
    for (std::size_t t = 0; t < taken.size(); ++t) {
      node.beside.push_back({taken[t].units, times[op * each + t + 1]});
    }
  }
  const auto model =
      ClusterModelRegistry::Instance().Get("model of links", "network")(result.cluster);
  result.record = model->Run(result.graph, {});
  std::size_t op = 0, collective = 0;
  std::vector<std::size_t> parts_of(static_cast<std::size_t>(result.graph.ranks), 0);
  for (std::size_t n = 0; n < result.graph.nodes.size(); ++n) {
    const ExecutionNode& node = result.graph.nodes[n];
    const std::size_t number = parts_of[static_cast<std::size_t>(node.rank)]++;
    const double us = ToMicroseconds(result.record.nodes[n].end - result.record.nodes[n].begin);
    if (node.rank != 0) {  // the last rank's time counts
      if (number < result.parts.size()) {
        double& beside = result.parts[number].beside_us;
        beside = std::max(beside, us);
      }
      continue;
    }
    OverlapPart part;
    part.name = node.name;
    part.beside_us = us;
    if (node.kind == ExecutionKind::kCompute) {
      part.alone_us = ToMicroseconds(times[op++ * each]);
    } else {
      part.alone_us = alone[collective++];
      const auto& exchange = result.graph.exchanges[static_cast<std::size_t>(node.exchange)];
      part.channels = result.graph.programs[static_cast<std::size_t>(exchange.program)].channels;
    }
    result.parts.push_back(std::move(part));
  }
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void WriteOverlapFiles(const OutputFolder& out, const OverlapResult& r,
                       const std::string& command) {
  nlohmann::ordered_json json;
  json["workload"] = r.graph.workload;
  json["system"] = r.cluster.name;
  json["kind"] = "cluster";
  json["chip"] = r.cluster.chip;
  json["chips"] = r.graph.ranks;
  json["time_us"] = ToMicroseconds(r.record.total);
  json.update(RankTimesJson(r.record));
  json["parts"] = nlohmann::ordered_json::array();
  for (const OverlapPart& part : r.parts) {
    nlohmann::ordered_json one;
    one["name"] = part.name;
    one["alone_us"] = part.alone_us;
    one["beside_us"] = part.beside_us;
    one["channels"] = part.channels;
    json["parts"].push_back(std::move(one));
  }
  out.Write("summary.json", json.dump(2) + "\n");
  WriteRankFiles(out, r.cluster, r.graph, r.record, command);
}

}  // namespace siliscope
