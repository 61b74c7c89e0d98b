// SPDX-License-Identifier: Apache-2.0
// Plays the lanes of a program over links: each lane waits for what it receives and for room where
// it sends, moves a piece burst by burst, and posts it. What is shared is shared by queueing.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/interconnect/burst_spread.h"
#include "models/interconnect/link.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/link_program.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class LanePlayer {
 public:
  /// `links`: by directed link.
  LanePlayer(const LinkProgram& program, EventQueue& queue, std::vector<LinkPort*> links,
             bool spans);

  void Start();
  /// Only the lanes of one rank, from now on. `done` is told when all of a rank's lanes are.
  void StartRank(std::int32_t rank);
  using RankDone = void (*)(void* context, std::int32_t rank);
  void Tell(RankDone done, void* context);
  std::uint64_t messages() const { return messages_; }
  /// Lanes with work left; empty where there are none.
  std::string WhoWaits() const;
  /// Throws InternalError where lanes have work left, with who waits for whom.
  void Finish(ClusterRecord* record);

 private:
  static constexpr std::size_t kMostBuffered = 16;
  static constexpr std::size_t kMostSpans = 200'000;  ///< of each kind that are kept: the first
  static constexpr std::size_t kWindow = 2;  ///< bursts of a lane that wait for the wire at a time

  /// What passes between two lanes, in pieces.
  struct Port {
    std::uint64_t sent = 0;     ///< to the target of this number
    std::uint64_t arrived = 0;  ///< from the source of this number
    std::uint64_t taken = 0;    ///< of those, pieces the lane is done with
    std::array<Tick, kMostBuffered> arrives{};
    std::array<std::uint16_t, kMostBuffered> came{};  ///< of a group, how many have sent it
    std::array<Tick, kMostBuffered> frees{};
  };
  struct Progress {
    std::uint32_t primitive = 0;
    std::int32_t repeat = 0;
    std::int32_t piece = 0;
    std::array<Port, 2> ports;
    Tick since = 0;  ///< of its state
    LaneState state = LaneState::kLaunch;
    bool asleep = false;    ///< somebody will wake it
    std::int64_t left = 0;  ///< of the piece, on the wire
    std::int64_t burst = 0;
    std::uint32_t bursts = 0;
    std::uint32_t posted = 0;  ///< pieces, to a group
    Tick at_own_rate = 0;      ///< of the time on the wire
    std::array<Tick, kWindow> served{};
  };
  struct Flight {
    std::uint32_t lane = 0;
    std::uint32_t piece = BurstSpread::kNone;  ///< of those whose bursts go side by side
    std::int32_t to = 0, route = 0;
    std::uint16_t hop = 0;
    bool last = false;
    std::uint8_t target = 0;
    std::int64_t bytes = 0;
    Tick complete = 0;
  };

  static void OnAdvance(void* player, std::uint64_t lane);
  static void OnInject(void* player, std::uint64_t lane);
  static void OnDone(void* player, std::uint64_t lane);
  static void OnHop(void* player, std::uint64_t flight);

  const Primitive& Current(std::uint32_t lane) const;
  const TransferProtocol& ProtocolOf(std::uint32_t lane) const {
    return program_.protocols[static_cast<std::size_t>(program_.lanes[lane].protocol)];
  }
  std::int64_t PieceBytes(std::uint32_t lane) const;
  bool Finished(std::uint32_t lane) const;
  void Enter(std::uint32_t lane, LaneState state);
  void FindFollowers();
  void StartFollowers(std::uint32_t lane);
  void CountDone(std::uint32_t lane);
  void Advance(std::uint32_t lane);
  void Begin(std::uint32_t lane);
  void Inject(std::uint32_t lane);
  void Done(std::uint32_t lane);
  void Step(std::uint32_t lane);
  void Hop(std::uint32_t flight);
  void Arrive(const Flight& flight, Tick when);
  /// The port on which lane `to` receives from lane `from`.
  Port& PortOf(std::uint32_t from, std::int32_t to) {
    return lanes_[static_cast<std::size_t>(to)].ports[NumberOf(from, to)];
  }
  const Port& PortOf(std::uint32_t from, std::int32_t to) const {
    return lanes_[static_cast<std::size_t>(to)].ports[NumberOf(from, to)];
  }
  std::size_t NumberOf(std::uint32_t from, std::int32_t to) const {
    const Lane& lane = program_.lanes[static_cast<std::size_t>(to)];
    return lane.group > 1 || lane.from == static_cast<std::int32_t>(from) ? 0 : 1;
  }
  void Post(std::uint32_t from, std::int32_t to, Tick when);
  void PostToGroup(std::uint32_t from, Tick when);
  /// When there is room for the next piece at all targets; kNever = somebody will tell.
  Tick RoomFrom(std::uint32_t lane) const;
  void Free(std::uint32_t lane);
  void Wake(std::int32_t lane, Tick when);
  void Keep(const Passage& passage, std::size_t link, std::uint32_t lane);

  const LinkProgram& program_;
  EventQueue& queue_;
  /// Links of all routes one after another, and where each route's begin: they are looked up for
  /// every burst.
  std::vector<std::uint32_t> route_links_, route_begins_;
  std::uint32_t LinkOf(std::int32_t route, std::size_t hop) const {
    return route_links_[route_begins_[static_cast<std::size_t>(route)] + hop];
  }
  std::size_t HopsOf(std::int32_t route) const {
    const auto r = static_cast<std::size_t>(route);
    return route_begins_[r + 1] - route_begins_[r];
  }
  std::vector<LinkPort*> links_;
  bool spans_;
  std::vector<Progress> lanes_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> followers_;  ///< lane, what comes after it
  std::vector<std::uint32_t> by_rank_;        ///< lanes; filled where ranks start one by one
  std::vector<std::uint32_t> first_of_rank_;  ///< in by_rank_
  std::vector<std::uint32_t> left_of_rank_;   ///< lanes that aren't done
  RankDone rank_done_ = nullptr;
  void* context_ = nullptr;
  BurstSpread spread_;
  std::vector<Flight> flights_;
  std::vector<std::uint32_t> free_flights_;
  std::uint64_t messages_ = 0;
  Tick end_ = 0;
  std::vector<LaneUse> uses_;
  std::vector<LaneSpan> lane_spans_;
  std::vector<LinkSpan> link_spans_;
};

}  // namespace siliscope
