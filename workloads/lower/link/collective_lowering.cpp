// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/collective_lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "sim/core/error.h"

namespace siliscope {
namespace {

Tick Ticks(double seconds) { return static_cast<Tick>(std::llround(seconds * 1e12)); }

}  // namespace

CollectiveWriter::CollectiveWriter(const CollectivePlan& plan, const ClusterSpec& cluster)
    : plan_(plan), cluster_(cluster), routes_(cluster.topology) {
  program_.operation = OperationName(plan.operation);
  program_.algorithm = AlgorithmName(plan.algorithm);
  program_.protocol_name = ProtocolName(plan.protocol);
  program_.bytes = plan.bytes;
  program_.ranks = plan.ranks;
  program_.channels = plan.channels;
  program_.ranks_played = plan.ranks;
}

std::int32_t CollectiveWriter::AddProtocol(const TransferProtocol& protocol) {
  program_.protocols.push_back(protocol);
  return static_cast<std::int32_t>(program_.protocols.size()) - 1;
}

std::int32_t CollectiveWriter::AddSequence(std::vector<Primitive> sequence) {
  program_.sequences.push_back(std::move(sequence));
  return static_cast<std::int32_t>(program_.sequences.size()) - 1;
}

/// With the nodes that limit what passes through them.
Route CollectiveWriter::WithNodes(const Route& route) const {
  Route with_nodes;
  for (const std::int32_t link : route) {
    with_nodes.push_back(link);
    const std::int32_t node = EndOf(cluster_.topology, link);
    if (cluster_.topology.nodes[static_cast<std::size_t>(node)].bytes_per_s > 0) {
      with_nodes.push_back(static_cast<std::int32_t>(2 * cluster_.topology.edges.size()) + node);
    }
  }
  return with_nodes;
}

std::int32_t CollectiveWriter::AddWays(const std::vector<Way>& ways) {
  const auto first = static_cast<std::int32_t>(program_.routes.size());
  std::int64_t divisor = 0, sum = 0;
  for (const Way& way : ways) {
    program_.routes.push_back(WithNodes(way.route));
    divisor = std::gcd(divisor, way.links);
    sum += way.links;
  }
  if (ways.size() == 1) return first;
  program_.turns.resize(program_.routes.size());
  // Each in its turn, as evenly as can be: who has waited for longest, for its share.
  std::vector<std::int64_t> due(ways.size(), 0);
  for (std::int64_t turn = 0; turn < sum / divisor; ++turn) {
    for (std::size_t w = 0; w < ways.size(); ++w) due[w] += ways[w].links;
    const auto next = std::max_element(due.begin(), due.end()) - due.begin();
    due[static_cast<std::size_t>(next)] -= sum;
    program_.turns[static_cast<std::size_t>(first)].push_back(first +
                                                              static_cast<std::int32_t>(next));
  }
  return first;
}

std::int32_t CollectiveWriter::RouteBetween(std::int64_t from, std::int64_t to) {
  const auto [known, unknown] = route_of_.emplace(from * cluster_.topology.chips + to, -1);
  if (unknown) {
    const auto a = static_cast<std::int32_t>(from), b = static_cast<std::int32_t>(to);
    std::vector<Way> ways = routes_.SideBySide(a, b);
    if (ways.empty()) ways.push_back({routes_.Between(a, b), 1});
    if (ways.front().route.empty()) {
      const auto& nodes = cluster_.topology.nodes;
      throw UserError(fmt::format("{}: no way from {} to {}", cluster_.name,
                                  nodes[static_cast<std::size_t>(from)].name,
                                  nodes[static_cast<std::size_t>(to)].name));
    }
    known->second = AddWays(ways);
  }
  return known->second;
}

std::int32_t CollectiveWriter::AddLane(const Lane& lane) {
  constexpr std::size_t kMostLanes = 600'000;
  if (program_.lanes.size() == kMostLanes) {
    throw UserError(
        fmt::format("{} of {} ranks: more than {} channels and peers together; ask for "
                    "fewer ranks, such as ranks=256",
                    program_.operation, plan_.ranks, kMostLanes));
  }
  program_.lanes.push_back(lane);
  return static_cast<std::int32_t>(program_.lanes.size()) - 1;
}

Tick CollectiveWriter::StartOf(std::int64_t ctas) const {
  const double others = 1 - 1 / static_cast<double>(ctas);
  return Ticks(cluster_.times.launch_s + cluster_.times.skew_s * others);
}

TransferProtocol CollectiveWriter::ProtocolOf(CollectiveProtocol protocol) const {
  const CollectiveProtocolSpec& spec = SpecOf(cluster_.library, protocol);
  const ClusterTimesSpec& times = cluster_.times;
  TransferProtocol p;
  p.name = ProtocolName(protocol);
  p.wire_bytes_per_byte = spec.wire_bytes_per_byte;
  p.bytes_per_s = PerSecond(spec.bytes_per_cycle);
  p.local_bytes_per_s = PerSecond(spec.local_bytes_per_cycle);
  if (protocol == CollectiveProtocol::kSimple) {
    p.hop = Ticks(times.sync_hop_s);
    p.overhead = Ticks(times.slice_s);
    p.reads = cluster_.reads_peers;
    p.buffered = static_cast<std::int32_t>(8 / spec.slice_steps);
  } else {
    p.hop = Ticks(protocol == CollectiveProtocol::kLl ? times.ll_hop_s : times.ll128_hop_s);
    p.buffered = 16;
  }
  return p;
}

LinkProgram LowerCollective(const CollectiveRequest& request, const ClusterSpec& cluster) {
  CollectiveWriter writer(PlanCollective(request, cluster), cluster);
  switch (writer.plan().algorithm) {
    case CollectiveAlgorithm::kNvls:
      WriteNvls(writer);
      break;
    case CollectiveAlgorithm::kTree:
      WriteTree(writer);
      break;
    case CollectiveAlgorithm::kTorus:
      WriteTorus(writer);
      break;
    case CollectiveAlgorithm::kHalvingDoubling:
    case CollectiveAlgorithm::kPat:
      WriteDoubling(writer);
      break;
    case CollectiveAlgorithm::kDirect:
      WriteDirect(writer);
      break;
    default:
      WriteRing(writer);
  }
  for (Lane& lane : writer.program().lanes) {
    if (lane.rank == request.late_rank && lane.after == kNoLane)
      lane.start += Ticks(request.late_s);
  }
  if (request.op == "barrier") writer.program().operation = request.op;
  return std::move(writer.program());
}

}  // namespace siliscope
