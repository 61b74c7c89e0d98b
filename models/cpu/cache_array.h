// SPDX-License-Identifier: Apache-2.0
// The lines of one cache: sets of ways, of which the least recently used or any goes first.
// Addresses are line numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "models/cpu/four_numbers.h"
#include "models/cpu/host_prefetch.h"
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

  bool exists() const { return memory_ != nullptr; }
  /// The line where it is here, made the most recently used; else null.
  CacheState* Find(std::int64_t line) {
    if (!exists()) return nullptr;
    const Set set = SetOf(line);
    const std::uint32_t place = PlaceOf(set, line);
    if (place == 0) return nullptr;
    set.used[place - 1] = ++uses_;
    return &set.states[place - 1];
  }
  bool Holds(std::int64_t line) const { return exists() && PlaceOf(SetOf(line), line) != 0; }
  /// The host shall bring a line's set into its own caches: it will be asked for.
  void WillLookFor(std::int64_t line) const {
    if (exists()) HostPrefetch(memory_.get() + SetAt(line), 2 * sizeof(std::uint32_t) * places_);
  }
  /// The line that would have to go for this one; -1 = none.
  std::int64_t NextToGo(std::int64_t line) const {
    const Set set = SetOf(line);
    return std::int64_t{set.tags[Oldest(set)]} - 1;
  }
  /// Puts a line in, which must not be here, and returns what had to go, if anything.
  CacheLine Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched = false);
  /// The cycle from which a line may take a place in its set: one that is still on its way can't
  /// go.
  std::uint64_t RoomFrom(std::int64_t line) const {
    if (!exists()) return 0;
    const Set set = SetOf(line);
    return set.states[Oldest(set)].ready;
  }
  /// Takes a line out, if it is here.
  void Remove(std::int64_t line);

 private:
  /// The places of a set lie side by side.
  struct Set {
    std::uint32_t* tags;  ///< line + 1; 0 = nothing
    std::uint32_t* used;  ///< the larger, the later
    CacheState* states;
  };
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };

  std::size_t SetAt(std::int64_t line) const {
    const std::int64_t mixed = line ^ (line >> hash_shift_) ^ (line >> second_shift_);
    return static_cast<std::size_t>(sets_.Remainder(mixed)) * set_bytes_;
  }
  Set SetOf(std::int64_t line) const {
    std::byte* set = memory_.get() + SetAt(line);
    auto* tags = reinterpret_cast<std::uint32_t*>(set);
    return {tags, tags + places_, reinterpret_cast<CacheState*>(tags + 2 * places_)};
  }
  /// The place of a line in its set, counted from 1; 0 = it is not here.
  std::uint32_t PlaceOf(const Set& set, std::int64_t line) const {
    return IndexOf(set.tags, places_, static_cast<std::uint32_t>(line + 1));
  }
  std::size_t Oldest(const Set& set) const;

  Divisor sets_;
  int hash_shift_ = 32, second_shift_ = 63;  ///< higher bits of a line that choose its set too
  std::size_t ways_ = 1, places_ = 1;        ///< of a set; places are a multiple of four
  bool random_;
  std::uint32_t uses_ = 0;
  std::uint64_t chance_ = 1;
  std::size_t set_bytes_ = 0;
  std::unique_ptr<std::byte[], Free> memory_;
};

}  // namespace siliscope
