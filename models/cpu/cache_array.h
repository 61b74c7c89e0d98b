// SPDX-License-Identifier: Apache-2.0
// The lines of one cache: sets of ways, of which the least recently used or any goes first.
// Addresses are line numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "models/cpu/four_numbers.h"
#include "sim/contract/cpu_spec.h"
#include "sim/core/divisor.h"

namespace siliscope {

/// Of a line that is in a cache.
struct CacheState {
  std::uint64_t ready : 62;  ///< cycle in which its data is here
  std::uint64_t dirty : 1;
  std::uint64_t prefetched : 1;  ///< and not yet asked for
};

/// A line that has left a cache, or comes into one.
struct CacheLine {
  std::int64_t line = -1;  ///< -1 = none
  std::uint64_t ready = 0;
  bool dirty = false;

  bool valid() const { return line >= 0; }
};

class CacheArray {
 public:
  static constexpr std::int64_t kMostLines = std::int64_t{1} << 32;  ///< numbers of lines

  CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes);

  bool exists() const { return tags_ != nullptr; }
  /// The line where it is here, made the most recently used; else null.
  CacheState* Find(std::int64_t line) {
    if (!exists()) return nullptr;
    const std::size_t way = WayOf(line);
    if (way == kNowhere) return nullptr;
    used_[way] = ++uses_;
    return &states_[way];
  }
  bool Holds(std::int64_t line) const { return exists() && WayOf(line) != kNowhere; }
  /// Puts a line in, which must not be here, and returns what had to go, if anything.
  CacheLine Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched = false);
  /// The cycle from which a line may take a place in its set: one that is still on its way can't
  /// go.
  std::uint64_t RoomFrom(std::int64_t line) const {
    return exists() ? states_[Oldest(SetOf(line))].ready : 0;
  }
  /// Takes a line out; returns it as it was, if it was here.
  CacheLine Remove(std::int64_t line);

 private:
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  /// Zeros, of which the host gives only the pages that are touched.
  template <typename T>
  using Array = std::unique_ptr<T[], Free>;

  std::size_t SetOf(std::int64_t line) const {
    return static_cast<std::size_t>(sets_.Remainder(line)) * places_;
  }
  std::size_t WayOf(std::int64_t line) const {
    const std::size_t set = SetOf(line);
    const std::uint32_t way =
        IndexOf(tags_.get() + set, places_, static_cast<std::uint32_t>(line + 1));
    return way == 0 ? kNowhere : set + way - 1;
  }
  std::size_t Oldest(std::size_t set) const;
  CacheLine At(std::size_t way) const;

  Divisor sets_;
  std::size_t ways_ = 1, places_ = 1;  ///< of a set; places are a multiple of four
  bool random_;
  std::uint32_t uses_ = 0;
  std::uint64_t chance_ = 1;
  Array<std::uint32_t> tags_;  ///< line + 1; 0 = nothing
  Array<std::uint32_t> used_;  ///< the larger, the later
  Array<CacheState> states_;
};

}  // namespace siliscope
