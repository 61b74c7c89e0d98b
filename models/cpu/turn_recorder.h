// SPDX-License-Identifier: Apache-2.0
// Notes the lines that a turn of a core touches while every micro-operation of it is simulated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/cpu/turn_memory.h"

namespace siliscope {

class TurnRecorder {
 public:
  explicit TurnRecorder(std::int64_t line_bytes) : line_bytes_(line_bytes) {}

  template <typename Pointers>
  void Begin(std::uint64_t cycle, const Pointers& pointers) {
    recording_ = true;
    begin_ = cycle;
    at_begin_.assign(pointers.begin(), pointers.end());
    for (std::int64_t& line : recent_) line = -1;
    touches_.clear();
  }
  void Stop() { recording_ = false; }
  bool recording() const { return recording_; }
  /// Too much to be kept.
  bool overflown() const { return touches_.size() > kMostTouches; }

  void Touch(std::uint8_t pointer, std::int64_t address, std::int64_t bytes, TurnTouch::Kind kind,
             bool fresh) {
    if (!recording_ || overflown()) return;
    for (std::int64_t line = address / line_bytes_; line * line_bytes_ < address + bytes; ++line) {
      // What was touched a moment ago is in the first cache.
      std::int64_t& recent = recent_[static_cast<std::size_t>(line) % kRecent];
      const bool write = kind != TurnTouch::kRead;
      if (recent == 2 * line + 1 || (!write && recent == 2 * line)) continue;
      recent = 2 * line + (write ? 1 : 0);
      touches_.push_back({line * line_bytes_ - at_begin_[pointer], pointer, kind, fresh});
    }
  }

  /// The turn has ended; returns its cycles.
  template <typename Pointers>
  double End(std::uint64_t cycle, const Pointers& pointers, TurnProfile* profile) {
    recording_ = false;
    const double cycles = static_cast<double>(cycle - begin_);
    if (!profile->shift.empty()) {  // others may be playing it
      if (touches_.size() == profile->touches.size()) {
        for (std::size_t i = 0; i < touches_.size(); ++i) {
          profile->touches[i].fresh = touches_[i].fresh;
        }
      }
      return cycles;
    }
    profile->touches = touches_;
    profile->shift.resize(at_begin_.size());
    for (std::size_t p = 0; p < at_begin_.size(); ++p) {
      profile->shift[p] = pointers[p] - at_begin_[p];
    }
    return cycles;
  }

 private:
  static constexpr std::size_t kMostTouches = 1 << 20, kRecent = 256;

  std::int64_t line_bytes_;
  bool recording_ = false;
  std::uint64_t begin_ = 0;
  std::vector<std::int64_t> at_begin_;
  std::array<std::int64_t, kRecent> recent_{};  ///< twice the line, plus one where it was written
  std::vector<TurnTouch> touches_;
};

}  // namespace siliscope
