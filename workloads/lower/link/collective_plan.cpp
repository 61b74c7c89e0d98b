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

std::int64_t NodesOf(const CollectivePlan& plan, const ClusterSpec& cluster) {
  return std::max<std::int64_t>(1, plan.ranks / ChipsOfNode(cluster.topology));
}

bool InDoublingSteps(const CollectivePlan& plan) {
  return plan.algorithm == CollectiveAlgorithm::kHalvingDoubling ||
         plan.algorithm == CollectiveAlgorithm::kPat;
}

/// What the tuner expects: a latency and a bandwidth (tuning.cc, ncclTopoTuneModel).
double ExpectedSeconds(const CollectivePlan& plan, const ClusterSpec& cluster) {
  const TunerSpec& tuner = cluster.tuner;
  const CollectiveProtocolSpec& p = SpecOf(cluster.library, plan.protocol);
  const auto bytes = static_cast<double>(plan.bytes);
  if (plan.algorithm == CollectiveAlgorithm::kNvls) {
    return tuner.nvls_base_s + bytes / tuner.nvls_bytes_per_s;
  }
  if (plan.algorithm == CollectiveAlgorithm::kTorus) return 0;  // all links at once
  const auto channels = static_cast<double>(tuner.channels);
  double bus = channels * tuner.channel_bytes_per_s * p.tuner_share;
  if (plan.protocol == CollectiveProtocol::kLl) bus = std::min(bus, tuner.ll_bytes_per_s);
  if (plan.protocol == CollectiveProtocol::kLl128) {
    bus = std::min(bus, channels * tuner.ll128_channel_bytes_per_s);
  }
  const std::int64_t nodes = NodesOf(plan, cluster);
  if (plan.algorithm == CollectiveAlgorithm::kTree) {
    const std::int64_t of_node = plan.ranks / nodes;
    const auto chain = static_cast<double>(of_node - 1);
    const double height = std::log2(static_cast<double>(nodes));
    return p.tuner_tree_base_s +
           2 * (chain * p.tuner_tree_hop_s + height * p.tuner_tree_net_hop_s) + 2 * bytes / bus;
  }
  const double hop = tuner.pcie ? p.tuner_pcie_hop_s : p.tuner_hop_s;
  if (IsChain(plan)) return p.tuner_base_s + hop + bytes / bus;
  auto steps = static_cast<double>(RingSteps(plan));
  const double bytes_of_rank = bytes * steps / static_cast<double>(plan.ranks);
  if (InDoublingSteps(plan)) {
    steps *= std::log2(static_cast<double>(plan.ranks)) / static_cast<double>(plan.ranks - 1);
  }
  const double rounds = plan.operation == CollectiveOperation::kAllReduce ? 2 : 1;
  const double between = nodes > 1 ? rounds * static_cast<double>(nodes) : 0;
  return p.tuner_base_s + (steps - between) * hop + between * p.tuner_net_hop_s +
         bytes_of_rank / bus;
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
  // The library takes it where every node has one rank.
  if (plan.algorithm == CollectiveAlgorithm::kPat) return asked && gathers;
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

CollectivePlan PlanCopy(const CollectiveRequest& request, const ClusterSpec& cluster) {
  CollectivePlan plan;
  plan.operation = CollectiveOperation::kCopy;
  plan.algorithm = CollectiveAlgorithm::kDirect;
  plan.bytes = request.bytes;
  plan.ranks = cluster.topology.chips;
  plan.from = request.from;
  plan.to = request.to;
  if (plan.from >= plan.ranks || plan.to >= plan.ranks || plan.from == plan.to) {
    throw UserError(fmt::format("copy from {} to {} of {}: two of its chips, 0 to {}", plan.from,
                                plan.to, cluster.name, plan.ranks - 1));
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
