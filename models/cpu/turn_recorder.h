// SPDX-License-Identifier: Apache-2.0
// Notes the lines that a turn of a core touches while every micro-operation of it is simulated.
#pragma once

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
    last_read_.assign(pointers.size(), -1);
    last_written_ = last_read_;
    touches_.clear();
  }
  void Stop() { recording_ = false; }
  bool recording() const { return recording_; }
  /// Too much to be kept.
  bool overflown() const { return touches_.size() > kMostTouches; }

  void Touch(std::uint8_t pointer, std::int64_t address, std::int64_t bytes, bool write) {
    if (!recording_ || overflown()) return;
    std::int64_t& last = write ? last_written_[pointer] : last_read_[pointer];
    for (std::int64_t line = address / line_bytes_; line * line_bytes_ < address + bytes; ++line) {
      if (line == last) continue;
      last = line;
      touches_.push_back({line * line_bytes_ - at_begin_[pointer], pointer, write});
    }
  }

  /// The turn has ended; returns its cycles.
  template <typename Pointers>
  double End(std::uint64_t cycle, const Pointers& pointers, TurnProfile* profile) {
    recording_ = false;
    profile->touches = touches_;
    profile->shift.resize(at_begin_.size());
    for (std::size_t p = 0; p < at_begin_.size(); ++p) {
      profile->shift[p] = pointers[p] - at_begin_[p];
    }
    return static_cast<double>(cycle - begin_);
  }

 private:
  static constexpr std::size_t kMostTouches = 1 << 20;

  std::int64_t line_bytes_;
  bool recording_ = false;
  std::uint64_t begin_ = 0;
  std::vector<std::int64_t> at_begin_, last_read_, last_written_;
  std::vector<TurnTouch> touches_;
};

}  // namespace siliscope
