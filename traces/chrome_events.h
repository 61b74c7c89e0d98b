// SPDX-License-Identifier: Apache-2.0
// Chrome trace events (JSON), which Perfetto and chrome://tracing read.
//
// The format counts in microseconds. Timestamps are whole nanoseconds (begin and end are rounded,
// the duration is their difference), written with three decimals; or whole cycles, a cycle shown as
// a microsecond. So neighbours never overlap and slices nest.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <ostream>
#include <string>
#include <utility>

#include "sim/contract/trace_writer.h"

namespace siliscope {

/// A JSON string of a text.
inline std::string JsonText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += ' ';
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

/// Writes events one after another.
class ChromeEvents {
 public:
  ChromeEvents(Clock clock, const TraceOptions& options, std::ostream& out)
      : options_(options), out_(out), clock_(clock) {}

  void Begin(const std::string& other_data) {
    buffer_ = fmt::format("{{\"otherData\":{{{}}},\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n",
                          other_data);
  }
  void End() {
    buffer_ += "\n]}\n";
    Flush(0);
  }
  template <typename... Arguments>
  void Event(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    Flush(1 << 16);
    if (!first_) buffer_ += ",\n";
    first_ = false;
    fmt::format_to(std::back_inserter(buffer_), text, std::forward<Arguments>(arguments)...);
  }

  const TraceOptions& options() const { return options_; }
  std::uint64_t Stamp(Tick t) const {
    return options_.time_in_cycles ? clock_.CyclesIn(t) : (t + 500) / 1000;
  }

  /// A number of nanoseconds or cycles, as the format writes it.
  std::string Written(std::uint64_t stamp) const {
    return options_.time_in_cycles ? std::to_string(stamp)
                                   : fmt::format("{}.{:03}", stamp / 1000, stamp % 1000);
  }
  /// Slices are cut at the edges of the window.
  Tick Clipped(Tick t) const { return std::clamp(t, options_.window_begin, options_.window_end); }
  std::string At(Tick t) const { return Written(Stamp(Clipped(t))); }
  std::string Length(Tick begin, Tick end) const {
    return Written(Stamp(Clipped(end)) - Stamp(Clipped(begin)));
  }

  bool Shown(const std::string& unit) const {
    if (options_.units.empty()) return true;
    return std::any_of(
        options_.units.begin(), options_.units.end(),
        [&](const std::string& prefix) { return unit.compare(0, prefix.size(), prefix) == 0; });
  }
  bool InWindow(Tick begin, Tick end) const {
    return end > options_.window_begin && begin < options_.window_end;
  }

  void Name(const char* what, int process, std::size_t thread, const std::string& name) {
    Event("{{\"ph\":\"M\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":{}}}}}", what,
          process, thread, JsonText(name));
  }

 private:
  void Flush(std::size_t limit) {
    if (buffer_.size() < limit) return;
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }

  const TraceOptions& options_;
  std::ostream& out_;
  Clock clock_;
  std::string buffer_;
  bool first_ = true;
};

}  // namespace siliscope
