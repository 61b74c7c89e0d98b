// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cache_array.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace siliscope {
namespace {

/// Zeros that begin where a page does. Sets are looked up all over them: large ones lie on large
/// pages where the host has some.
std::byte* Zeros(std::size_t bytes) {
  constexpr std::size_t kSmallPage = 4096, kLargePage = 2 << 20;
  const std::size_t page = bytes < kLargePage ? kSmallPage : kLargePage;
  const std::size_t size = (bytes + page - 1) / page * page;
  void* memory = std::aligned_alloc(page, size);
  if (memory == nullptr) throw std::bad_alloc();
  if (page == kLargePage) madvise(memory, size, MADV_HUGEPAGE);
  std::memset(memory, 0, size);
  return static_cast<std::byte*>(memory);
}

}  // namespace

CacheArray::CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes)
    : ways_(static_cast<std::size_t>(spec.ways)),
      places_((ways_ + kFourNumbers - 1) / kFourNumbers * kFourNumbers),
      random_(spec.random_replacement) {
  const std::int64_t sets = spec.size_bytes / line_bytes / spec.ways;
  if (sets == 0) return;
  sets_ = Divisor(sets);
  if (spec.hashed) {
    for (hash_shift_ = 1; (std::int64_t{1} << hash_shift_) < sets;) ++hash_shift_;
    second_shift_ = 2 * hash_shift_;
  }
  set_bytes_ = places_ * (2 * sizeof(std::uint32_t) + sizeof(CacheState));
  memory_.reset(Zeros(static_cast<std::size_t>(sets) * set_bytes_));
}

/// The way of a set that a new line takes: an empty one, else the one used longest ago.
std::size_t CacheArray::Oldest(const Set& set) const {
  if (ways_ != places_) {  // the last places are no ways
    return static_cast<std::size_t>(std::min_element(set.used, set.used + ways_) - set.used);
  }
  const std::uint32_t least = LeastOf(set.used, places_);
  if (least != 0) return IndexOf(set.used, places_, least) - 1;
  std::size_t way = 0;
  while (set.used[way] != 0) ++way;
  return way;
}

CacheLine CacheArray::Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched) {
  if (!exists()) return {};
  const Set set = SetOf(line);
  std::size_t way = Oldest(set);
  if (random_ && set.tags[way] != 0) {
    chance_ = chance_ * 6364136223846793005ULL + 1442695040888963407ULL;
    way = (chance_ >> 32) * ways_ >> 32;
  }
  CacheState& state = set.states[way];
  const CacheLine gone = {std::int64_t{set.tags[way]} - 1, state.ready, state.dirty != 0};
  set.tags[way] = static_cast<std::uint32_t>(line + 1);
  set.used[way] = ++uses_;
  state.ready = ready & ((std::uint64_t{1} << 62) - 1);
  state.dirty = dirty ? 1 : 0;
  state.prefetched = prefetched ? 1 : 0;
  return gone;
}

void CacheArray::Remove(std::int64_t line) {
  if (!exists()) return;
  const Set set = SetOf(line);
  const std::uint32_t place = PlaceOf(set, line);
  if (place == 0) return;
  set.tags[place - 1] = 0;
  set.used[place - 1] = 0;
  set.states[place - 1] = {};
}

}  // namespace siliscope
