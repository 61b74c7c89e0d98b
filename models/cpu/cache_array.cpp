// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cache_array.h"

#include <new>

namespace siliscope {

CacheArray::CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes)
    : ways_(static_cast<std::size_t>(spec.ways)), random_(spec.random_replacement) {
  const std::int64_t lines = spec.size_bytes / line_bytes;
  if (lines == 0) return;
  sets_ = Divisor(lines / spec.ways);
  lines_.reset(
      static_cast<CacheLine*>(std::calloc(static_cast<std::size_t>(lines), sizeof(CacheLine))));
  if (lines_ == nullptr) throw std::bad_alloc();
}

CacheLine* CacheArray::Find(std::int64_t line) {
  if (lines_ == nullptr) return nullptr;
  CacheLine* set = SetOf(line);
  for (CacheLine* way = set; way < set + ways_; ++way) {
    if (way->tag != line + 1) continue;
    way->used = ++uses_;
    return way;
  }
  return nullptr;
}

bool CacheArray::Holds(std::int64_t line) const {
  if (lines_ == nullptr) return false;
  const CacheLine* set = SetOf(line);
  for (const CacheLine* way = set; way < set + ways_; ++way) {
    if (way->tag == line + 1) return true;
  }
  return false;
}

CacheLine CacheArray::Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched) {
  if (lines_ == nullptr) return {};
  CacheLine* set = SetOf(line);
  CacheLine* oldest = set;
  for (CacheLine* way = set; way < set + ways_; ++way) {
    if (way->used < oldest->used) oldest = way;
  }
  if (random_ && oldest->valid()) {
    chance_ = chance_ * 6364136223846793005ULL + 1442695040888963407ULL;
    oldest = set + ((chance_ >> 32) * ways_ >> 32);
  }
  const CacheLine gone = *oldest;
  *oldest = {line + 1, ready, ++uses_, dirty, prefetched};
  return gone;
}

CacheLine CacheArray::Remove(std::int64_t line) {
  if (lines_ == nullptr) return {};
  CacheLine* set = SetOf(line);
  for (CacheLine* way = set; way < set + ways_; ++way) {
    if (way->tag != line + 1) continue;
    const CacheLine gone = *way;
    *way = {};
    return gone;
  }
  return {};
}

}  // namespace siliscope
