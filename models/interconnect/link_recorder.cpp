// SPDX-License-Identifier: Apache-2.0
#include "sim/contract/link_recorder.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/interconnect/link.h"
#include "models/interconnect/link_cycle.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

/// The same load in bursts, at tile zoom: until the last data has come.
double TileSeconds(const LinkSpec& spec, const LinkLoad& load) {
  LinkSpec as_asked = spec;
  as_asked.store_bytes = load.packet_bytes;
  LinkDirection forward("forward", as_asked, 1, 0), back("back", as_asked, 1, 0);
  forward.AnswerOn(&back);
  back.AnswerOn(&forward);
  const std::int64_t burst = std::max<std::int64_t>(load.packet_bytes, 2048);
  Tick last = 0;
  for (std::int64_t at = 0; at < load.bytes; at += burst) {
    Burst b;
    b.bytes = std::min(burst, load.bytes - at);
    b.reads = load.reads;
    last = std::max(last, forward.Pass(b).last);
    if (load.both_directions) last = std::max(last, back.Pass(b).last);
  }
  // The first request of a read has to get there.
  const double first = static_cast<double>(spec.request_flits * spec.flit_bytes) / spec.bytes_per_s;
  return ToSeconds(last) + (load.reads ? spec.latency_s + first : 0);
}

LinkFlits FlitsOf(const LinkCycleCounters& c) {
  LinkFlits f;
  f.data_bytes = c.data_bytes;
  f.data_flits = c.data_flits;
  f.header_flits = c.header_flits;
  f.acknowledge_flits = c.acknowledge_flits;
  f.replayed_flits = c.replayed_flits;
  f.errors = c.errors;
  f.idle_cycles = c.idle_cycles;
  f.credit_wait_cycles = c.credit_wait_cycles;
  f.replay_wait_cycles = c.replay_wait_cycles;
  return f;
}

LinkRecording Record(const LinkSpec& spec, const LinkLoad& load) {
  const std::int64_t largest = spec.header_flits + spec.FlitsOf(load.packet_bytes);
  if (largest > spec.credits) {
    throw UserError(fmt::format("{}: a packet of {} flits does not fit the receiver's {} credits",
                                spec.name, largest, spec.credits));
  }
  LinkCycle link(spec, load.seed);
  for (int direction = 0; direction < (load.both_directions ? 2 : 1); ++direction) {
    if (load.reads) {
      link.Read(1 - direction, load.bytes, load.packet_bytes);
    } else {
      link.Write(direction, load.bytes, load.packet_bytes);
    }
  }
  LinkRecording r;
  const std::int64_t wanted = load.bytes * (load.both_directions ? 2 : 1);
  std::uint64_t data_cycles = 0;
  constexpr std::uint64_t kMostCycles = 2'000'000'000;
  while (!link.Done()) {
    link.Step();
    if (load.frames) r.frames.push_back({link.sending(0), link.sending(1)});
    if (data_cycles == 0 && link.counters(0).data_bytes + link.counters(1).data_bytes == wanted) {
      data_cycles = link.cycle();
    }
    if (link.cycle() == kMostCycles) {
      throw UserError(spec.name + ": at this bit error rate hardly a packet gets through");
    }
  }
  r.cycles = link.cycle();
  r.seconds = link.SecondsOf(link.cycle());
  r.cycle_seconds = link.SecondsOf(data_cycles);
  r.data_bytes_per_s = static_cast<double>(load.bytes) / r.cycle_seconds;
  r.tile_seconds = TileSeconds(spec, load);
  for (int d = 0; d < 2; ++d) r.directions[static_cast<std::size_t>(d)] = FlitsOf(link.counters(d));
  return r;
}

const bool kRegistered = LinkRecorderRegistry::Instance().Add("link", &Record);

}  // namespace
}  // namespace siliscope
