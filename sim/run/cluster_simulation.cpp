// SPDX-License-Identifier: Apache-2.0
#include "sim/run/cluster_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/core/quantity.h"
#include "sim/run/collective_phases.h"
#include "sim/run/exchange_matching.h"
#include "sim/run/ideal_cluster.h"

namespace siliscope {
namespace {

std::int64_t WholeNumber(const std::string& key, const std::string& text, std::int64_t low,
                         std::int64_t high) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw UserError("shape: " + key + "=" + text + " is not a whole number from " +
                    std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

}  // namespace

CollectiveRequest ParseCollective(const std::string& op,
                                  const std::map<std::string, std::string>& shape) {
  CollectiveRequest request;
  request.op = op;
  std::vector<std::string> known = {"bytes",    "ranks",     "per_node", "algo",
                                    "protocol", "late_rank", "late",     "weight"};
  if (op == "copy") known = {"bytes", "from", "to"};
  if (op == "barrier") known.erase(known.begin());  // it moves no data
  for (const auto& [key, value] : shape) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw UserError("shape: " + key + ": unknown key" + Suggestion(key, known));
    }
    if (key == "bytes") {
      const bool plain = value.find_first_not_of("0123456789") == std::string::npos;
      constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
      const double parsed = plain ? 1 : ParseQuantity(value, Dimension::kBytes);
      if (parsed < 1 || parsed > static_cast<double>(kMostBytes)) {
        throw UserError("shape: bytes=" + value + ": from 1 B to 1 TiB");
      }
      request.bytes =
          plain ? WholeNumber(key, value, 1, kMostBytes) : static_cast<std::int64_t>(parsed);
    } else if (key == "ranks") {
      request.ranks = WholeNumber(key, value, 2, 1 << 20);
    } else if (key == "per_node") {
      request.per_node = WholeNumber(key, value, 1, 1 << 20);
    } else if (key == "weight") {
      constexpr std::int64_t kMostWeight = 16;  // bursts of light traffic would wait too long
      request.weight = WholeNumber(key, value, 1, kMostWeight);
    } else if (key == "algo") {
      request.algorithm = value;
    } else if (key == "protocol") {
      request.protocol = value;
    } else if (key == "late_rank") {
      request.late_rank = WholeNumber(key, value, 0, 1 << 20);
    } else if (key == "late") {
      request.late_s = ParseQuantity(value, Dimension::kTime);
    } else {
      (key == "from" ? request.from : request.to) = value;
    }
  }
  if ((request.late_rank >= 0) != (request.late_s > 0)) {
    throw UserError("shape: late_rank and late go together, such as late_rank=3;late=20us");
  }
  if (op == "barrier") request.bytes = std::max<std::int64_t>(1, request.bytes);
  if (request.bytes < 1)
    throw UserError("shape: bytes: this key is missing, such as bytes=1048576");
  return request;
}

