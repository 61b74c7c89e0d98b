// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/lane_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/core/error.h"

namespace siliscope {
namespace {

Tick Span(std::int64_t bytes, double bytes_per_s) {
  return static_cast<Tick>(static_cast<double>(bytes) / bytes_per_s * 1e12 + 0.5);
}

/// Packets of lanes that share a link take turns; bursts do so in their place. Small pieces are
/// cut, too, or the first lane's piece would pass before all others' first packets.
constexpr std::int64_t kLeastBurst = 2048, kMostBurst = 65536, kBurstsOfPiece = 8;

}  // namespace

LanePlayer::LanePlayer(const LinkProgram& program, EventQueue& queue, std::vector<LinkPort*> links,
                       bool spans)
    : program_(program),
      queue_(queue),
      links_(std::move(links)),
      spans_(spans),
      lanes_(program.lanes.size()),
      spread_(program, kWindow),
      uses_(program.lanes.size()) {
  for (const Route& route : program.routes) {
    route_begins_.push_back(static_cast<std::uint32_t>(route_links_.size()));
    for (const auto link : route) route_links_.push_back(static_cast<std::uint32_t>(link));
  }
  route_begins_.push_back(static_cast<std::uint32_t>(route_links_.size()));
}

void LanePlayer::OnAdvance(void* player, std::uint64_t lane) {
  static_cast<LanePlayer*>(player)->Advance(static_cast<std::uint32_t>(lane));
}
void LanePlayer::OnInject(void* player, std::uint64_t lane) {
  static_cast<LanePlayer*>(player)->Inject(static_cast<std::uint32_t>(lane));
}
void LanePlayer::OnDone(void* player, std::uint64_t lane) {
  static_cast<LanePlayer*>(player)->Done(static_cast<std::uint32_t>(lane));
}
void LanePlayer::OnHop(void* player, std::uint64_t flight) {
  static_cast<LanePlayer*>(player)->Hop(static_cast<std::uint32_t>(flight));
}

const Primitive& LanePlayer::Current(std::uint32_t lane) const {
  const auto& sequence =
      program_.sequences[static_cast<std::size_t>(program_.lanes[lane].sequence)];
  return sequence[lanes_[lane].primitive];
}

bool LanePlayer::Finished(std::uint32_t lane) const {
  const auto sequence = static_cast<std::size_t>(program_.lanes[lane].sequence);
  return lanes_[lane].primitive == program_.sequences[sequence].size();
}

std::int64_t LanePlayer::PieceBytes(std::uint32_t lane) const {
  const Primitive& p = Current(lane);
  return std::min(p.piece_bytes, p.bytes - lanes_[lane].piece * p.piece_bytes);
}

void LanePlayer::Enter(std::uint32_t lane, LaneState state) {
  Progress& l = lanes_[lane];
  const Tick now = queue_.now();
  uses_[lane].times[static_cast<std::size_t>(l.state)] += now - l.since;
  if (spans_ && now > l.since && lane_spans_.size() < kMostSpans) {
    lane_spans_.push_back({l.since, now, lane, l.state});
  }
  l.since = now;
  l.state = state;
}

/// The next piece begins, or the lane sleeps until it can.
void LanePlayer::Advance(std::uint32_t lane) {
  Progress& l = lanes_[lane];
  if (Finished(lane)) {
    Enter(lane, LaneState::kIdle);
    end_ = std::max(end_, queue_.now());
    uses_[lane].done = queue_.now();
    if (!followers_.empty()) StartFollowers(lane);
    if (rank_done_ != nullptr) CountDone(lane);
    return;
  }
  const Primitive& p = Current(lane);
  Tick start = queue_.now();
  if (p.receives) {
    const Port& in = l.ports[p.source];
    if (in.taken == in.arrived) {
      Enter(lane, LaneState::kWait);
      l.asleep = true;
      return;
    }
    start = std::max(start, in.arrives[in.taken % kMostBuffered]);
  }
  if (start > queue_.now()) {
    Enter(lane, LaneState::kWait);
    queue_.Schedule(start, &OnAdvance, this, lane);
    return;
  }
  if (p.sends) {
    const Tick room = RoomFrom(lane);
    if (room == kNever) {
      Enter(lane, LaneState::kCredit);
      l.asleep = true;
      return;
    }
    start = std::max(start, room);
  }
  if (start > queue_.now()) {
    Enter(lane, LaneState::kCredit);
    queue_.Schedule(start, &OnAdvance, this, lane);
    return;
  }
  // Of the time in which it waited, the last was from the data's arrival to the word of it.
  if (p.receives && l.state == LaneState::kWait) {
    const Tick told = std::min(ProtocolOf(lane).hop, queue_.now() - l.since);
    uses_[lane].times[static_cast<std::size_t>(LaneState::kWait)] -= told;
    uses_[lane].times[static_cast<std::size_t>(LaneState::kOverhead)] += told;
  }
  Begin(lane);
}

void LanePlayer::Begin(std::uint32_t lane) {
  Progress& l = lanes_[lane];
  const Primitive& p = Current(lane);
  const TransferProtocol& protocol = ProtocolOf(lane);
  const std::int64_t bytes = PieceBytes(lane);
  const Tick now = queue_.now();
  if (!p.sends || RouteOf(program_.lanes[lane], p.target) < 0) {
    Enter(lane, LaneState::kLocal);
    queue_.Schedule(
        now + protocol.overhead +
            Span(std::llround(static_cast<double>(bytes) * static_cast<double>(p.copies)),
                 protocol.local_bytes_per_s),
        &OnDone, this, lane);
    return;
  }
  Enter(lane, LaneState::kWire);
  l.left = std::llround(static_cast<double>(bytes) * protocol.wire_bytes_per_byte);
  l.burst = std::clamp(l.left / kBurstsOfPiece, kLeastBurst, kMostBurst);
  // A copy engine goes on with the next piece over the ways that are free.
  if (!protocol.copy_engine) l.bursts = 0;
  l.at_own_rate = 0;
  queue_.Schedule(now + protocol.overhead, &OnInject, this, lane);
}

/// A burst's first packet is there; the lane's threads go on writing it at their rate.
void LanePlayer::Inject(std::uint32_t lane) {
  Progress& l = lanes_[lane];
  const TransferProtocol& protocol = ProtocolOf(lane);
  const Tick now = queue_.now();
  const std::int64_t bytes = std::min(l.burst, l.left);
  l.left -= bytes;
  const Tick written = now + Span(bytes, protocol.bytes_per_s * protocol.wire_bytes_per_byte);
  const bool last = l.left == 0;
  const int target = Current(lane).target;
  const std::int32_t of_lane = RouteOf(program_.lanes[lane], target);
  const bool spreads = spread_.Spreads(of_lane);
  Flight flight;
  flight.lane = lane;
  flight.to = TargetOf(program_.lanes[lane], target);
  flight.target = static_cast<std::uint8_t>(target);
  flight.route = spreads ? spread_.Turn(of_lane) : of_lane;
  if (spreads) flight.piece = spread_.Leave(lane, target, last);
  flight.last = last;
  flight.bytes = bytes;
  const std::uint32_t link = LinkOf(flight.route, 0);
  const Passage passage =
      links_[link]->Pass({now, written, bytes, protocol.copy_engine, protocol.reads,
                          protocol.traffic_class, protocol.weight});
  ++messages_;
  Keep(passage, link, lane);
  if (spreads) {
    spread_.Sent(lane, of_lane, l.bursts, passage.served);
  } else {
    l.served[l.bursts % kWindow] = passage.served;
  }
  ++l.bursts;
  flight.complete = passage.last;
  if (HopsOf(flight.route) > 1) {
    flight.hop = 1;
    std::uint32_t index = 0;
    if (free_flights_.empty()) {
      index = static_cast<std::uint32_t>(flights_.size());
      flights_.push_back(flight);
    } else {
      index = free_flights_.back();
      free_flights_.pop_back();
      flights_[index] = flight;
    }
    queue_.Schedule(passage.first, &OnHop, this, index);
  } else {
    Arrive(flight, passage.last);
  }
  Tick room = l.bursts >= kWindow ? l.served[l.bursts % kWindow] : now;
  if (spreads) room = spread_.Room(lane, of_lane, l.bursts);
  const bool streams = spreads && protocol.copy_engine;
  const Tick taken = last && !streams ? passage.served : room;
  if (taken <= written) l.at_own_rate += written - now;
  queue_.Schedule(std::max(written, taken), last ? &OnDone : &OnInject, this, lane);
}

void LanePlayer::Keep(const Passage& passage, std::size_t link, std::uint32_t lane) {
  if (!spans_ || link_spans_.size() == kMostSpans) return;
  link_spans_.push_back({passage.begins, passage.served, static_cast<std::uint32_t>(link), lane});
}

void LanePlayer::Hop(std::uint32_t index) {
  Flight flight = flights_[index];
  const TransferProtocol& protocol = ProtocolOf(flight.lane);
  const std::uint32_t link = LinkOf(flight.route, flight.hop);
  const Passage passage =
      links_[link]->Pass({queue_.now(), flight.complete, flight.bytes, protocol.copy_engine,
                          protocol.reads, protocol.traffic_class, protocol.weight});
  ++messages_;
  Keep(passage, link, flight.lane);
  flight.complete = passage.last;
  if (flight.hop + 1U < HopsOf(flight.route)) {
    ++flight.hop;
    flights_[index] = flight;
    queue_.Schedule(passage.first, &OnHop, this, index);
    return;
  }
  free_flights_.push_back(index);
  Arrive(flight, passage.last);
}

/// A burst is there: with the last one the piece is.
void LanePlayer::Arrive(const Flight& flight, Tick when) {
  const Tick hop = ProtocolOf(flight.lane).hop;
  if (flight.piece == BurstSpread::kNone) {
    if (flight.last) Post(flight.lane, flight.to, when + hop);
    return;
  }
  spread_.Arrive(flight.piece, when);
  while (spread_.TakeArrived(flight.lane, flight.target, &when)) {
    Post(flight.lane, flight.to, when + hop);
  }
}

/// The piece is done: what was received is free, what is sent within the chip is there.
void LanePlayer::Done(std::uint32_t lane) {
  Progress& l = lanes_[lane];
  const Primitive& p = Current(lane);
  const TransferProtocol& protocol = ProtocolOf(lane);
  const Tick now = queue_.now();
  ++uses_[lane].pieces;
  const auto at = static_cast<std::size_t>(l.state);
  const Tick overhead = std::min(protocol.overhead, now - l.since);
  Enter(lane, LaneState::kIdle);
  uses_[lane].times[at] -= overhead;
  uses_[lane].times[static_cast<std::size_t>(LaneState::kOverhead)] += overhead;
  if (at == static_cast<std::size_t>(LaneState::kWire)) {
    uses_[lane].times[at] -= l.at_own_rate;
    uses_[lane].times[static_cast<std::size_t>(LaneState::kWrite)] += l.at_own_rate;
  }
  if (p.receives) {
    Free(lane);
  }
  if (p.sends) {
    ++l.ports[p.target].sent;
    if (RouteOf(program_.lanes[lane], p.target) < 0) {
      Post(lane, TargetOf(program_.lanes[lane], p.target), now + protocol.hop);
    }
  }
  Step(lane);
  Advance(lane);
}

void LanePlayer::Step(std::uint32_t lane) {
  Progress& l = lanes_[lane];
  const Primitive& p = Current(lane);
  ++l.piece;
  if (l.piece * p.piece_bytes < p.bytes) return;
  l.piece = 0;
  if (++l.repeat < p.repeat) return;
  l.repeat = 0;
  ++l.primitive;
}

Tick LanePlayer::RoomFrom(std::uint32_t lane) const {
  const Lane& from = program_.lanes[lane];
  const int which = Current(lane).target;
  const std::uint64_t sent = lanes_[lane].ports[static_cast<std::size_t>(which)].sent;
  const auto buffered = static_cast<std::uint64_t>(ProtocolOf(lane).buffered);
  Tick room = 0;
  for (std::int32_t i = 0; i < from.group; ++i) {
    const Port& peer = PortOf(lane, TargetOf(from, which) + i * from.stride);
    if (sent >= peer.taken + buffered) return kNever;
    if (sent >= buffered) room = std::max(room, peer.frees[(sent - buffered) % kMostBuffered]);
  }
  return room;
}

/// What was received is taken: those that sent it hear that there is room.
void LanePlayer::Free(std::uint32_t lane) {
  const Lane& to = program_.lanes[lane];
  const int which = Current(lane).source;
  Port& in = lanes_[lane].ports[static_cast<std::size_t>(which)];
  const Tick when = queue_.now() + ProtocolOf(lane).hop;
  in.frees[in.taken % kMostBuffered] = when;
  ++in.taken;
  for (std::int32_t i = 0; i < to.group; ++i) {
    const std::int32_t from = SourceOf(to, which) + i * to.stride;
    if (lanes_[static_cast<std::size_t>(from)].state == LaneState::kCredit) Wake(from, when);
  }
}

/// A piece has come where all that it is made of have.
void LanePlayer::PostToGroup(std::uint32_t from, Tick when) {
  const Lane& lane = program_.lanes[from];
  const std::size_t slot = lanes_[from].posted++ % kMostBuffered;
  for (std::int32_t i = 0; i < lane.group; ++i) {
    const std::int32_t to = lane.to + i * lane.stride;
    Port& port = PortOf(from, to);
    port.arrives[slot] = port.came[slot] == 0 ? when : std::max(port.arrives[slot], when);
    if (++port.came[slot] < lane.group) continue;
    port.came[slot] = 0;
    ++port.arrived;
    const bool waits = lanes_[static_cast<std::size_t>(to)].state == LaneState::kWait;
    if (waits) Wake(to, port.arrives[slot]);
  }
}

void LanePlayer::Post(std::uint32_t from, std::int32_t to, Tick when) {
  if (program_.lanes[from].group > 1) return PostToGroup(from, when);
  Port& port = PortOf(from, to);
  port.arrives[port.arrived % kMostBuffered] = when;
  ++port.arrived;
  if (lanes_[static_cast<std::size_t>(to)].state == LaneState::kWait) Wake(to, when);
}

void LanePlayer::Wake(std::int32_t lane, Tick when) {
  Progress& l = lanes_[static_cast<std::size_t>(lane)];
  if (!l.asleep) return;
  l.asleep = false;
  queue_.Schedule(when, &OnAdvance, this, static_cast<std::uint64_t>(lane));
}

std::string LanePlayer::WhoWaits() const {
  std::string text;
  int named = 0;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    if (Finished(lane)) continue;
    if (++named > 4) return text + ", ...";
    const Lane& l = program_.lanes[lane];
    const Primitive& p = Current(lane);
    const std::int32_t other =
        lanes_[lane].state == LaneState::kCredit ? TargetOf(l, p.target) : SourceOf(l, p.source);
    text += fmt::format(
        "{}rank {} channel {} after {} pieces for {} of rank {}", text.empty() ? "" : ", ", l.rank,
        l.cta, uses_[lane].pieces, lanes_[lane].state == LaneState::kCredit ? "room" : "data",
        other == kNoLane ? -1 : program_.lanes[static_cast<std::size_t>(other)].rank);
  }
  return text;
}

void LanePlayer::Finish(ClusterRecord* record) {
  const std::string waits = WhoWaits();
  if (!waits.empty()) throw InternalError("the simulation is stuck; waiting: " + waits);
  record->total = end_;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    uses_[lane].times[static_cast<std::size_t>(LaneState::kIdle)] +=
        record->total - lanes_[lane].since;
  }
  record->messages = messages_;
  record->events = queue_.events_run();
  record->lanes = std::move(uses_);
  record->lane_spans = std::move(lane_spans_);
  record->link_spans = std::move(link_spans_);
}

}  // namespace siliscope
