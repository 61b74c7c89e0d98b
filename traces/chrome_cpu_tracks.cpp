// SPDX-License-Identifier: Apache-2.0
#include "traces/chrome_cpu_tracks.h"

#include <algorithm>
#include <string>
#include <vector>

namespace siliscope {
namespace {

constexpr int kMicroOpProcess = 7;

/// "load" or "load from beyond the first cache".
std::string NameOf(const MicroOpRecord& m) {
  std::string name = kMicroOpClassNames[static_cast<std::size_t>(m.op)];
  std::replace(name.begin(), name.end(), '_', ' ');
  if (m.op == MicroOpClass::kLoad && m.missed) name += " miss";
  return name;
}

}  // namespace

void WriteCpuTracks(ChromeEvents& events, const Record& record) {
  if (record.micro_ops.empty()) return;
  const std::string& core = record.units[record.micro_ops.front().core].name;
  if (!events.Shown(core)) return;
  events.Name("process_name", kMicroOpProcess, 0, core + " micro-operations");
  std::vector<Tick> free_from;  // of each track
  for (std::size_t i = 0; i < record.micro_ops.size(); ++i) {
    const MicroOpRecord& m = record.micro_ops[i];
    const Tick end = std::max(m.retired, m.done);
    if (!events.InWindow(m.entered, end)) continue;
    std::size_t track = 0;
    while (track < free_from.size() && free_from[track] > m.entered) ++track;
    if (track == free_from.size()) {
      free_from.push_back(0);
      events.Name("thread_name", kMicroOpProcess, track, fmt::format("place {}", track));
    }
    free_from[track] = end;
    const std::string name = NameOf(m);
    events.Event(
        "{{\"ph\":\"X\",\"name\":\"{}\",\"cat\":\"micro_op\",\"pid\":{},\"tid\":{},\"ts\":{},"
        "\"dur\":{},\"args\":{{\"number\":{}}}}}",
        name, kMicroOpProcess, track, events.At(m.entered), events.Length(m.entered, end), i);
    events.Event(
        "{{\"ph\":\"X\",\"name\":\"runs\",\"cat\":\"micro_op\",\"pid\":{},\"tid\":{},\"ts\":{},"
        "\"dur\":{},\"args\":{{\"number\":{}}}}}",
        kMicroOpProcess, track, events.At(m.issued), events.Length(m.issued, m.done), i);
  }
}

}  // namespace siliscope
