// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/link_cycle.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

/// Cycles beyond the round trips of the wire after which what was sent is taken for lost: many
/// packets' (assumed; the published format gives none).
constexpr std::uint64_t kRecovery = 512;
constexpr std::int64_t kAgain = 1;

}  // namespace

LinkCycle::LinkCycle(const LinkSpec& spec, std::uint64_t seed)
    : spec_(spec),
      latency_cycles_(static_cast<std::uint64_t>(
          std::llround(spec.latency_s * spec.bytes_per_s / static_cast<double>(spec.flit_bytes)))),
      timeout_cycles_(4 * latency_cycles_ + kRecovery),
      random_(seed * 2 + 1) {
  for (End& end : ends_) end.credits.fill(spec.credits);
}

void LinkCycle::Enqueue(End& end, PacketKind kind, std::int64_t bytes, std::int64_t reply_flits,
                        bool begins) {
  LinkPacket p;
  p.kind = kind;
  p.reply_flits = reply_flits;
  p.bytes = bytes;
  p.begins = begins;
  switch (kind) {
    case PacketKind::kWrite:
    case PacketKind::kReadData:
      p.flits = spec_.PacketFlits(bytes) + (begins ? spec_.address_flits : 0);
      break;
    case PacketKind::kResponse:
      p.flits = reply_flits;
      break;
    case PacketKind::kReadRequest:
      p.flits = spec_.request_flits;
      break;
  }
  if (p.flits > 0) end.queues[ChannelOf(kind)].push_back(p);
}

/// Packets of weighted traffic take turns by the time at which a link that served all classes at
/// once would be done with them (Golestani, "A self-clocked fair queueing scheme for broadband
/// applications", INFOCOM 1994).
void LinkCycle::WritePacket(int from, std::int64_t bytes, std::int64_t reply_flits, bool begins,
                            std::size_t traffic_class, double weight) {
  End& end = ends_[static_cast<std::size_t>(from)];
  Enqueue(end, PacketKind::kWrite, bytes, reply_flits, begins);
  std::deque<LinkPacket>& queue = end.queues[ChannelOf(PacketKind::kWrite)];
  queue.back().traffic_class = traffic_class;
  if (weight <= 0) return;
  LinkPacket& packet = end.shares[traffic_class].emplace_back(queue.back());
  queue.pop_back();
  double& last = end.turns[traffic_class];
  last = packet.turn = std::max(end.turn, last) + static_cast<double>(packet.flits) / weight;
}

std::deque<LinkPacket>* LinkCycle::NextQueue(End& end, std::size_t channel) {
  if (!end.queues[channel].empty()) return &end.queues[channel];
  if (channel != ChannelOf(PacketKind::kWrite)) return nullptr;
  std::deque<LinkPacket>* next = nullptr;
  for (std::deque<LinkPacket>& share : end.shares) {
    if (share.empty()) continue;
    if (next == nullptr || share.front().turn < next->front().turn) next = &share;
  }
  return next;
}

bool LinkCycle::Waits(const End& end) {
  const auto holds = [](const std::deque<LinkPacket>& queue) { return !queue.empty(); };
  return std::any_of(end.queues.begin(), end.queues.end(), holds) ||
         std::any_of(end.shares.begin(), end.shares.end(), holds);
}

void LinkCycle::Write(int from, std::int64_t bytes, std::int64_t packet_bytes) {
  for (std::int64_t at = 0; at < bytes; at += packet_bytes) {
    WritePacket(from, std::min(packet_bytes, bytes - at), spec_.response_flits, at == 0);
  }
}

void LinkCycle::Read(int from, std::int64_t bytes, std::int64_t packet_bytes) {
  for (std::int64_t at = 0; at < bytes; at += packet_bytes) {
    Enqueue(ends_[static_cast<std::size_t>(from)], PacketKind::kReadRequest,
            std::min(packet_bytes, bytes - at), 0, at == 0);
  }
}

