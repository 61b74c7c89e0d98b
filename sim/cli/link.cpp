// SPDX-License-Identifier: Apache-2.0
// siliscope link: one link under a load, flit by flit, as JSON.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/cli/commands.h"
#include "sim/config/cluster_loader.h"
#include "sim/contract/link_recorder.h"
#include "sim/contract/waveform.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/output_folder.h"

namespace siliscope {
namespace {

nlohmann::ordered_json DirectionJson(const LinkFlits& f) {
  return {{"data_bytes", f.data_bytes},
          {"data_flits", f.data_flits},
          {"header_flits", f.header_flits},
          {"acknowledge_flits", f.acknowledge_flits},
          {"replayed_flits", f.replayed_flits},
          {"errors", f.errors},
          {"idle_cycles", f.idle_cycles},
          {"credit_wait_cycles", f.credit_wait_cycles},
          {"replay_wait_cycles", f.replay_wait_cycles}};
}

std::string WaveformText(const LinkRecording& r, const LinkSpec& spec) {
  std::ostringstream text;
  const auto waveform = WaveformRegistry::Instance().Get("waveform", "vcd")(text);
  const std::uint32_t forward = waveform->AddSignal("link.forward", 2);
  const std::uint32_t back = waveform->AddSignal("link.back", 2);
  const Clock clock(spec.bytes_per_s / static_cast<double>(spec.flit_bytes));
  for (std::size_t t = 0; t < r.frames.size(); ++t) {
    const Tick now = clock.Cycles(static_cast<std::uint64_t>(t));
    waveform->Set(now, forward, static_cast<std::uint64_t>(r.frames[t][0]));
    waveform->Set(now, back, static_cast<std::uint64_t>(r.frames[t][1]));
  }
  return text.str();
}

}  // namespace

void Link(const LinkOptions& o) {
  LinkSpec spec = LoadLinkKind(o.kind, "--kind");
  if (std::isnan(o.bit_error_rate)) throw UserError("--bit-error-rate: not a number");
  if (o.bit_error_rate >= 0) spec.bit_error_rate = o.bit_error_rate;
  if (o.credits > 0) spec.credits = o.credits;
  LinkLoad load;
  load.bytes = static_cast<std::int64_t>(ParseQuantity(o.bytes, Dimension::kBytes));
  load.packet_bytes = o.packet_bytes > 0 ? o.packet_bytes : spec.store_bytes;
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
  if (load.bytes < 1 || load.bytes > kMostBytes) throw UserError("--bytes: from 1 B to 1 GiB");
  if (load.packet_bytes > spec.data_flits * spec.flit_bytes) {
    throw UserError(fmt::format("--packet: a packet of {} holds at most {} B", spec.name,
                                spec.data_flits * spec.flit_bytes));
  }
  load.both_directions = o.both;
  load.reads = o.reads;
  load.seed = o.seed;
  load.frames = !o.vcd.empty();
  const LinkRecording r = LinkRecorderRegistry::Instance().Get("model", "link")(spec, load);
  if (!o.vcd.empty()) WriteFileWhole(o.vcd, WaveformText(r, spec));
  const nlohmann::ordered_json json = {
      {"link", spec.name},
      {"bytes", load.bytes},
      {"packet_bytes", load.packet_bytes},
      {"packet_efficiency", spec.PacketEfficiency(load.packet_bytes)},
      {"cycles", r.cycles},
      {"data_gb_per_s", r.data_bytes_per_s / 1e9},
      {"raw_gb_per_s", spec.bytes_per_s / 1e9},
      {"cycle_zoom_us", r.cycle_seconds * 1e6},
      {"tile_zoom_us", r.tile_seconds * 1e6},
      {"forward", DirectionJson(r.directions[0])},
      {"back", DirectionJson(r.directions[1])}};
  fmt::print("{}\n", json.dump(2));
}

}  // namespace siliscope
