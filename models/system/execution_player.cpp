// SPDX-License-Identifier: Apache-2.0
#include "models/system/execution_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "sim/core/error.h"

namespace siliscope {

ExecutionPlayer::ExecutionPlayer(const ExecutionGraph& graph, EventQueue& queue,
                                 std::vector<LinkPort*> links)
    : graph_(graph),
      queue_(queue),
      links_(std::move(links)),
      states_(graph.nodes.size()),
      followers_(graph.nodes.size()),
      ranks_(static_cast<std::size_t>(graph.ranks)),
      uses_(static_cast<std::size_t>(graph.ranks)),
      times_(graph.nodes.size()),
      ongoing_(graph.exchanges.size()) {
  std::map<std::pair<std::int32_t, std::int32_t>, std::uint32_t> known;
  for (std::uint32_t n = 0; n < graph.nodes.size(); ++n) {
    const ExecutionNode& node = graph.nodes[n];
    const auto [at, added] = known.emplace(std::make_pair(node.rank, node.stream),
                                           static_cast<std::uint32_t>(streams_.size()));
    if (added) streams_.emplace_back();
    streams_[at->second].nodes.push_back(n);
    states_[n].stream = at->second;
    states_[n].waits_for = static_cast<std::uint32_t>(node.after.size());
    for (const std::uint32_t before : node.after) followers_[before].push_back(n);
  }
}

void ExecutionPlayer::Start() {
  for (std::uint32_t s = 0; s < streams_.size(); ++s) TryStream(s);
}

void ExecutionPlayer::OnBegin(void* player, std::uint64_t node) {
  static_cast<ExecutionPlayer*>(player)->BeginExchange(static_cast<std::uint32_t>(node));
}

void ExecutionPlayer::OnComputed(void* player, std::uint64_t node_and_version) {
  auto& self = *static_cast<ExecutionPlayer*>(player);
  const auto node = static_cast<std::uint32_t>(node_and_version);
  if (self.states_[node].version == node_and_version >> 32) self.End(node);
}

void ExecutionPlayer::OnRankDone(void* ongoing, std::int32_t rank) {
  auto& o = *static_cast<Ongoing*>(ongoing);
  ExecutionPlayer& self = *o.player;
  const Exchange& exchange = self.graph_.exchanges[o.exchange];
  constexpr std::uint16_t kLast = 0xFFFF;
  // The lanes' player is still at work; it goes once this moment is over.
  if (--o.ranks_left == 0) {
    self.queue_.Schedule(self.queue_.now(), &OnFree, &self, o.exchange, kLast);
  }
  self.End(exchange.nodes[static_cast<std::size_t>(rank)]);
}

void ExecutionPlayer::OnFree(void* player, std::uint64_t exchange) {
  auto& self = *static_cast<ExecutionPlayer*>(player);
  self.messages_ += self.ongoing_[exchange]->lanes->messages();
  self.ongoing_[exchange].reset();
}

/// SMs (or cores) that an exchange's channels hold on a rank.
std::int64_t ExecutionPlayer::UnitsOf(std::uint32_t node) const {
  const Exchange& e = graph_.exchanges[static_cast<std::size_t>(NodeOf(node).exchange)];
  return graph_.programs[static_cast<std::size_t>(e.program)].channels;
}

void ExecutionPlayer::TryStream(std::uint32_t stream) {
  Stream& s = streams_[stream];
  if (s.busy || s.next == s.nodes.size()) return;
  const std::uint32_t node = s.nodes[s.next];
  if (states_[node].waits_for > 0) return;
  s.busy = true;
  ++s.next;
  Begin(node);
}

void ExecutionPlayer::Account(std::int32_t rank) {
  RankState& r = ranks_[static_cast<std::size_t>(rank)];
  RankUse& use = uses_[static_cast<std::size_t>(rank)];
  const Tick span = queue_.now() - r.since;
  r.since = queue_.now();
  if (r.computing > 0) {
    (r.exchanging > 0 ? use.overlapped : use.compute) += span;
  } else {
    (r.exchanging > 0 ? use.exchange : use.idle) += span;
  }
}

void ExecutionPlayer::Begin(std::uint32_t node) {
  const ExecutionNode& n = NodeOf(node);
  RankState& rank = ranks_[static_cast<std::size_t>(n.rank)];
  states_[node].running = true;
  times_[node].begin = queue_.now();
  Account(n.rank);
  if (n.kind == ExecutionKind::kCompute) {
    ++rank.computing;
    rank.running.push_back(node);
    states_[node].since = queue_.now();
    SetEnd(node);
    return;
  }
  // What a rank receives may be long in coming: it waits.
  if (n.kind != ExecutionKind::kReceive) ++rank.exchanging;
  queue_.Schedule(queue_.now() + n.delay, &OnBegin, this, node);
}

void ExecutionPlayer::BeginExchange(std::uint32_t node) {
  const ExecutionNode& n = NodeOf(node);
  const auto index = static_cast<std::size_t>(n.exchange);
  const Exchange& exchange = graph_.exchanges[index];
  std::unique_ptr<Ongoing>& ongoing = ongoing_[index];
  if (ongoing == nullptr) {
    ongoing = std::make_unique<Ongoing>();
    ongoing->player = this;
    ongoing->exchange = static_cast<std::uint32_t>(index);
    ongoing->ranks_left = exchange.nodes.size();
    ongoing->lanes = std::make_unique<LanePlayer>(
        graph_.programs[static_cast<std::size_t>(exchange.program)], queue_, links_, false);
    ongoing->lanes->Tell(&OnRankDone, ongoing.get());
  }
  TakeUnits(n.rank, UnitsOf(node));
  const auto at = std::find(exchange.nodes.begin(), exchange.nodes.end(), node);
  ongoing->lanes->StartRank(static_cast<std::int32_t>(at - exchange.nodes.begin()));
}

void ExecutionPlayer::End(std::uint32_t node) {
  const ExecutionNode& n = NodeOf(node);
  NodeState& state = states_[node];
  RankState& rank = ranks_[static_cast<std::size_t>(n.rank)];
  Account(n.rank);
  state.running = false;
  state.done = true;
  times_[node].end = queue_.now();
  if (n.kind == ExecutionKind::kCompute) {
    --rank.computing;
    rank.running.erase(std::find(rank.running.begin(), rank.running.end(), node));
  } else {
    if (n.kind != ExecutionKind::kReceive) --rank.exchanging;
    TakeUnits(n.rank, -UnitsOf(node));
  }
  streams_[state.stream].busy = false;
  for (const std::uint32_t next : followers_[node]) {
    if (--states_[next].waits_for == 0) TryStream(states_[next].stream);
  }
  TryStream(state.stream);
}

Tick ExecutionPlayer::DurationOf(std::uint32_t node) const {
  const ExecutionNode& n = NodeOf(node);
  const std::int64_t taken = ranks_[static_cast<std::size_t>(n.rank)].units_taken;
  Tick duration = n.duration;
  for (const Pace& pace : n.beside) {
    if (taken >= pace.units_taken) duration = pace.duration;
  }
  return duration;
}

/// What is left of a computation ends at the pace of now.
void ExecutionPlayer::SetEnd(std::uint32_t node) {
  NodeState& state = states_[node];
  ++state.version;
  state.since = queue_.now();
  const auto left =
      static_cast<Tick>(std::llround(state.left * static_cast<double>(DurationOf(node))));
  queue_.Schedule(queue_.now() + left, &OnComputed, this,
                  (std::uint64_t{state.version} << 32) | node);
}

void ExecutionPlayer::TakeUnits(std::int32_t rank, std::int64_t units) {
  RankState& r = ranks_[static_cast<std::size_t>(rank)];
  for (const std::uint32_t node : r.running) {
    const Tick duration = DurationOf(node);
    if (duration == 0) continue;
    const auto span = static_cast<double>(queue_.now() - states_[node].since);
    states_[node].left = std::max(0.0, states_[node].left - span / static_cast<double>(duration));
    states_[node].since = queue_.now();
  }
  r.units_taken += units;
  for (const std::uint32_t node : r.running) {
    if (!NodeOf(node).beside.empty()) SetEnd(node);
  }
}

std::string ExecutionPlayer::WhoWaits() const {
  std::string text;
  int named = 0;
  for (std::uint32_t n = 0; n < states_.size(); ++n) {
    if (states_[n].done) continue;
    const Stream& s = streams_[states_[n].stream];
    const bool at_front = s.next < s.nodes.size() && s.nodes[s.next] == n;
    if (!states_[n].running && !at_front) continue;  // behind another of its stream
    if (++named > 4) return text + ", ...";
    const ExecutionNode& node = NodeOf(n);
    std::string for_what = "what it waits for in its exchange";
    if (!states_[n].running) {
      for (const std::uint32_t before : node.after) {
        if (!states_[before].done) for_what = NodeOf(before).name;
      }
    }
    text += fmt::format("{}rank {}: {} for {}", text.empty() ? "" : ", ", node.rank, node.name,
                        for_what);
  }
  return text;
}

void ExecutionPlayer::Finish(ExecutionRecord* record) {
  const std::string waits = WhoWaits();
  if (!waits.empty()) throw UserError("the ranks wait for each other forever: " + waits);
  for (const NodeTimes& t : times_) record->total = std::max(record->total, t.end);
  for (std::int32_t r = 0; r < graph_.ranks; ++r) {
    const auto at = static_cast<std::size_t>(r);
    uses_[at].idle += record->total - ranks_[at].since;
  }
  record->nodes = std::move(times_);
  record->ranks = std::move(uses_);
  record->events = queue_.events_run();
  record->messages = messages_;
}

}  // namespace siliscope
