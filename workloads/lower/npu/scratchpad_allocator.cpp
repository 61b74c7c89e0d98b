// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/scratchpad_allocator.h"

#include <algorithm>

namespace siliscope {
namespace {

CommandId Latest(const CommandIds& ids) {
  return ids.empty() ? 0 : *std::max_element(ids.begin(), ids.end());
}

}  // namespace

ScratchpadAllocator::ScratchpadAllocator(std::int64_t size_bytes) : size_(size_bytes) {
  holes_.push_back({0, size_bytes, {}});
}

std::optional<ScratchpadAllocator::Region> ScratchpadAllocator::Allocate(std::int64_t bytes) {
  bytes = std::max<std::int64_t>(bytes, 1);
  // Neighbouring holes make one window; the window that is free soonest wins.
  auto best = holes_.end();
  CommandId best_latest = kNone;
  for (auto first = holes_.begin(); first != holes_.end(); ++first) {
    CommandId latest = 0;
    std::int64_t end = first->begin;
    for (auto last = first; last != holes_.end() && last->begin == end; ++last) {
      end = last->end;
      latest = std::max(latest, Latest(last->last_users));
      if (end - first->begin >= bytes) {
        if (best == holes_.end() || latest < best_latest) {
          best = first;
          best_latest = latest;
        }
        break;
      }
    }
  }
  if (best == holes_.end()) return std::nullopt;
  Region region{best->begin, bytes, {}};
  const std::int64_t end = region.begin + bytes;
  for (auto hole = best; hole != holes_.end() && hole->begin < end;) {
    AddDependencies(&region.wait_for, hole->last_users);
    if (hole->end <= end) {
      hole = holes_.erase(hole);
    } else {
      hole->begin = end;
      break;
    }
  }
  allocated_ += bytes;
  high_water_ = std::max(high_water_, allocated_);
  return region;
}

void ScratchpadAllocator::Free(const Region& region, const CommandIds& last_users) {
  auto at = holes_.begin();
  while (at != holes_.end() && at->begin < region.begin) ++at;
  holes_.insert(at, Hole{region.begin, region.begin + region.bytes, last_users});
  allocated_ -= region.bytes;
}

}  // namespace siliscope
