// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/scratchpad_allocator.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace siliscope {
namespace {

constexpr std::size_t kMostHoles = 128;
constexpr std::size_t kMostUsers = 32;

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
  if (holes_.size() > kMostHoles) MergeOldest();
}

void ScratchpadAllocator::MergeOldest() {
  auto best = holes_.end();
  CommandId best_latest = kNone;
  for (auto hole = holes_.begin(); std::next(hole) != holes_.end(); ++hole) {
    const auto after = std::next(hole);
    if (hole->end != after->begin) continue;
    const CommandId latest = std::max(Latest(hole->last_users), Latest(after->last_users));
    if (best != holes_.end() && latest >= best_latest) continue;
    best = hole;
    best_latest = latest;
  }
  if (best == holes_.end()) return;
  const auto after = std::next(best);
  AddDependencies(&best->last_users, after->last_users);
  best->end = after->end;
  holes_.erase(after);
  // Queues run in order: the latest users are the last to complete.
  CommandIds& users = best->last_users;
  std::sort(users.begin(), users.end(), std::greater<>());
  if (users.size() > kMostUsers) users.resize(kMostUsers);
}

}  // namespace siliscope
