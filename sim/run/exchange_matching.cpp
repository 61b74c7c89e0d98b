// SPDX-License-Identifier: Apache-2.0
#include "sim/run/exchange_matching.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/contract/compiler.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

class Matching {
 public:
  Matching(const ClusterSpec& cluster, const std::string& place, ExecutionGraph* graph)
      : cluster_(cluster), place_(place), graph_(*graph) {}

  void Run() {
    CheckRanks();
    CheckCircles();
    for (std::uint32_t n = 0; n < graph_.nodes.size(); ++n) {
      const ExecutionKind kind = graph_.nodes[n].kind;
      if (kind == ExecutionKind::kCollective) AddToCollective(n);
      if (kind == ExecutionKind::kSend || kind == ExecutionKind::kReceive) AddToMessage(n);
    }
    CheckWhole();
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const { throw UserError(place_ + ": " + what); }

  static std::string NameOf(const ExecutionNode& node) {
    return fmt::format("rank {}: {}", node.rank, node.name);
  }

  void CheckRanks() const {
    if (graph_.ranks > cluster_.topology.chips) {
      Fail(fmt::format("{} ranks on the {} chips of {}", graph_.ranks, cluster_.topology.chips,
                       cluster_.name));
    }
    for (const ExecutionNode& node : graph_.nodes) {
      const bool message =
          node.kind == ExecutionKind::kSend || node.kind == ExecutionKind::kReceive;
      if (message && (node.peer < 0 || node.peer >= graph_.ranks || node.peer == node.rank)) {
        Fail(fmt::format("{}: peer {}: another rank, 0 to {}", NameOf(node), node.peer,
                         graph_.ranks - 1));
      }
      if (node.kind != ExecutionKind::kCompute && node.bytes < 1) {
        Fail(NameOf(node) + ": of 0 bytes");
      }
    }
  }

  /// What waits for a node of its own rank, by what it comes after and by its stream's order.
  void CheckCircles() const {
    const std::size_t count = graph_.nodes.size();
    std::vector<std::vector<std::uint32_t>> next(count);
    std::vector<std::uint32_t> waits(count, 0);
    std::map<std::pair<std::int32_t, std::int32_t>, std::uint32_t> last;
    for (std::uint32_t n = 0; n < count; ++n) {
      const ExecutionNode& node = graph_.nodes[n];
      for (const std::uint32_t before : node.after) {
        next[before].push_back(n);
        ++waits[n];
      }
      const auto [at, first] = last.emplace(std::make_pair(node.rank, node.stream), n);
      if (first) continue;
      next[at->second].push_back(n);
      ++waits[n];
      at->second = n;
    }
    std::vector<std::uint32_t> ready;
    for (std::uint32_t n = 0; n < count; ++n) {
      if (waits[n] == 0) ready.push_back(n);
    }
    std::size_t done = 0;
    while (!ready.empty()) {
      const std::uint32_t n = ready.back();
      ready.pop_back();
      ++done;
      for (const std::uint32_t follower : next[n]) {
        if (--waits[follower] == 0) ready.push_back(follower);
      }
    }
    if (done == count) return;
    std::string names;
    int named = 0;
    for (std::uint32_t n = 0; n < count && named < 3; ++n) {
      if (waits[n] == 0) continue;
      names += (named++ == 0 ? "" : ", ") + graph_.nodes[n].name;
    }
    Fail("nodes wait for each other in a circle: " + names);
  }

  void AddToCollective(std::uint32_t n) {
    ExecutionNode& node = graph_.nodes[n];
    const auto& group = graph_.groups[static_cast<std::size_t>(node.group)];
    const auto member = std::find(group.begin(), group.end(), node.rank);
    if (member == group.end()) Fail(NameOf(node) + ": its rank is not in the group");
    if (group.size() == 1) {
      node.kind = ExecutionKind::kCompute;
      node.duration = 0;
      return;
    }
    const std::int32_t at = count_[{node.group, node.rank}]++;
    const auto [known, first] = collective_.emplace(
        std::make_pair(node.group, at), static_cast<std::int32_t>(graph_.exchanges.size()));
    if (first) graph_.exchanges.emplace_back();
    Exchange& exchange = graph_.exchanges[static_cast<std::size_t>(known->second)];
    if (first) {
      exchange.nodes.assign(group.size(), kNobody);
      exchange.program = ProgramOf(node.op, node.algorithm, node.bytes, group);
      first_node_.push_back(n);
    }
    const ExecutionNode& other = graph_.nodes[first_node_[static_cast<std::size_t>(known->second)]];
    if (other.op != node.op || other.bytes != node.bytes) {
      Fail(fmt::format("{}: {} of {} B; rank {} has {} of {} B there", NameOf(node), node.op,
                       node.bytes, other.rank, other.op, other.bytes));
    }
    node.exchange = known->second;
    exchange.nodes[static_cast<std::size_t>(member - group.begin())] = n;
  }

  void AddToMessage(std::uint32_t n) {
    ExecutionNode& node = graph_.nodes[n];
    const bool send = node.kind == ExecutionKind::kSend;
    const std::int32_t from = send ? node.rank : node.peer, to = send ? node.peer : node.rank;
    auto& ends = messages_[{from, to, node.tag}];
    const std::int32_t at = ends.count[send ? 0 : 1]++;
    if (static_cast<std::size_t>(at) == ends.exchanges.size()) {
      ends.exchanges.push_back(static_cast<std::int32_t>(graph_.exchanges.size()));
      graph_.exchanges.emplace_back();
      Exchange& exchange = graph_.exchanges.back();
      exchange.nodes.assign(2, kNobody);
      exchange.program = ProgramOf("send", "", node.bytes, {from, to});
      first_node_.push_back(n);
    }
    node.exchange = ends.exchanges[static_cast<std::size_t>(at)];
    const ExecutionNode& other = graph_.nodes[first_node_[static_cast<std::size_t>(node.exchange)]];
    if (other.bytes != node.bytes) {
      Fail(fmt::format("{}: {} B; rank {} has {} B there", NameOf(node), node.bytes, other.rank,
                       other.bytes));
    }
    graph_.exchanges[static_cast<std::size_t>(node.exchange)].nodes[send ? 0 : 1] = n;
  }

  std::int32_t ProgramOf(const std::string& op, const std::string& algorithm, std::int64_t bytes,
                         const std::vector<std::int32_t>& group) {
    const auto [known, first] =
        programs_.emplace(std::make_tuple(op, algorithm, bytes, group),
                          static_cast<std::int32_t>(graph_.programs.size()));
    if (first) {
      CollectiveRequest request;
      request.op = op;
      request.algorithm = algorithm;
      request.bytes = bytes;
      request.group = group;
      request.symmetry = false;
      graph_.programs.push_back(
          CompilerRegistry::Instance().Get("compiler", "network")()->CompileCollective(request,
                                                                                       cluster_));
    }
    return known->second;
  }

  void CheckWhole() const {
    for (std::size_t e = 0; e < graph_.exchanges.size(); ++e) {
      const Exchange& exchange = graph_.exchanges[e];
      for (std::size_t r = 0; r < exchange.nodes.size(); ++r) {
        if (exchange.nodes[r] != kNobody) continue;
        const ExecutionNode& node = graph_.nodes[first_node_[e]];
        if (node.kind != ExecutionKind::kCollective) {
          Fail(fmt::format("{}: rank {} has no {} for it", NameOf(node), node.peer,
                           node.kind == ExecutionKind::kSend ? "receive" : "send"));
        }
        Fail(fmt::format("{}: rank {} has no part in it", NameOf(node),
                         graph_.groups[static_cast<std::size_t>(node.group)][r]));
      }
    }
  }

  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  struct Ends {
    std::array<std::int32_t, 2> count{};
    std::vector<std::int32_t> exchanges;
  };

  const ClusterSpec& cluster_;
  const std::string& place_;
  ExecutionGraph& graph_;
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> count_;       ///< by group, rank
  std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> collective_;  ///< group, number
  std::map<std::tuple<std::int32_t, std::int32_t, std::int32_t>, Ends> messages_;
  std::map<std::tuple<std::string, std::string, std::int64_t, std::vector<std::int32_t>>,
           std::int32_t>
      programs_;
  std::vector<std::uint32_t> first_node_;  ///< of each exchange
};

}  // namespace

void MatchExchanges(const ClusterSpec& cluster, const std::string& place, ExecutionGraph* graph) {
  Matching(cluster, place, graph).Run();
}

}  // namespace siliscope
