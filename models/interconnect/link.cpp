// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/link.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

Tick Duration(std::int64_t bytes, double bytes_per_s) {
  return static_cast<Tick>(static_cast<double>(bytes) / bytes_per_s * 1e12 + 0.5);
}

}  // namespace

LinkDirection::LinkDirection(const sc_core::sc_module_name& name, const LinkSpec& spec,
                             std::int64_t links, double node_latency_s)
    : sc_core::sc_module(name),
      bytes_per_s_(spec.bytes_per_s * static_cast<double>(links)),
      error_rate_(spec.bit_error_rate),
      latency_(static_cast<Tick>(std::llround((spec.latency_s + node_latency_s) * 1e12))),
      spec_(spec) {
  const std::int64_t packet = spec.PacketFlits(spec.store_bytes) * spec.flit_bytes;
  const std::int64_t credits = spec.credits * spec.flit_bytes;
  const std::int64_t window = links * std::min(credits / packet, spec.replay_packets) * packet;
  round_trip_ = static_cast<Tick>(std::llround(2e12 * spec.latency_s)) +
                Duration(packet + spec.flit_bytes, bytes_per_s_);
  if (Duration(window, bytes_per_s_) < round_trip_) window_bytes_ = window;
  constexpr double kBits = 8;
  const double whole = std::exp(kBits * static_cast<double>(packet) * std::log1p(-error_rate_));
  damaged_per_byte_ = (1 - whole) / whole / static_cast<double>(packet);
  port.bind(*this);
  use_.peak_bytes_per_s = bytes_per_s_;
}

/// The time that is lost to damaged packets, which may be damaged again when they are sent again.
/// Until the sender hears of it all that it sends is dropped.
Tick LinkDirection::Replays(std::int64_t wire_bytes) {
  if (error_rate_ <= 0) return 0;
  damaged_ += static_cast<double>(wire_bytes) * damaged_per_byte_;
  const double errors = std::floor(damaged_);
  damaged_ -= errors;
  const Tick lost = static_cast<Tick>(errors) * round_trip_;
  use_.replayed_bytes += static_cast<std::int64_t>(ToSeconds(lost) * bytes_per_s_);
  return lost;
}

/// When the receiver has room for the last of a burst: it takes a window at once, and a window
/// in each round trip.
Tick LinkDirection::RoomFrom(Tick begins, std::int64_t wire_bytes) {
  if (window_bytes_ == 0) return begins;
  const double windows = static_cast<double>(wire_bytes) / static_cast<double>(window_bytes_);
  room_at_ =
      std::max(room_at_, begins) + static_cast<Tick>(windows * static_cast<double>(round_trip_));
  return room_at_ - std::min(room_at_, round_trip_);
}

const LinkDirection::Form& LinkDirection::FormOf(const Burst& burst) {
  Form& f = form_;
  if (f.bytes == burst.bytes && f.copy_engine == burst.copy_engine && f.reads == burst.reads) {
    return f;
  }
  const std::int64_t packet_bytes = burst.copy_engine ? spec_.copy_bytes : spec_.store_bytes;
  const std::int64_t packet = spec_.WireBytes(std::min(burst.bytes, packet_bytes), packet_bytes);
  f = {burst.bytes,
       burst.copy_engine,
       burst.reads,
       spec_.WireBytes(burst.bytes, packet_bytes),
       spec_.OppositeBytes(burst.bytes, packet_bytes, burst.reads),
       Duration(packet, bytes_per_s_)};
  return f;
}

/// When a burst of weighted traffic has left: while other classes have something to send, each
/// gets its share of the rate (Parekh and Gallager, "A generalized processor sharing approach to
/// flow control", IEEE/ACM Transactions on Networking 1, 1993). A class whose last burst has just
/// left is taken to have another. What was promised to bursts that came before others is made up
/// for by the class that had more than its share: it ends no sooner than all that has come would
/// in any order.
Tick LinkDirection::SharedUntil(const Burst& burst, Tick begins, Tick sending) {
  Share& own = shares_[burst.traffic_class];
  if (burst.ready > free_at_) {
    for (Share& s : shares_) s.served = 0;
  }
  free_at_ = std::max(burst.ready, free_at_) + sending;
  own.served += static_cast<double>(sending) / static_cast<double>(own.weight);
  double weights = static_cast<double>(own.weight);
  bool has_less = false;
  for (const Share& s : shares_) {
    if (&s == &own || s.free_at + s.last <= begins) continue;
    weights += static_cast<double>(s.weight);
    has_less = has_less || own.served < s.served;
  }
  const double slower = weights / static_cast<double>(own.weight);
  own.last = static_cast<Tick>(static_cast<double>(sending) * slower);
  own.free_at = begins + own.last;
  if (!has_less) own.free_at = std::max({own.free_at, free_at_, begins + sending});
  return own.free_at;
}

Passage LinkDirection::Pass(const Burst& burst) {
  const Form& form = FormOf(burst);
  const std::int64_t wire = form.wire_bytes;
  const Tick sending = Duration(wire + owed_bytes_, bytes_per_s_) + Replays(wire + owed_bytes_);
  Tick begins = std::max(burst.ready, free_at_), ends = begins + sending;
  if (burst.weight > 0) {
    if (shares_.size() <= burst.traffic_class) shares_.resize(burst.traffic_class + 1U);
    Share& own = shares_[burst.traffic_class];
    own.weight = burst.weight;
    begins = std::max(burst.ready, own.free_at);
    ends = SharedUntil(burst, begins, sending);
  }
  const Tick duration = std::max(ends, RoomFrom(begins, wire)) - begins;
  Passage passage;
  passage.begins = begins;
  passage.first = begins + form.first_packet + latency_;
  // A burst that is still coming in can't have left; the wire is another's meanwhile.
  passage.served = std::max(begins + duration, burst.complete);
  passage.last = passage.served + latency_;
  if (burst.weight == 0) free_at_ = begins + duration;
  use_.response_bytes += owed_bytes_;
  owed_bytes_ = 0;
  use_.busy += sending;
  use_.credit_wait += begins + duration - ends;
  use_.wire_bytes += wire;
  use_.data_bytes += burst.bytes;
  if (opposite_ != nullptr) opposite_->Answer(form.opposite_bytes);
  return passage;
}

LinkUse LinkDirection::use() const {
  LinkUse use = use_;
  use.response_bytes += owed_bytes_;
  use.busy += Duration(owed_bytes_, bytes_per_s_);
  return use;
}

}  // namespace siliscope