namespace {

/// Links share what they carry by weights where one collective has one; others count as 1.
void SetWeights(const ClusterRequest& request, LinkProgram* program) {
  bool any = request.collective.weight > 0;
  for (const CollectiveRequest& c : request.beside) any = any || c.weight > 0;
  if (!any) return;
  if (request.beside.size() >= kMostTrafficClasses) {
    throw UserError(
        fmt::format("weight: at most {} collectives share links by weights", kMostTrafficClasses));
  }
  for (TransferProtocol& p : program->protocols) {
    const std::size_t c = p.traffic_class;
    const std::int64_t weight = c == 0 ? request.collective.weight : request.beside[c - 1].weight;
    p.weight = static_cast<float>(std::max<std::int64_t>(1, weight));
  }
}

/// Another program's lanes, beside those of the first.
void AddBeside(const LinkProgram& other, LinkProgram* program) {
  const auto lanes = static_cast<std::int32_t>(program->lanes.size());
  const auto protocols = static_cast<std::int32_t>(program->protocols.size());
  const auto sequences = static_cast<std::int32_t>(program->sequences.size());
  const auto routes = static_cast<std::int32_t>(program->routes.size());
  const auto moved = [](std::int32_t index, std::int32_t by) {
    return index < 0 ? index : index + by;
  };
  for (Lane lane : other.lanes) {
    lane.protocol += protocols;
    lane.sequence += sequences;
    lane.route = moved(lane.route, routes);
    lane.second_route = moved(lane.second_route, routes);
    lane.second_to = moved(lane.second_to, lanes);
    lane.second_from = moved(lane.second_from, lanes);
    lane.to = moved(lane.to, lanes);
    lane.from = moved(lane.from, lanes);
    lane.after = moved(lane.after, lanes);
    program->lanes.push_back(lane);
  }
  const auto append = [](const auto& from, auto* to) {
    to->insert(to->end(), from.begin(), from.end());
  };
  append(other.protocols, &program->protocols);
  const auto own =
      static_cast<std::uint8_t>(std::min(program->first_lanes.size(), kMostTrafficClasses - 1));
  for (auto p = static_cast<std::size_t>(protocols); p < program->protocols.size(); ++p) {
    program->protocols[p].traffic_class = own;
  }
  append(other.sequences, &program->sequences);
  program->turns.resize(program->routes.size());
  append(other.routes, &program->routes);
  for (std::vector<std::int32_t> turns : other.turns) {
    for (std::int32_t& route : turns) route += routes;
    program->turns.push_back(std::move(turns));
  }
  program->first_lanes.push_back(lanes);
}

}  // namespace

namespace {

/// The chips of a node and then the nodes, or the dimensions of a torus.
std::vector<std::int64_t> DimensionsOf(const ClusterSpec& cluster, std::int64_t ranks) {
  const Topology& t = cluster.topology;
  if (!t.torus.empty() && ranks == t.chips) return t.torus;
  const std::int64_t of_node = std::min(ranks, t.chips_of_node > 0 ? t.chips_of_node : t.chips);
  if (ranks % of_node != 0) {
    throw UserError(cluster.name + ": algo=hierarchical: " + std::to_string(ranks) +
                    " ranks are no whole nodes of " + std::to_string(of_node));
  }
  return {of_node, ranks / of_node};
}

void SimulateHierarchical(const ClusterRequest& request, ClusterResult* result) {
  const CollectiveRequest& c = request.collective;
  if (!request.beside.empty() || c.late_rank >= 0 || !c.protocol.empty()) {
    throw UserError(result->cluster.name + ": " + c.op +
                    " goes dimension by dimension (algo=hierarchical): it runs alone, without "
                    "protocol or late_rank");
  }
  ExecutionGraph graph;
  const std::int64_t chips = result->cluster.topology.chips;
  const std::int64_t ranks = c.ranks == 0 ? chips : c.ranks;
  if (ranks < 2 || ranks > chips) {
    throw UserError("ranks: " + std::to_string(ranks) + " of " + result->cluster.name +
                    ": from 2 to its " + std::to_string(chips) + " chips");
  }
  graph.ranks = static_cast<std::int32_t>(ranks);
  graph.groups.emplace_back();
  for (std::int32_t rank = 0; rank < graph.ranks; ++rank) graph.groups.front().push_back(rank);
  for (std::int32_t rank = 0; rank < graph.ranks; ++rank) {
    ExecutionNode node;
    node.name = node.op = c.op;
    node.kind = ExecutionKind::kCollective;
    node.rank = rank;
    node.bytes = c.bytes;
    node.group = 0;
    graph.nodes.push_back(std::move(node));
  }
  CollectivePhases phases = result->cluster.phases;
  if (phases.dimensions.empty()) {
    phases.dimensions = DimensionsOf(result->cluster, ranks);
    const bool one = std::count(phases.dimensions.begin(), phases.dimensions.end(), ranks) > 0;
    if (one) phases.parts = 1;  // there is nothing that they could overlap with
  }
  DivideIntoPhases(phases, c.op, &graph);
  MatchExchanges(result->cluster, c.op, &graph);
  const auto model =
      ClusterModelRegistry::Instance().Get("model of links", "network")(result->cluster);
  ExecutionRecord record = model->Run(graph, request.options);
  LinkProgram& program = result->program;
  program.operation = c.op;
  program.algorithm = "hierarchical";
  program.protocol_name = "of each phase";
  program.bytes = c.bytes;
  program.ranks = program.ranks_played = ranks;
  program.first_lanes = {0};
  for (const ExecutionNode& node : graph.nodes) {
    if (node.rank != 0 || node.exchange < 0) continue;
    const auto& exchange = graph.exchanges[static_cast<std::size_t>(node.exchange)];
    const LinkProgram& phase = graph.programs[static_cast<std::size_t>(exchange.program)];
    program.channels = std::max(program.channels, phase.channels);
    program.wire_bytes_per_rank += phase.wire_bytes_per_rank;
  }
  result->record.total = record.total;
  result->record.links = std::move(record.links);
  result->record.messages = record.messages;
  result->record.events = record.events;
}

}  // namespace

