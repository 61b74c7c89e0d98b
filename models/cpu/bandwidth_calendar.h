// SPDX-License-Identifier: Apache-2.0
// A way of so many bytes a cycle. Requests come in program order, not in the order of their times:
// stretches of cycles are filled up one by one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "models/cpu/full_stretches.h"

namespace siliscope {

class BandwidthCalendar {
 public:
  explicit BandwidthCalendar(double bytes_per_cycle) : bytes_per_cycle_(bytes_per_cycle) {}

  /// Moves bytes that could have arrived in `ready`; returns the cycle in which they have.
  std::uint64_t Move(std::uint64_t ready, std::int64_t bytes) {
    const auto wanted = static_cast<double>(bytes);
    const double room = kCycles * bytes_per_cycle_;
    for (std::uint64_t at = full_.LookFrom(ready / kCycles);; at = full_.LookFrom(at + 1)) {
      Stretch& s = stretches_[at % kStretches];
      if (s.number != at) s = {at, 0};
      if (s.moved + wanted > room && s.moved > 0) {
        full_.Note(at);
        continue;
      }
      s.moved += wanted;
      const double end = static_cast<double>(at * kCycles) + s.moved / bytes_per_cycle_;
      return std::max(ready, static_cast<std::uint64_t>(end));
    }
  }

 private:
  static constexpr std::uint64_t kCycles = 32;
  static constexpr std::size_t kStretches = 1024;
  struct Stretch {
    std::uint64_t number = 0;
    double moved = 0;
  };

  double bytes_per_cycle_;
  FullStretches full_{kStretches};
  std::vector<Stretch> stretches_ = std::vector<Stretch>(kStretches);
};

}  // namespace siliscope
