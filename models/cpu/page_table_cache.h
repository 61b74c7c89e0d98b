// SPDX-License-Identifier: Apache-2.0
// Two levels of translations that a core remembers; a page that is in neither is walked for.
#pragma once

#include <cstdint>

#include "models/cpu/cache_array.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class PageTableCache {
 public:
  explicit PageTableCache(const CpuTlbSpec& spec)
      : spec_(spec),
        first_(Entries(spec.l1_entries, spec.l1_entries), 1),
        second_(Entries(spec.l2_entries / kWays * kWays, kWays), 1) {}

  /// Cycles that the translation of an address adds to an access.
  std::uint64_t Translate(std::int64_t address) {
    const std::int64_t page = address / spec_.page_bytes;
    if (page == last_) return 0;
    last_ = page;
    if (first_.Find(page) != nullptr) return 0;
    first_.Insert(page, 0, false);
    if (second_.Find(page) != nullptr) return static_cast<std::uint64_t>(spec_.l2_cycles);
    if (second_.exists()) second_.Insert(page, 0, false);
    return static_cast<std::uint64_t>(spec_.l2_cycles + spec_.walk_cycles);
  }

 private:
  static constexpr std::int64_t kWays = 8;
  /// A cache whose lines are pages.
  static CpuCacheSpec Entries(std::int64_t entries, std::int64_t ways) {
    CpuCacheSpec spec;
    spec.size_bytes = entries;
    spec.ways = ways;
    return spec;
  }

  const CpuTlbSpec& spec_;
  CacheArray first_, second_;
  std::int64_t last_ = -1;
};

}  // namespace siliscope
