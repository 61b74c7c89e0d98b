// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/zoomed_link.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

LinkSpec ZoomedLink::Joined(LinkSpec spec, std::int64_t links) {
  spec.bytes_per_s *= static_cast<double>(links);
  spec.credits *= links;
  spec.replay_packets *= links;
  return spec;
}

ZoomedLink::ZoomedLink(const sc_core::sc_module_name& name, const LinkSpec& spec,
                       std::int64_t links, std::array<double, 2> latencies_s, bool watched)
    : sc_core::sc_module(name),
      spec_(Joined(spec, links)),
      cycle_ps_(static_cast<double>(spec_.flit_bytes) / spec_.bytes_per_s * 1e12),
      watched_(watched),
      directions_{Direction(*this, 0), Direction(*this, 1)},
      state_{LinkCycle(spec_, 1), {}} {
  forward.bind(directions_[0]);
  back.bind(directions_[1]);
  for (std::size_t d = 0; d < 2; ++d) {
    node_latency_[d] = static_cast<Tick>(std::llround(latencies_s[d] * 1e12));
    uses_[d].peak_bytes_per_s = spec_.bytes_per_s;
  }
}

std::uint64_t ZoomedLink::CycleAt(Tick t) const {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(t) / cycle_ps_));
}
Tick ZoomedLink::TimeOf(std::uint64_t cycle) const {
  return static_cast<Tick>(std::llround(static_cast<double>(cycle) * cycle_ps_));
}

void ZoomedLink::Step(State* state) {
  while (!state->offers.empty() && state->offers.front().cycle <= state->link.cycle()) {
    const Offer& o = state->offers.front();
    state->link.WritePacket(o.direction, o.bytes, o.reply_flits, o.begins, o.traffic_class,
                            o.weight);
    state->offers.pop_front();
  }
  state->link.Step();
}

void ZoomedLink::AdvanceTo(std::uint64_t cycle) {
  while (state_.link.cycle() < cycle) {
    if (state_.link.Done()) {  // nothing moves until something is offered
      const std::uint64_t next =
          state_.offers.empty() ? cycle : std::min(cycle, state_.offers.front().cycle);
      if (next > state_.link.cycle()) {
        state_.link.SkipTo(next);
        continue;
      }
    }
    Step(&state_);
    if (!watched_) continue;
    const Tick now = TimeOf(state_.link.cycle() - 1);
    for (int d = 0; d < 2; ++d) {
      int& sending = sending_[static_cast<std::size_t>(d)];
      if (sending == state_.link.sending(d)) continue;
      sending = state_.link.sending(d);
      changes_.push_back({now, d, sending});
    }
  }
}

/// What is on the links up to now has happened. When the burst will have passed is found on a copy
/// of them, which knows all that was offered before, but nothing of what the other direction will
/// have to send later.
Passage ZoomedLink::Pass(const Burst& burst, int direction) {
  const auto d = static_cast<std::size_t>(direction);
  const std::int64_t packet_bytes = burst.copy_engine ? spec_.copy_bytes : spec_.store_bytes;
  const std::int64_t packets = (burst.bytes + packet_bytes - 1) / packet_bytes;
  const std::uint64_t first = std::max(CycleAt(burst.ready), state_.link.cycle());
  const std::uint64_t last = std::max(first, CycleAt(burst.complete));
  AdvanceTo(first);
  for (std::int64_t p = 0; p < packets; ++p) {
    Offer offer;
    offer.cycle = first + (last - first) * static_cast<std::uint64_t>(p) /
                              static_cast<std::uint64_t>(packets);
    offer.direction = direction;
    offer.bytes = std::min(packet_bytes, burst.bytes - p * packet_bytes);
    offer.begins = p == 0;
    offer.traffic_class = burst.traffic_class;
    offer.weight = static_cast<double>(burst.weight);
    offer.reply_flits = burst.reads ? spec_.request_flits : spec_.response_flits;
    const auto place =
        std::upper_bound(state_.offers.begin(), state_.offers.end(), offer,
                         [](const Offer& a, const Offer& b) { return a.cycle < b.cycle; });
    state_.offers.insert(place, offer);
  }
  const std::size_t c = burst.traffic_class;
  const std::int64_t before = offered_[d][c];
  offered_[d][c] += burst.bytes;
  State ahead = state_;
  Passage passage;
  passage.begins = TimeOf(first);
  const std::int64_t first_packet = before + std::min(packet_bytes, burst.bytes);
  bool first_came = false;
  while (ahead.link.counters(direction).class_bytes[c] < offered_[d][c]) {
    Step(&ahead);
    if (!first_came && ahead.link.counters(direction).class_bytes[c] >= first_packet) {
      first_came = true;
      passage.first = TimeOf(ahead.link.cycle()) + node_latency_[d];
    }
  }
  const Tick arrived = TimeOf(ahead.link.cycle());
  const auto latency = static_cast<Tick>(std::llround(spec_.latency_s * 1e12));
  passage.served = std::max({burst.complete, passage.begins, arrived - std::min(arrived, latency)});
  passage.last = std::max(passage.served, arrived) + node_latency_[d];
  passage.first = std::max(passage.first, burst.ready);
  LinkUse& use = uses_[d];
  use.data_bytes += burst.bytes;
  use.wire_bytes += spec_.WireBytes(burst.bytes, packet_bytes);
  uses_[1 - d].response_bytes += spec_.OppositeBytes(burst.bytes, packet_bytes, burst.reads);
  return passage;
}

void ZoomedLink::Finish() {
  while (!state_.link.Done() || !state_.offers.empty()) AdvanceTo(state_.link.cycle() + 1);
}

LinkUse ZoomedLink::use(int direction) const {
  LinkUse use = uses_[static_cast<std::size_t>(direction)];
  const LinkCycleCounters& c = state_.link.counters(direction);
  const std::int64_t flits = c.data_flits + c.header_flits + c.acknowledge_flits;
  use.busy = TimeOf(static_cast<std::uint64_t>(flits));
  use.acknowledge_bytes = c.acknowledge_flits * spec_.flit_bytes;
  use.replayed_bytes = c.replayed_flits * spec_.flit_bytes;
  use.credit_wait = TimeOf(static_cast<std::uint64_t>(c.credit_wait_cycles));
  return use;
}

}  // namespace siliscope