std::vector<double> EndsMicroseconds(const ClusterResult& result) {
  std::vector<double> ends;
  const std::vector<std::int32_t>& first = result.program.first_lanes;
  for (std::size_t c = 0; c < first.size(); ++c) {
    const std::size_t last =
        c + 1 < first.size() ? static_cast<std::size_t>(first[c + 1]) : result.record.lanes.size();
    Tick end = 0;
    for (auto lane = static_cast<std::size_t>(first[c]); lane < last; ++lane) {
      end = std::max(end, result.record.lanes[lane].done);
    }
    ends.push_back(ToMicroseconds(end));
  }
  return ends;
}

ClusterResult SimulateCluster(const ClusterRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  ClusterResult result;
  result.cluster = LoadCluster(request.system, request.overrides);
  MakeIdeal(request.ideal, &result.cluster);
  const bool phases =
      request.collective.algorithm.empty() && !result.cluster.phases.dimensions.empty();
  if (phases || request.collective.algorithm == "hierarchical") {
    SimulateHierarchical(request, &result);
    result.simulate_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return result;
  }
  const Compiler& compiler = *CompilerRegistry::Instance().Get("compiler", "network")();
  // Symmetric ranks fold links, which each collective would do in its own way.
  CollectiveRequest first = request.collective;
  first.symmetry = first.symmetry && request.beside.empty();
  result.program = compiler.CompileCollective(first, result.cluster);
  result.program.first_lanes = {0};
  for (CollectiveRequest other : request.beside) {
    other.symmetry = false;
    AddBeside(compiler.CompileCollective(other, result.cluster), &result.program);
  }
  SetWeights(request, &result.program);
  const auto model =
      ClusterModelRegistry::Instance().Get("model of links", "network")(result.cluster);
  result.record = model->Run(result.program, request.options);
  if (result.record.total == 0) {
    throw UserError("--ideal: with all of these nothing takes any time; leave one out");
  }
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

double AlgorithmBytesPerSecond(const ClusterResult& result) {
  return static_cast<double>(result.program.bytes) / ToSeconds(result.record.total);
}

double BusBytesPerSecond(const ClusterResult& result) {
  const LinkProgram& p = result.program;
  const auto n = static_cast<double>(p.ranks);
  double factor = 1;
  if (p.operation == "all_reduce") factor = 2 * (n - 1) / n;
  if (p.operation == "all_gather" || p.operation == "reduce_scatter" ||
      p.operation == "all_to_all") {
    factor = (n - 1) / n;
  }
  return AlgorithmBytesPerSecond(result) * factor;
}

double CollectiveRooflineMicroseconds(const ClusterResult& result) {
  const Topology& t = result.cluster.topology;
  double leaving = 0;
  for (std::size_t e = 0; e < t.edges.size(); ++e) {
    if (t.edges[e].a == 0) leaving += BytesPerSecond(t, static_cast<std::int32_t>(2 * e));
    if (t.edges[e].b == 0) leaving += BytesPerSecond(t, static_cast<std::int32_t>(2 * e + 1));
  }
  if (leaving <= 0) return 0;
  return static_cast<double>(result.program.wire_bytes_per_rank) / leaving * 1e6;
}

}  // namespace siliscope
