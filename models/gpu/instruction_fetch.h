// SPDX-License-Identifier: Apache-2.0
// Instruction caches of an SM: an L0 in each sub-core and an L1 that the sub-cores share, backed by
// the L2. Lines arrive; a warp that needs one before waits for it. Each use fetches lines ahead.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/contract/gpu_spec.h"

namespace siliscope {

class InstructionFetch {
 public:
  InstructionFetch(const InstructionCacheSpec& spec, std::int64_t subcores,
                   std::int64_t l2_latency_cycles, std::size_t instructions)
      : spec_(spec), l2_latency_(static_cast<std::uint64_t>(l2_latency_cycles)) {
    const std::size_t per_line = static_cast<std::size_t>(kLineBytes / spec.instruction_bytes);
    per_line_ = per_line;
    lines_ = instructions / per_line + 1;
    l1_arrival_.assign(lines_, kAbsent);
    l0_.assign(static_cast<std::size_t>(subcores), Level{});
    for (Level& level : l0_) level.arrival.assign(lines_, kAbsent);
    l0_lines_ = static_cast<std::size_t>(
        std::max<std::int64_t>(spec.prefetch_lines + 1, spec.l0_bytes / kLineBytes));
  }

  /// The L1 holds the program already, as in a run that is repeated.
  void WarmL1() {
    const std::size_t most = static_cast<std::size_t>(spec_.l1_bytes / kLineBytes);
    for (std::size_t i = 0; i < std::min(lines_, most); ++i) l1_arrival_[i] = 0;
  }

  std::size_t LineOf(std::size_t instruction) const { return instruction / per_line_; }

  /// The cycle from which a sub-core can issue from a line. Lines behind it are fetched ahead, so
  /// that straight-line code waits only where it begins.
  std::uint64_t Arrival(std::size_t subcore, std::size_t line, std::uint64_t now) {
    Level& level = l0_[subcore];
    const std::size_t last =
        std::min(lines_ - 1, line + static_cast<std::size_t>(spec_.prefetch_lines));
    if (level.arrival[line] == kAbsent || level.arrival[last] == kAbsent) {
      for (std::size_t i = line; i <= last; ++i) Fetch(&level, i, line, now);
    }
    return level.arrival[line];
  }

 private:
  static constexpr std::int64_t kLineBytes = 128;
  static constexpr std::uint64_t kAbsent = ~std::uint64_t{0};
  struct Level {
    std::vector<std::uint64_t> arrival;
    std::vector<std::size_t> resident;  ///< in the order in which they came, round and round
    std::size_t next = 0;               ///< to be replaced
  };

  /// Takes a line in, in place of another than `keep`.
  void Fetch(Level* level, std::size_t line, std::size_t keep, std::uint64_t now) {
    if (level->arrival[line] != kAbsent) return;
    if (l1_arrival_[line] == kAbsent) l1_arrival_[line] = now + l2_latency_;
    if (level->resident.size() < l0_lines_) {
      level->resident.push_back(line);
    } else {
      if (level->resident[level->next] == keep) level->next = (level->next + 1) % l0_lines_;
      level->arrival[level->resident[level->next]] = kAbsent;
      level->resident[level->next] = line;
      level->next = (level->next + 1) % l0_lines_;
    }
    level->arrival[line] =
        std::max(now, l1_arrival_[line]) + static_cast<std::uint64_t>(spec_.l0_miss_cycles);
  }

  InstructionCacheSpec spec_;
  std::uint64_t l2_latency_;
  std::size_t per_line_ = 8, lines_ = 1, l0_lines_ = 1;
  std::vector<std::uint64_t> l1_arrival_;
  std::vector<Level> l0_;
};

}  // namespace siliscope
