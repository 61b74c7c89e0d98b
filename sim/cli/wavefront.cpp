// SPDX-License-Identifier: Apache-2.0
// siliscope wavefront: a small product on one array at cycle zoom, every element in every cycle, as
// JSON; what the course's step-by-step figures are drawn from.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/cli/option_text.h"
#include "sim/config/machine_loader.h"
#include "sim/contract/array_recorder.h"
#include "sim/contract/waveform.h"
#include "sim/core/error.h"
#include "sim/run/output_folder.h"

namespace siliscope {
namespace {

const char* const kDataflows[] = {"weight_stationary", "output_stationary", "input_stationary",
                                  "searched"};

/// The recording as a value change dump: cycle n from the clock's edge n on.
std::string WaveformText(const ArrayRecording& recording, const Clock& clock) {
  std::ostringstream text;
  const auto waveform = WaveformRegistry::Instance().Get("waveform", "vcd")(text);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> signals;
  const ArrayFrame& first = recording.frames.front();
  for (std::size_t r = 0; r < first.active.size(); ++r) {
    for (std::size_t c = 0; c < first.active[r].size(); ++c) {
      const std::string element = fmt::format("{}_{}", r, c);
      signals.emplace_back(waveform->AddSignal("array.active_" + element, 1),
                           waveform->AddReal("array.sum_" + element));
    }
  }
  for (std::size_t t = 0; t < recording.frames.size(); ++t) {
    const Tick now = clock.Cycles(static_cast<std::uint64_t>(t));
    const ArrayFrame& frame = recording.frames[t];
    std::size_t at = 0;
    for (std::size_t r = 0; r < frame.active.size(); ++r) {
      for (std::size_t c = 0; c < frame.active[r].size(); ++c, ++at) {
        waveform->Set(now, signals[at].first, static_cast<std::uint64_t>(frame.active[r][c]));
        waveform->SetReal(now, signals[at].second, static_cast<double>(frame.sums[r][c]));
      }
    }
  }
  return text.str();
}

}  // namespace

void Wavefront(const WavefrontOptions& o) {
  const MachineSpec machine = LoadMachine(o.system, ParseOverrides(o.set));
  const ArrayRecording recording =
      ArrayRecorderRegistry::Instance().Get("kind of array", machine.kind)(machine, o.m, o.k, o.n);
  if (recording.product != recording.reference) {
    throw InternalError("the array's product is not the reference product");
  }
  if (!o.vcd.empty()) WriteFileWhole(o.vcd, WaveformText(recording, Clock(machine.clock_hz)));
  nlohmann::ordered_json json = {
      {"system", machine.name},
      {"dataflow", kDataflows[static_cast<int>(machine.npu.array.dataflow)]},
      {"m", o.m},
      {"k", o.k},
      {"n", o.n},
      {"a", recording.a},
      {"b", recording.b},
      {"cycles", recording.cycles},
      {"product", recording.product},
      {"meaning",
       "frames: a cycle each; active: 1 = the processing element holds a valid operand; sums: its "
       "partial sum; a (m x k), b (k x n) and product (m x n) row by row"}};
  for (const ArrayFrame& frame : recording.frames) {
    json["frames"].push_back({{"active", frame.active}, {"sums", frame.sums}});
  }
  fmt::print("{}\n", json.dump());
}

}  // namespace siliscope
