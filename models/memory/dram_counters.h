// SPDX-License-Identifier: Apache-2.0
// What a memory channel did; both zooms count the same.
#pragma once

#include <cstdint>

#include "sim/core/time.h"

namespace siliscope {

struct DramCounters {
  Tick busy = 0;  ///< data on the bus
  Tick refresh = 0;
  std::uint64_t row_hits = 0;
  std::uint64_t row_misses = 0;
  std::uint64_t steps = 0;  ///< stretches (tile zoom) or command slots (cycle zoom) simulated

  void Add(const DramCounters& other) {
    busy += other.busy;
    refresh += other.refresh;
    row_hits += other.row_hits;
    row_misses += other.row_misses;
    steps += other.steps;
  }
};

}  // namespace siliscope
