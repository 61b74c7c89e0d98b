// SPDX-License-Identifier: Apache-2.0
// Which of a few resources are taken in which cycle. Requests come in program order, not in the
// order of their times: a later one may take a slot that an earlier one has left free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace siliscope {

class SlotCalendar {
 public:
  using Cycle = std::uint64_t;

  /// Takes one of the resources in `allowed` (bits) for `duration` cycles, as soon after `ready` as
  /// one is free; returns the first cycle.
  Cycle Take(Cycle ready, std::uint32_t allowed, std::uint32_t duration = 1) {
    Hint& hint = HintOf(allowed);
    const bool known_full = ready <= hint.free_from;
    Cycle at = std::max(ready, hint.free_from);
    for (;; ++at) {
      std::uint32_t free = allowed & ~Taken(at);
      if (known_full && free != 0) hint.free_from = at;
      for (std::uint32_t c = 1; c < duration && free != 0; ++c) free &= ~Taken(at + c);
      if (free == 0) continue;
      const std::uint32_t one = free & (~free + 1);
      for (std::uint32_t c = 0; c < duration; ++c) Mark(at + c, one);
      return at;
    }
  }

 private:
  static constexpr std::size_t kSlots = 8192;  ///< cycles that are remembered
  struct Slot {
    Cycle cycle = 0;
    std::uint32_t taken = 0;
  };
  struct Hint {
    std::uint32_t allowed = 0;
    Cycle free_from = 0;  ///< before it, all of `allowed` are taken
  };

  std::uint32_t Taken(Cycle cycle) const {
    const Slot& slot = slots_[cycle % kSlots];
    return slot.cycle == cycle ? slot.taken : 0;
  }
  void Mark(Cycle cycle, std::uint32_t resource) {
    Slot& slot = slots_[cycle % kSlots];
    if (slot.cycle != cycle) slot = {cycle, 0};
    slot.taken |= resource;
  }
  Hint& HintOf(std::uint32_t allowed) {
    for (Hint& hint : hints_) {
      if (hint.allowed == allowed) return hint;
    }
    hints_.push_back({allowed, 0});
    return hints_.back();
  }

  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
  std::vector<Hint> hints_;
};

}  // namespace siliscope
