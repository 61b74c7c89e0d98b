// SPDX-License-Identifier: Apache-2.0
// Stretches of a calendar that are known to be full, so that requests that come long before they
// can be served need not look at each of them. Each full one knows one behind it that may not be,
// and paths are shortened as they are followed (disjoint sets: Tarjan, JACM 1975).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace siliscope {

class FullStretches {
 public:
  /// `kept`: stretches that the calendar remembers.
  explicit FullStretches(std::size_t kept) : next_(kept) {}

  /// The first stretch from `first` on that is worth a look.
  std::uint64_t LookFrom(std::uint64_t first) {
    std::uint64_t end = first;
    while (At(end).full == end + 1) end = At(end).next;
    while (first != end) {
      Next& next = At(first);
      first = next.next;
      next.next = end;
    }
    return end;
  }
  void Note(std::uint64_t full) { At(full) = {full + 1, full + 1}; }

 private:
  struct Next {
    std::uint64_t full = 0;  ///< the stretch of which it is known, plus one; 0 = of none
    std::uint64_t next = 0;
  };
  Next& At(std::uint64_t stretch) { return next_[stretch % next_.size()]; }

  std::vector<Next> next_;
};

}  // namespace siliscope