/// Whether one of the packet's bits was wrong (xorshift64*, Vigna, TOMS 2016).
bool LinkCycle::Damaged(std::int64_t flits) {
  if (spec_.bit_error_rate <= 0) return false;
  const double bits = static_cast<double>(flits * spec_.flit_bytes * 8);
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  const double drawn = static_cast<double>((random_ * 0x2545f4914f6cdd1dULL) >> 11) * 0x1p-53;
  return drawn < -std::expm1(bits * std::log1p(-spec_.bit_error_rate));
}

void LinkCycle::Deliver(End& end, const LinkPacket& p) {
  End& sender = &end == ends_.data() ? ends_[1] : ends_[0];
  if (p.kind == PacketKind::kWrite || p.kind == PacketKind::kReadData) {
    sender.counters.data_bytes += p.bytes;
    sender.counters.class_bytes[p.traffic_class] += p.bytes;
  }
  if (p.kind == PacketKind::kWrite) Enqueue(end, PacketKind::kResponse, 0, p.reply_flits);
  if (p.kind == PacketKind::kReadRequest) Enqueue(end, PacketKind::kReadData, p.bytes, 0, p.begins);
  // Its place in the buffer is free; the sender hears of it with a header of the other direction.
  sender.returns.push_back({cycle_ + latency_cycles_, ChannelOf(p.kind), p.flits});
}

void LinkCycle::Receive(End& end, End& other) {
  while (!end.returns.empty() && end.returns.front().cycle <= cycle_) {
    end.credits[end.returns.front().channel] += end.returns.front().flits;
    end.returns.pop_front();
  }
  while (!end.arrivals.empty() && end.arrivals.front().cycle <= cycle_) {
    const Arrival arrival = end.arrivals.front();
    end.arrivals.pop_front();
    if (arrival.damaged && arrival.packet.flits == 0) continue;  // an acknowledgement is lost
    if (arrival.acknowledges >= 0 && !arrival.damaged) {
      const auto upto = static_cast<std::uint64_t>(arrival.acknowledges);
      while (!end.unacknowledged.empty() && end.unacknowledged.front().sequence < upto) {
        end.unacknowledged.pop_front();
        end.heard = cycle_;
        if (end.replaying && end.replay_from > 0) --end.replay_from;
      }
      if (arrival.asks_replay && !end.unacknowledged.empty()) {
        end.replaying = true;
        end.replay_from = 0;
      }
    }
    const LinkPacket& p = arrival.packet;
    if (p.flits == 0) continue;  // an acknowledgement alone
    if (p.sequence != end.expected) {
      // After a damaged packet all that follow are dropped until it comes again. One that was here
      // before is acknowledged again, as that may have been lost.
      if (p.sequence < end.expected) end.to_acknowledge = std::max(end.to_acknowledge, kAgain);
      other.returns.push_back({cycle_ + latency_cycles_, ChannelOf(p.kind), p.flits});
      continue;
    }
    if (arrival.damaged) {
      ++other.counters.errors;
      other.returns.push_back({cycle_ + latency_cycles_, ChannelOf(p.kind), p.flits});
      end.must_ask_replay = true;
      continue;
    }
    ++end.expected;
    ++end.to_acknowledge;
    Deliver(end, p);
  }
}

