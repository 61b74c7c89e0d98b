// SPDX-License-Identifier: Apache-2.0
// Value change dump (IEEE 1364-2005, section 18) of an array at cycle zoom: for each processing
// element whether it holds a valid operand, and its sum.
#include <fmt/format.h>

#include "sim/contract/array_recorder.h"
#include "sim/core/time.h"

namespace siliscope {
namespace {

/// A signal's short name: printable characters, as the format wants.
std::string Identifier(std::size_t index) {
  std::string id;
  do {
    id += static_cast<char>('!' + index % 94);
    index /= 94;
  } while (index > 0);
  return id;
}

void Write(const ArrayRecording& recording, double clock_hz, std::ostream& out) {
  const Clock clock(clock_hz);
  if (recording.frames.empty()) return;
  const std::size_t rows = recording.frames.front().active.size();
  const std::size_t columns = recording.frames.front().active.front().size();
  out << "$timescale 1 ps $end\n$scope module array $end\n";
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t at = 2 * (r * columns + c);
      out << fmt::format("$var wire 1 {} active_{}_{} $end\n", Identifier(at), r, c)
          << fmt::format("$var real 64 {} sum_{}_{} $end\n", Identifier(at + 1), r, c);
    }
  }
  out << "$upscope $end\n$enddefinitions $end\n";
  for (std::size_t t = 0; t < recording.frames.size(); ++t) {
    out << '#' << clock.Cycles(static_cast<std::uint64_t>(t)) << '\n';
    const ArrayFrame& now = recording.frames[t];
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t c = 0; c < columns; ++c) {
        const std::size_t at = 2 * (r * columns + c);
        const ArrayFrame* before = t == 0 ? nullptr : &recording.frames[t - 1];
        if (before == nullptr || before->active[r][c] != now.active[r][c]) {
          out << now.active[r][c] << Identifier(at) << '\n';
        }
        if (before == nullptr || before->sums[r][c] != now.sums[r][c]) {
          out << fmt::format("r{:.9g} {}\n", now.sums[r][c], Identifier(at + 1));
        }
      }
    }
  }
  out << '#' << clock.Cycles(recording.cycles) << '\n';
}

const bool kRegistered = ArrayTraceRegistry::Instance().Add("vcd", &Write);

}  // namespace
}  // namespace siliscope
