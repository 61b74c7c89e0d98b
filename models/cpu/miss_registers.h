// SPDX-License-Identifier: Apache-2.0
// The lines that a cache may have on their way at a time (miss status holding registers; Kroft,
// ISCA 1981). Misses come in program order, not in the order of their times, so what is kept is how
// much of each stretch of cycles the registers are taken.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/cpu/full_stretches.h"

namespace siliscope {

class MissRegisters {
 public:
  explicit MissRegisters(std::int64_t count)
      : capacity_(static_cast<std::uint64_t>(count) * kCycles) {}

  /// The first cycle from `when` on in which a register is free.
  std::uint64_t FreeFrom(std::uint64_t when) {
    const std::uint64_t first = when / kCycles;
    std::uint64_t at = full_.LookFrom(first);
    while (At(at).taken >= capacity_) {
      full_.Note(at);
      at = full_.LookFrom(at + 1);
    }
    // Behind a full stretch registers become free one by one.
    return at == first ? when : at * kCycles + At(at).taken * kCycles / capacity_;
  }
  bool IsFree(std::uint64_t when) {
    const std::uint64_t stretch = when / kCycles;
    return full_.LookFrom(stretch) == stretch && At(stretch).taken < capacity_;
  }
  /// Takes a register from a cycle that FreeFrom has named until its line is there, as far as what
  /// is remembered reaches.
  void Take(std::uint64_t from, std::uint64_t ready) {
    ready = std::min(ready, from + (kStretches - 1) * kCycles);
    for (std::uint64_t stretch = from / kCycles; stretch * kCycles < ready; ++stretch) {
      const std::uint64_t begin = std::max(from, stretch * kCycles);
      Stretch& s = At(stretch);
      s.taken += std::min(ready, (stretch + 1) * kCycles) - begin;
      most_taken_ = std::max(most_taken_, s.taken);
    }
  }
  /// Lines that were on their way at a time, at most, since this was asked last.
  std::uint64_t TakeMost() {
    const std::uint64_t most = (most_taken_ + kCycles - 1) / kCycles;
    most_taken_ = 0;
    return most;
  }

 private:
  static constexpr std::uint64_t kCycles = 32;
  static constexpr std::size_t kStretches = 2048;
  struct Stretch {
    std::uint64_t number = 0;
    std::uint64_t taken = 0;  ///< cycles of all registers
  };

  Stretch& At(std::uint64_t number) {
    Stretch& stretch = stretches_[number % kStretches];
    if (stretch.number != number) stretch = {number, 0};
    return stretch;
  }

  std::uint64_t capacity_;
  std::uint64_t most_taken_ = 0;
  FullStretches full_{kStretches};
  std::vector<Stretch> stretches_ = std::vector<Stretch>(kStretches);
};

}  // namespace siliscope
