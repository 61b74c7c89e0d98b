// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/l1_cache.h"

namespace siliscope {
namespace {

std::uint32_t CountBits(std::uint32_t bits) {
  return static_cast<std::uint32_t>(__builtin_popcount(bits));
}

/// The lowest bits of `bits`, `most` of them.
std::uint32_t LowestBits(std::uint32_t bits, std::size_t most) {
  std::uint32_t lowest = 0;
  for (; bits != 0 && most > 0; --most) {
    lowest |= bits & -bits;
    bits &= bits - 1;
  }
  return lowest;
}

}  // namespace

L1Cache::L1Cache(const L1Spec& spec, std::int64_t size_bytes) : spec_(spec) {
  const std::int64_t lines = std::max<std::int64_t>(0, size_bytes) / spec.line_bytes;
  sets_ = static_cast<std::size_t>(lines / spec.ways);
  lines_.resize(sets_ * static_cast<std::size_t>(spec.ways));
}

std::size_t L1Cache::FreeMshrs(std::uint64_t cycle) {
  while (!outstanding_.empty() && outstanding_.top() <= cycle) outstanding_.pop();
  return static_cast<std::size_t>(spec_.mshrs) - outstanding_.size();
}

L1Cache::Result L1Cache::Load(std::uint64_t cycle, const TouchedLine& line, SmMemory& memory) {
  Result result;
  const auto hit_latency = static_cast<std::uint64_t>(spec_.latency_cycles);
  Line* slot = nullptr;
  std::uint32_t missing = line.sectors;
  if (sets_ > 0) {
    // As many lines as there are sets lie in sets of their own; the next begin elsewhere (by the
    // golden ratio), as power-of-two strides are common.
    const auto line_number = static_cast<std::uint64_t>(line.address / spec_.line_bytes);
    const std::uint64_t turn = line_number / sets_ * (sets_ * 618 / 1000 | 1);
    const std::uint64_t index = line_number + turn;
    Line* set = &lines_[index % sets_ * static_cast<std::size_t>(spec_.ways)];
    slot = set;
    for (Line* way = set; way < set + spec_.ways; ++way) {
      if (way->address == line.address) {
        slot = way;
        break;
      }
      if (way->last_use < slot->last_use) slot = way;
    }
    if (slot->address != line.address) {
      slot->address = line.address;
      slot->sectors = 0;
      slot->ready = 0;
    }
    slot->last_use = cycle + 1;
    missing = line.sectors & ~slot->sectors;
  }
  result.hits = CountBits(line.sectors & ~missing);
  result.ready = cycle + hit_latency;
  if (result.hits > 0 && slot != nullptr) result.ready = std::max(result.ready, slot->ready);
  if (missing == 0) return result;
  const std::uint32_t asked = LowestBits(missing, FreeMshrs(cycle));
  result.misses = CountBits(asked);
  if (asked != 0) {
    const std::uint64_t ready = memory.Read(cycle, {line.address, asked});
    for (std::uint32_t i = 0; i < result.misses; ++i) outstanding_.push(ready);
    result.ready = std::max(result.ready, ready);
    if (slot != nullptr) {
      slot->sectors |= asked;
      slot->ready = std::max(slot->ready, ready);
    }
  }
  result.left = missing & ~asked;
  if (result.left != 0) result.retry = outstanding_.top();
  return result;
}

}  // namespace siliscope
