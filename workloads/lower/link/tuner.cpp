// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/tuner.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "workloads/lower/link/ring_search.h"

namespace siliscope {
namespace {

/// A plan and the machine's part of what is believed of it.
struct Expectation {
  const CollectivePlan& plan;
  const TunerSpec& machine;
  const TunerTables& tables;
  const CollectiveProtocolSpec& protocol;
  std::int64_t nodes;

  std::size_t by_nodes() const {
    return static_cast<std::size_t>(std::min<std::int64_t>(nodes, 3) - 1);
  }
  double bytes() const { return static_cast<double>(plan.bytes); }
  double channels() const { return static_cast<double>(machine.channels); }
  double bandwidth() const { return channels() * machine.channel_bytes_per_s; }
  double MostOfLl() const {
    if (nodes == 1) return machine.generation.ll_bytes_per_s;
    return nodes == 2 ? machine.host.ll_two_nodes_bytes_per_s
                      : machine.host.ll_more_nodes_bytes_per_s;
  }
};

bool InDoublingSteps(const CollectivePlan& plan) {
  return plan.algorithm == CollectiveAlgorithm::kHalvingDoubling ||
         plan.algorithm == CollectiveAlgorithm::kPat;
}

double TreeCorrection(const Expectation& e) {
  const std::vector<double>& table =
      e.plan.protocol == CollectiveProtocol::kLl      ? e.tables.tree_correction_ll
      : e.plan.protocol == CollectiveProtocol::kLl128 ? e.tables.tree_correction_ll128
                                                      : e.tables.tree_correction_simple;
  constexpr std::int64_t kPart = 64;  ///< bytes
  const std::int64_t parts = e.plan.bytes / kPart;
  if (parts < 1) return 1;
  const auto at = static_cast<std::size_t>(std::log2(static_cast<double>(parts)));
  return at < table.size() ? table[at] : 1;
}

double ExpectedOfTree(const Expectation& e) {
  double bus = std::min(e.bandwidth() * e.tables.tree_share,
                        e.channels() * e.machine.generation.tree_channel_bytes_per_s[e.by_nodes()]);
  bus *= e.nodes == 1 ? e.protocol.tuner_tree_node_share : e.protocol.tuner_tree_share;
  if (e.plan.protocol == CollectiveProtocol::kLl) bus = std::min(bus, e.MostOfLl());
  if (e.plan.protocol == CollectiveProtocol::kLl128) {
    bus = std::min(
        bus, e.channels() * e.machine.generation.tree_ll128_channel_bytes_per_s[e.by_nodes()]);
  }
  bus *= TreeCorrection(e);
  const std::int64_t of_node = e.plan.ranks / e.nodes;
  const auto chain = static_cast<double>(of_node - 1);
  const double height = std::floor(std::log2(static_cast<double>(e.nodes)));
  return e.protocol.tuner_tree_base_s +
         2 * (chain * e.protocol.tuner_tree_hop_s + height * e.protocol.tuner_tree_net_hop_s) +
         2 * e.bytes() / bus;
}

double ExpectedOfPat(const Expectation& e) {
  const double height = std::floor(std::log2(static_cast<double>(e.nodes)));
  return e.tables.pat_base_s +
         height * e.protocol.tuner_tree_net_hop_s / e.tables.pat_steps_of_tree_hop +
         static_cast<double>(e.plan.ranks) * e.tables.pat_rank_s +
         e.bytes() / (e.bandwidth() * e.tables.pat_share);
}

/// Of a ring, and of what goes the same way through the same channels.
double ExpectedOfRing(const Expectation& e) {
  double bus = e.bandwidth() * e.protocol.tuner_share;
  if (e.plan.protocol == CollectiveProtocol::kLl) bus = std::min(bus, e.MostOfLl());
  if (e.plan.protocol == CollectiveProtocol::kLl128) {
    bus = std::min(
        bus, e.channels() * e.machine.generation.ring_ll128_channel_bytes_per_s[e.by_nodes()]);
  }
  const bool simple = e.plan.protocol == CollectiveProtocol::kSimple;
  double hop = e.machine.pcie ? e.protocol.tuner_pcie_hop_s : e.protocol.tuner_hop_s;
  if (IsChain(e.plan)) return e.protocol.tuner_base_s + hop + e.bytes() / bus;
  auto steps = static_cast<double>(RingSteps(e.plan));
  const double bytes_of_rank = e.bytes() * steps / static_cast<double>(e.plan.ranks);
  if (InDoublingSteps(e.plan)) {
    steps *= std::log2(static_cast<double>(e.plan.ranks)) / static_cast<double>(e.plan.ranks - 1);
  }
  const bool reduces_all = e.plan.operation == CollectiveOperation::kAllReduce;
  const double between = (reduces_all ? 2 : 1) * static_cast<double>(e.nodes - 1);
  // Where each node has one rank, nothing hides what a step between nodes takes.
  const double net_hop =
      e.plan.ranks == e.nodes ? e.protocol.tuner_tree_net_hop_s : e.protocol.tuner_net_hop_s;
  constexpr double kPostsOfSimple = 3;
  if (e.nodes > 1) hop = std::max(hop, e.machine.host.post_s * (simple ? kPostsOfSimple : 1));
  double latency = e.protocol.tuner_base_s + (steps - between) * hop + between * net_hop;
  constexpr double kLong = 64;  ///< bytes of a rank and channel
  const double of_channel = e.bytes() / static_cast<double>(e.machine.run_channels * e.plan.ranks);
  if (simple && reduces_all && e.nodes > 1 && of_channel >= kLong) {
    latency *= e.machine.generation.ring_plateau;
  }
  return latency + bytes_of_rank / bus;
}

}  // namespace

std::int64_t NodesOf(const CollectivePlan& plan, const ClusterSpec& cluster) {
  return std::max<std::int64_t>(1, plan.ranks / ChipsOfNode(cluster.topology));
}

double ExpectedSeconds(const CollectivePlan& plan, const ClusterSpec& cluster) {
  const Expectation e{plan, cluster.tuner, cluster.library.tuner,
                      SpecOf(cluster.library, plan.protocol), NodesOf(plan, cluster)};
  switch (plan.algorithm) {
    case CollectiveAlgorithm::kNvls:
      return e.machine.nvls_base_s + e.bytes() / e.machine.nvls_bytes_per_s;
    case CollectiveAlgorithm::kTorus:
      return 0;  // all links at once
    case CollectiveAlgorithm::kTree:
      return ExpectedOfTree(e);
    case CollectiveAlgorithm::kPat:
      if (e.tables.pat_share > 0) return ExpectedOfPat(e);
      break;
    case CollectiveAlgorithm::kRing:
    case CollectiveAlgorithm::kDirect:
    case CollectiveAlgorithm::kHalvingDoubling:
      break;
  }
  return ExpectedOfRing(e);
}

}  // namespace siliscope
