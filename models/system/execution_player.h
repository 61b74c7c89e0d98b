// SPDX-License-Identifier: Apache-2.0
// Plays an execution graph: each rank's streams run their nodes in order, each once what it waits
// for is done; an exchange moves its data lane by lane over the links that all exchanges share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/interconnect/lane_player.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/execution_graph.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class ExecutionPlayer {
 public:
  ExecutionPlayer(const ExecutionGraph& graph, EventQueue& queue, std::vector<LinkPort*> links);

  void Start();
  /// Throws InternalError where nodes are left, with who waits for whom.
  void Finish(ExecutionRecord* record);

 private:
  /// Nodes of one rank that run one after another.
  struct Stream {
    std::vector<std::uint32_t> nodes;
    std::size_t next = 0;
    bool busy = false;
  };
  struct NodeState {
    std::uint32_t waits_for = 0;  ///< nodes that aren't done
    std::uint32_t stream = 0;
    double left = 1;  ///< of a computation
    Tick since = 0;   ///< when `left` was right
    std::uint32_t version = 0;
    bool running = false, done = false;
  };
  struct RankState {
    std::int64_t units_taken = 0;  ///< by exchanges under way
    std::int32_t computing = 0, exchanging = 0;
    Tick since = 0;
    std::vector<std::uint32_t> running;  ///< computations
  };
  struct Ongoing {
    ExecutionPlayer* player = nullptr;
    std::uint32_t exchange = 0;
    std::size_t ranks_left = 0;
    std::unique_ptr<LanePlayer> lanes;
  };

  static void OnBegin(void* player, std::uint64_t node);
  static void OnComputed(void* player, std::uint64_t node_and_version);
  static void OnRankDone(void* ongoing, std::int32_t rank);
  static void OnFree(void* player, std::uint64_t exchange);

  const ExecutionNode& NodeOf(std::uint32_t node) const { return graph_.nodes[node]; }
  std::int64_t UnitsOf(std::uint32_t node) const;
  void TryStream(std::uint32_t stream);
  void Begin(std::uint32_t node);
  void BeginExchange(std::uint32_t node);
  void End(std::uint32_t node);
  void Account(std::int32_t rank);
  void TakeUnits(std::int32_t rank, std::int64_t units);
  void SetEnd(std::uint32_t node);
  Tick DurationOf(std::uint32_t node) const;
  std::string WhoWaits() const;

  const ExecutionGraph& graph_;
  EventQueue& queue_;
  std::vector<LinkPort*> links_;
  std::vector<Stream> streams_;
  std::vector<NodeState> states_;
  std::vector<std::vector<std::uint32_t>> followers_;
  std::vector<RankState> ranks_;
  std::vector<RankUse> uses_;
  std::vector<NodeTimes> times_;
  std::vector<std::unique_ptr<Ongoing>> ongoing_;  ///< by exchange
  std::uint64_t messages_ = 0;
};

}  // namespace siliscope
