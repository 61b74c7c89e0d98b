// SPDX-License-Identifier: Apache-2.0
// Idle times of a resource that serves requests in the order of the calls: one that comes late but
// was ready before takes what the others have left. Of too many, the one that came first is
// forgotten.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "sim/core/time.h"

namespace siliscope {

class IdleGaps {
 public:
  explicit IdleGaps(std::size_t most = 32) : gaps_(most) {}

  /// The resource has nothing to do from `begin` to `end`; ignored where that is shorter than
  /// `least`.
  void Keep(Tick begin, Tick end, Tick least) {
    if (end < begin + least) return;
    gaps_[next_] = {begin, end};
    next_ = next_ + 1 == gaps_.size() ? 0 : next_ + 1;
    last_end_ = std::max(last_end_, end);
  }

  /// Takes `duration` of one of them, between `ready` and `until`, and returns the begin; kNever
  /// where none has it. What is left of it is kept where it is `least` long.
  Tick Take(Tick ready, Tick duration, Tick least, Tick until = kNever) {
    if (ready + duration > last_end_) return kNever;
    for (Gap& gap : gaps_) {
      const Tick begin = std::max(gap.begin, ready);
      if (begin + duration > std::min(gap.end, until)) continue;
      const Tick end = gap.end;
      gap.end = begin;
      Keep(begin + duration, end, least);
      return begin;
    }
    return kNever;
  }

 private:
  struct Gap {
    Tick begin = 0, end = 0;
  };

  std::vector<Gap> gaps_;  ///< ring
  std::size_t next_ = 0;
  Tick last_end_ = 0;
};

}  // namespace siliscope
