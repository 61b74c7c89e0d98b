// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cache_array.h"

#include <algorithm>
#include <new>

namespace siliscope {
namespace {

template <typename T>
T* Zeros(std::int64_t count) {
  void* memory = std::calloc(static_cast<std::size_t>(count), sizeof(T));
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<T*>(memory);
}

}  // namespace

CacheArray::CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes)
    : ways_(static_cast<std::size_t>(spec.ways)),
      places_((ways_ + kFourNumbers - 1) / kFourNumbers * kFourNumbers),
      random_(spec.random_replacement) {
  const std::int64_t sets = spec.size_bytes / line_bytes / spec.ways;
  if (sets == 0) return;
  sets_ = Divisor(sets);
  const std::int64_t lines = sets * static_cast<std::int64_t>(places_);
  tags_.reset(Zeros<std::uint32_t>(lines));
  used_.reset(Zeros<std::uint32_t>(lines));
  states_.reset(Zeros<CacheState>(lines));
}

/// The way of a set that a new line takes: an empty one, else the one used longest ago.
std::size_t CacheArray::Oldest(std::size_t set) const {
  if (ways_ != places_) {  // the last places are no ways
    const std::uint32_t* first = used_.get() + set;
    return set + static_cast<std::size_t>(std::min_element(first, first + ways_) - first);
  }
  const std::uint32_t least = LeastOf(used_.get() + set, places_);
  if (least != 0) return set + IndexOf(used_.get() + set, places_, least) - 1;
  std::size_t way = set;
  while (used_[way] != 0) ++way;
  return way;
}

CacheLine CacheArray::At(std::size_t way) const {
  return {std::int64_t{tags_[way]} - 1, states_[way].ready, states_[way].dirty != 0};
}

CacheLine CacheArray::Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched) {
  if (!exists()) return {};
  const std::size_t set = SetOf(line);
  std::size_t way = Oldest(set);
  if (random_ && tags_[way] != 0) {
    chance_ = chance_ * 6364136223846793005ULL + 1442695040888963407ULL;
    way = set + ((chance_ >> 32) * ways_ >> 32);
  }
  const CacheLine gone = At(way);
  tags_[way] = static_cast<std::uint32_t>(line + 1);
  used_[way] = ++uses_;
  states_[way].ready = ready & ((std::uint64_t{1} << 62) - 1);
  states_[way].dirty = dirty ? 1 : 0;
  states_[way].prefetched = prefetched ? 1 : 0;
  return gone;
}

CacheLine CacheArray::Remove(std::int64_t line) {
  if (!exists()) return {};
  const std::size_t way = WayOf(line);
  if (way == kNowhere) return {};
  const CacheLine gone = At(way);
  tags_[way] = 0;
  used_[way] = 0;
  states_[way] = {};
  return gone;
}

}  // namespace siliscope
