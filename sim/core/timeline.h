// SPDX-License-Identifier: Apache-2.0
// A resource that serves one request at a time, in the order of the calls. Between decisions a
// resource needs no event: start = max(ready, free_at).
#pragma once

#include <algorithm>

#include "sim/core/time.h"

namespace siliscope {

class Timeline {
 public:
  /// Reserves `duration` as soon after `ready` as the resource is free; returns the start.
  Tick Reserve(Tick ready, Tick duration) {
    const Tick start = std::max(ready, free_at_);
    free_at_ = start + duration;
    busy_ += duration;
    return start;
  }

  /// The same for one that is asked now but ready only later: it takes its turn now, so that it
  /// holds up none that is asked after it and ready before.
  Tick ReserveTurn(Tick asked, Tick ready, Tick duration) {
    return std::max(Reserve(asked, duration), ready);
  }

  Tick free_at() const { return free_at_; }
  Tick busy() const { return busy_; }

 private:
  Tick free_at_ = 0;
  Tick busy_ = 0;
};

}  // namespace siliscope
