// SPDX-License-Identifier: Apache-2.0
// The lines of one cache: sets of ways, of which the least recently used
// or any goes first. Addresses are line numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cpu_spec.h"

namespace siliscope {

struct CacheLine {
  std::int64_t line = -1;   ///< -1 = nothing
  std::uint64_t ready = 0;  ///< cycle in which its data is here
  std::uint64_t used = 0;
  bool dirty = false;
  bool prefetched = false;  ///< and not yet asked for
};

class CacheArray {
 public:
  CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes);

  bool exists() const { return !lines_.empty(); }
  /// The line where it is here, made the most recently used; else null.
  CacheLine* Find(std::int64_t line);
  /// Puts a line in, which must not be here, and returns what had to go (line -1: nothing).
  CacheLine Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched = false);
  /// Takes a line out; returns it as it was (line -1: it was not here).
  CacheLine Remove(std::int64_t line);

 private:
  CacheLine* SetOf(std::int64_t line) {
    return &lines_[static_cast<std::size_t>(line % sets_) * ways_];
  }

  std::int64_t sets_ = 1;
  std::size_t ways_ = 1;
  bool random_;
  std::uint64_t uses_ = 0, chance_ = 1;
  std::vector<CacheLine> lines_;
};

}  // namespace siliscope
