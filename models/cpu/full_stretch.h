// SPDX-License-Identifier: Apache-2.0
// Stretches of a calendar that are known to be full, so that requests that come long before they
// can be served need not look at each of them. Requests come in program order, not in the order of
// their times: one that is far ahead does not make the range forgotten that those behind it meet.
#pragma once

#include <cstdint>

namespace siliscope {

class FullStretch {
 public:
  /// `kept`: stretches that the calendar remembers.
  explicit FullStretch(std::uint64_t kept) : kept_(kept) {}

  /// The first stretch from `first` on that is worth a look.
  std::uint64_t LookFrom(std::uint64_t first) const {
    return first >= from_ && first < until_ ? until_ : first;
  }
  /// Everything from `first` up to `end` was full.
  void Note(std::uint64_t first, std::uint64_t end) {
    if (first >= from_ && first <= until_) {
      until_ = end;
    } else if (end > first && (from_ == until_ || until_ + kept_ / 2 < first)) {
      from_ = first;
      until_ = end;
    }
  }

 private:
  std::uint64_t kept_, from_ = 0, until_ = 0;
};

}  // namespace siliscope
