// SPDX-License-Identifier: Apache-2.0
// Says which way a branch will go, and learns.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cpu_spec.h"

namespace siliscope {

class BranchHistory {
 public:
  BranchHistory(BranchPredictor kind, std::size_t branches)
      : kind_(kind), trips_(branches), counters_(branches, 2) {}

  /// Whether a branch that goes `taken` was foreseen.
  bool Foresees(std::size_t branch, bool backward, bool taken) {
    switch (kind_) {
      case BranchPredictor::kPerfect:
        return true;
      case BranchPredictor::kStatic:
        return taken == backward;
      case BranchPredictor::kLoop:
      case BranchPredictor::kTwoBit:
        break;
    }
    std::uint8_t& counter = counters_[branch];
    bool foreseen = (counter >= 2) == taken;
    if (kind_ == BranchPredictor::kLoop) {
      Trips& trips = trips_[branch];
      ++trips.now;
      if (trips.last > 0) foreseen = (trips.now < trips.last) == taken;
      if (!taken) trips = {0, trips.now};
    }
    if (taken && counter < 3) ++counter;
    if (!taken && counter > 0) --counter;
    return foreseen;
  }

  /// A loop's branch went so often that nobody asked; `ends`: the last time out of the loop.
  void Skip(std::size_t branch, std::uint64_t times, bool ends) {
    if (kind_ != BranchPredictor::kLoop) return;
    Trips& trips = trips_[branch];
    trips.now += times;
    if (ends) trips = {0, trips.now};
  }

 private:
  struct Trips {
    std::uint64_t now = 0;   ///< of the loop that runs
    std::uint64_t last = 0;  ///< of the one before
  };

  BranchPredictor kind_;
  std::vector<Trips> trips_;
  std::vector<std::uint8_t> counters_;  ///< 0, 1: not taken; 2, 3: taken
};

}  // namespace siliscope
