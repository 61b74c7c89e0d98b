// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/collective_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "workloads/lower/link/ring_search.h"
#include "workloads/lower/link/tuner.h"

namespace siliscope {
namespace {

constexpr std::array<const char*, 10> kOperations = {
    "all_reduce", "all_gather",   "reduce_scatter", "all_to_all", "broadcast",
    "reduce",     "send_receive", "send",           "barrier",    "copy"};
constexpr std::array<const char*, 7> kAlgorithms = {
    "ring", "tree", "torus", "nvls", "direct", "halving_doubling", "pat"};
constexpr std::array<const char*, 3> kProtocols = {"ll", "ll128", "simple"};

template <std::size_t N>
std::size_t IndexOf(const std::array<const char*, N>& names, const std::string& name,
                    const char* what) {
  for (std::size_t i = 0; i < N; ++i) {
    if (name == names[i]) return i;
  }
  std::vector<std::string> known(names.begin(), names.end());
  if (std::string(what) == "algo") known.emplace_back("hierarchical");
  throw UserError(fmt::format("{}: \"{}\" is none{}", what, name, Suggestion(name, known)));
}

/// Fewer channels, then fewer threads, while a thread would have too few bytes.
std::int64_t ChannelsFor(const CollectivePlan& plan, const ClusterSpec& cluster) {
  const CollectiveProtocolSpec& p = SpecOf(cluster.library, plan.protocol);
  std::int64_t channels = cluster.tuner.run_channels;
  const std::int64_t ranks = plan.protocol == CollectiveProtocol::kLl ? plan.ranks : 1;
  while (channels > 1 && plan.bytes < channels * p.threads * p.channel_threshold * ranks) {
    --channels;
  }
  constexpr std::int64_t kLeastTraffic = 32768, kLlFactor = 4;
  std::int64_t traffic = plan.bytes;
  if (plan.operation == CollectiveOperation::kAllReduce) traffic *= 2;
  if (plan.protocol == CollectiveProtocol::kLl) traffic *= kLlFactor;
  return std::clamp(CeilDivide(traffic, kLeastTraffic), std::int64_t{1}, channels);
}

bool Gathers(const CollectivePlan& plan) {
  return plan.operation == CollectiveOperation::kAllGather ||
         plan.operation == CollectiveOperation::kReduceScatter;
}

bool Possible(const CollectivePlan& plan, const ClusterSpec& cluster, bool asked) {
  if (SpecOf(cluster.library, plan.protocol).step_bytes == 0) return false;
  const bool ordered = cluster.tuner.ll128 && !cluster.tuner.pcie;
  if (plan.protocol == CollectiveProtocol::kLl128 && !ordered) return false;
  if (plan.algorithm == CollectiveAlgorithm::kNvls) {
    const auto& nodes = cluster.topology.nodes;
    const bool reduces = std::any_of(nodes.begin(), nodes.end(),
                                     [](const TopologyNode& n) { return n.reduces_in_network; });
    return reduces && cluster.tuner.nvls_channels > 0 &&
           plan.ranks == ChipsOfNode(cluster.topology) &&
           (plan.operation == CollectiveOperation::kAllReduce || (asked && Gathers(plan))) &&
           plan.protocol == CollectiveProtocol::kSimple;
  }
  if (plan.algorithm == CollectiveAlgorithm::kTree) {
    const std::int64_t of_node = ChipsOfNode(cluster.topology);
    const bool whole_nodes = plan.ranks <= of_node || plan.ranks % of_node == 0;
    const bool known = SpecOf(cluster.library, plan.protocol).tuner_tree_hop_s > 0;
    // Of one node it is a chain, which a library takes only when it is told to.
    return plan.operation == CollectiveOperation::kAllReduce && whole_nodes && known &&
           (asked || plan.ranks > of_node);
  }
  const bool gathers = Gathers(plan);
  if (plan.algorithm == CollectiveAlgorithm::kHalvingDoubling) {
    const bool power_of_two = (plan.ranks & (plan.ranks - 1)) == 0;
    return asked && power_of_two && (gathers || plan.operation == CollectiveOperation::kAllReduce);
  }
  if (plan.algorithm == CollectiveAlgorithm::kPat) {
    // The library takes it where every node has one rank (tuning.cc, ncclPatEnable).
    const bool taken = cluster.library.tuner.pat_share > 0 && NodesOf(plan, cluster) == plan.ranks;
    return gathers && plan.protocol == CollectiveProtocol::kSimple && (asked || taken);
  }
  if (plan.algorithm == CollectiveAlgorithm::kDirect) return asked && gathers;
  if (plan.algorithm == CollectiveAlgorithm::kTorus) {
    return !cluster.topology.torus.empty() && plan.ranks == cluster.topology.chips &&
           plan.operation == CollectiveOperation::kAllReduce &&
           plan.protocol == CollectiveProtocol::kSimple;
  }
  return true;
}

std::int64_t RanksOf(const CollectiveRequest& request, const ClusterSpec& cluster) {
  const std::int64_t chips = cluster.topology.chips;
  std::int64_t ranks = request.ranks == 0 ? chips : request.ranks;
  if (!request.group.empty()) ranks = static_cast<std::int64_t>(request.group.size());
  if (ranks < 2 || ranks > chips) {
    throw UserError(
        fmt::format("ranks: {} of {}: from 2 to its {} chips", ranks, cluster.name, chips));
  }
  return ranks;
}

/// A chip by its number, or a host by its name.
std::int64_t MemoryOf(const std::string& name, const char* key, const ClusterSpec& cluster) {
  const std::vector<TopologyNode>& nodes = cluster.topology.nodes;
  std::vector<std::string> hosts;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    if (nodes[n].kind == NodeKind::kHostBridge) hosts.push_back(nodes[n].name);
    if (n < static_cast<std::size_t>(cluster.topology.chips)
            ? name == std::to_string(n)
            : !hosts.empty() && name == hosts.back()) {
      return static_cast<std::int64_t>(n);
    }
  }
  throw UserError(fmt::format(
      "copy: {}={}: {} has chips 0 to {}{}", key, name, cluster.name, cluster.topology.chips - 1,
      hosts.empty() ? " and no hosts with links of their own"
                    : " and hosts " + hosts.front() + " to " + hosts.back()));
}

CollectivePlan PlanCopy(const CollectiveRequest& request, const ClusterSpec& cluster) {
  CollectivePlan plan;
  plan.operation = CollectiveOperation::kCopy;
  plan.algorithm = CollectiveAlgorithm::kDirect;
  plan.bytes = request.bytes;
  plan.ranks = cluster.topology.chips;
  plan.from = MemoryOf(request.from, "from", cluster);
  plan.to = MemoryOf(request.to, "to", cluster);
  if (plan.from == plan.to || (plan.from >= plan.ranks && plan.to >= plan.ranks)) {
    throw UserError(fmt::format("copy from {} to {} of {}: two memories, one of them a chip's",
                                request.from, request.to, cluster.name));
  }
  return plan;
}

}  // namespace