/// The next packet: one that is replayed, else an answer, else a request, where credits allow.
bool LinkCycle::BeginPacket(End& end) {
  if (end.replaying) {
    if (end.replay_from >= end.unacknowledged.size()) {
      end.replaying = false;
    } else {
      const LinkPacket& again = end.unacknowledged[end.replay_from];
      if (end.credits[ChannelOf(again.kind)] < again.flits) {
        ++end.counters.credit_wait_cycles;
        return false;
      }
      end.current = again;
      end.left = again.flits;
      ++end.replay_from;
      end.credits[ChannelOf(again.kind)] -= again.flits;
      end.counters.replayed_flits += again.flits;
      return true;
    }
  }
  if (static_cast<std::int64_t>(end.unacknowledged.size()) >= spec_.replay_packets) {
    ++end.counters.replay_wait_cycles;
    return false;
  }
  bool waits = false;
  for (const std::size_t channel : {std::size_t{1}, std::size_t{0}}) {
    std::deque<LinkPacket>* queue = NextQueue(end, channel);
    if (queue == nullptr) continue;
    if (end.credits[channel] < queue->front().flits) {
      waits = true;
      continue;
    }
    end.current = queue->front();
    queue->pop_front();
    end.turn = std::max(end.turn, end.current.turn);
    end.current.sequence = end.next_sequence++;
    end.left = end.current.flits;
    end.credits[channel] -= end.current.flits;
    if (end.unacknowledged.empty()) end.heard = cycle_;
    end.unacknowledged.push_back(end.current);
    ++end.counters.packets[static_cast<std::size_t>(end.current.kind)];
    return true;
  }
  ++(waits ? end.counters.credit_wait_cycles : end.counters.idle_cycles);
  return false;
}

/// Every header carries what was received in order so far.
void LinkCycle::FinishPacket(End& end, End& other) {
  Arrival arrival;
  arrival.cycle = cycle_ + 1 + latency_cycles_;
  arrival.packet = end.current;
  arrival.damaged = Damaged(end.current.flits);
  arrival.acknowledges = static_cast<std::int64_t>(end.expected);
  end.to_acknowledge = 0;
  other.arrivals.push_back(arrival);
}

void LinkCycle::SendAcknowledgement(End& end, End& other) {
  Arrival arrival;
  arrival.cycle = cycle_ + 1 + latency_cycles_;
  arrival.acknowledges = static_cast<std::int64_t>(end.expected);
  arrival.asks_replay = end.must_ask_replay;
  arrival.damaged = Damaged(1);
  end.must_ask_replay = false;
  end.to_acknowledge = 0;
  ++end.counters.acknowledge_flits;
  end.sending = 3;
  other.arrivals.push_back(arrival);
}

/// Acknowledgements, or a word that something came damaged, may be lost too.
void LinkCycle::ReplayWhereNothingIsHeard(End& end) const {
  if (end.replaying || end.unacknowledged.empty() || cycle_ < end.heard + timeout_cycles_) return;
  end.replaying = true;
  end.replay_from = 0;
  end.heard = cycle_;
}

void LinkCycle::Send(End& end, End& other) {
  end.sending = 0;
  if (end.left == 0) {
    ReplayWhereNothingIsHeard(end);
    const bool nothing = end.to_acknowledge > 0 && !end.replaying && !Waits(end);
    if (end.must_ask_replay || nothing) {
      SendAcknowledgement(end, other);
      return;
    }
    if (!BeginPacket(end)) {
      if (end.to_acknowledge > 0) SendAcknowledgement(end, other);
      return;
    }
  }
  const bool carries =
      end.current.kind == PacketKind::kWrite || end.current.kind == PacketKind::kReadData;
  const bool header = !carries || end.left > spec_.FlitsOf(end.current.bytes);
  ++(header ? end.counters.header_flits : end.counters.data_flits);
  end.sending = header ? 1 : 2;
  if (--end.left == 0) FinishPacket(end, other);
}

void LinkCycle::Step() {
  Receive(ends_[0], ends_[1]);
  Receive(ends_[1], ends_[0]);
  Send(ends_[0], ends_[1]);
  Send(ends_[1], ends_[0]);
  ++cycle_;
}

void LinkCycle::SkipTo(std::uint64_t cycle) {
  for (End& end : ends_) {
    end.counters.idle_cycles += static_cast<std::int64_t>(cycle - cycle_);
    end.sending = 0;
  }
  cycle_ = cycle;
}

bool LinkCycle::Done() const {
  return std::all_of(ends_.begin(), ends_.end(), [](const End& end) {
    return end.left == 0 && end.unacknowledged.empty() && end.arrivals.empty() && !Waits(end);
  });
}

}  // namespace siliscope
