// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/rank_group.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/core/error.h"
#include "workloads/lower/link/ring_search.h"

namespace siliscope {
namespace {

/// Of a group: as many as it has in each node it touches; the node's, where it lies in one or is
/// spread unevenly.
std::int64_t ChipsOfNodeIn(const Topology& t, const std::vector<std::int32_t>& group) {
  const std::int64_t of_node = ChipsOfNode(t);
  std::map<std::int64_t, std::int64_t> count;
  for (const std::int32_t chip : group) ++count[chip / of_node];
  const std::int64_t each = count.begin()->second;
  bool even = count.size() > 1;
  for (const auto& [node, chips] : count) even = even && chips == each;
  for (std::size_t i = 0; i < group.size() && even; ++i) {
    const std::size_t first = i - i % static_cast<std::size_t>(each);
    even = group[i] / of_node == group[first] / of_node;
  }
  return even ? each : of_node;
}

}  // namespace

std::vector<std::int32_t> GroupOfEachNode(const CollectiveRequest& request,
                                          const ClusterSpec& cluster) {
  const std::int64_t of_node = ChipsOfNode(cluster.topology);
  const std::int64_t nodes = cluster.topology.chips / of_node;
  const std::int64_t ranks = request.ranks > 0 ? request.ranks : nodes * request.per_node;
  const bool fits = request.per_node <= of_node && ranks % request.per_node == 0 &&
                    ranks / request.per_node <= nodes;
  if (!fits) {
    throw UserError(fmt::format("per_node={} of {} ranks: {} has {} nodes of {} chips",
                                request.per_node, ranks, cluster.name, nodes, of_node));
  }
  std::vector<std::int32_t> group;
  for (std::int64_t r = 0; r < ranks; ++r) {
    const std::int64_t node = r / request.per_node;
    group.push_back(static_cast<std::int32_t>(node * of_node + r % request.per_node));
  }
  return group;
}

ClusterSpec WithGroupFirst(const ClusterSpec& cluster, const std::vector<std::int32_t>& group) {
  ClusterSpec spec = cluster;
  Topology& t = spec.topology;
  std::vector<std::int32_t> number(t.nodes.size(), -1);
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::int32_t chip = group[i];
    if (chip < 0 || chip >= t.chips || number[static_cast<std::size_t>(chip)] >= 0) {
      throw UserError(fmt::format("rank {} of a group on {}: a chip from 0 to {}, once", chip,
                                  cluster.name, t.chips - 1));
    }
    number[static_cast<std::size_t>(chip)] = static_cast<std::int32_t>(i);
  }
  auto next = static_cast<std::int32_t>(group.size());
  for (std::int32_t& n : number) {
    if (n < 0) n = next++;
  }
  for (std::size_t i = 0; i < number.size(); ++i) {
    t.nodes[static_cast<std::size_t>(number[i])] = cluster.topology.nodes[i];
  }
  for (TopologyEdge& e : t.edges) {
    e.a = number[static_cast<std::size_t>(e.a)];
    e.b = number[static_cast<std::size_t>(e.b)];
  }
  t.chips_of_node = ChipsOfNodeIn(cluster.topology, group);
  if (static_cast<std::int64_t>(group.size()) < t.chips) t.torus.clear();
  return spec;
}

}  // namespace siliscope