std::vector<std::string> CollectiveNames() { return {kOperations.begin(), kOperations.end()}; }

const char* OperationName(CollectiveOperation operation) {
  return kOperations[static_cast<std::size_t>(operation)];
}
const char* AlgorithmName(CollectiveAlgorithm algorithm) {
  return kAlgorithms[static_cast<std::size_t>(algorithm)];
}
const char* ProtocolName(CollectiveProtocol protocol) {
  return kProtocols[static_cast<std::size_t>(protocol)];
}

const CollectiveProtocolSpec& SpecOf(const CollectiveLibrarySpec& library,
                                     CollectiveProtocol protocol) {
  switch (protocol) {
    case CollectiveProtocol::kLl:
      return library.ll;
    case CollectiveProtocol::kLl128:
      return library.ll128;
    case CollectiveProtocol::kSimple:
      break;
  }
  return library.simple;
}

bool IsChain(const CollectivePlan& plan) {
  return plan.operation == CollectiveOperation::kBroadcast ||
         plan.operation == CollectiveOperation::kReduce;
}

std::int64_t RingSteps(const CollectivePlan& plan) {
  return plan.operation == CollectiveOperation::kAllReduce ? 2 * (plan.ranks - 1) : plan.ranks - 1;
}

CollectivePlan PlanCollective(const CollectiveRequest& request, const ClusterSpec& cluster) {
  CollectivePlan plan;
  plan.operation = static_cast<CollectiveOperation>(IndexOf(kOperations, request.op, "collective"));
  if (plan.operation == CollectiveOperation::kCopy) return PlanCopy(request, cluster);
  plan.ranks = RanksOf(request, cluster);
  if (request.late_rank >= plan.ranks) {
    throw UserError(fmt::format("late_rank: {} of {} ranks", request.late_rank, plan.ranks));
  }
  plan.bytes = request.bytes;
  plan.symmetry = request.symmetry && request.late_rank < 0;
  if (plan.operation == CollectiveOperation::kBarrier) {  // an all-reduce of one element
    constexpr std::int64_t kElement = 4;
    plan.operation = CollectiveOperation::kAllReduce;
    plan.bytes = kElement;
  }
  if (plan.operation == CollectiveOperation::kAllToAll ||
      plan.operation == CollectiveOperation::kSendReceive ||
      plan.operation == CollectiveOperation::kSend) {
    plan.algorithm = CollectiveAlgorithm::kDirect;
    if (!request.algorithm.empty() && request.algorithm != "direct") {
      throw UserError(fmt::format("{}: algo={}: every part goes where it belongs, algo=direct",
                                  request.op, request.algorithm));
    }
    return plan;  // its parts are what channels are to the others
  }
  double least = 1e300;
  for (const auto algorithm :
       {CollectiveAlgorithm::kRing, CollectiveAlgorithm::kTree, CollectiveAlgorithm::kTorus,
        CollectiveAlgorithm::kNvls, CollectiveAlgorithm::kDirect,
        CollectiveAlgorithm::kHalvingDoubling, CollectiveAlgorithm::kPat}) {
    if (!request.algorithm.empty() &&
        IndexOf(kAlgorithms, request.algorithm, "algo") != static_cast<std::size_t>(algorithm)) {
      continue;
    }
    for (const auto protocol :
         {CollectiveProtocol::kLl, CollectiveProtocol::kLl128, CollectiveProtocol::kSimple}) {
      if (!request.protocol.empty() &&
          IndexOf(kProtocols, request.protocol, "protocol") != static_cast<std::size_t>(protocol)) {
        continue;
      }
      CollectivePlan tried = plan;
      tried.algorithm = algorithm;
      tried.protocol = protocol;
      if (!Possible(tried, cluster, !request.algorithm.empty())) continue;
      const double seconds = ExpectedSeconds(tried, cluster);
      if (seconds >= least) continue;
      least = seconds;
      plan = tried;
    }
  }
  if (least == 1e300) {
    throw UserError(fmt::format("{} of {} ranks on {}: algo={} with protocol={} can't be",
                                request.op, plan.ranks, cluster.name,
                                request.algorithm.empty() ? "any" : request.algorithm,
                                request.protocol.empty() ? "any" : request.protocol));
  }
  plan.channels = plan.algorithm == CollectiveAlgorithm::kNvls ? cluster.tuner.nvls_channels
                                                               : ChannelsFor(plan, cluster);
  return plan;
}

}  // namespace siliscope
