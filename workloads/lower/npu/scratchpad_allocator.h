// SPDX-License-Identifier: Apache-2.0
// Places tensors in a scratchpad, in program order. A region that was freed may be taken again at
// once, but whoever fills it must wait for the commands that used it last.
#pragma once

#include <cstdint>
#include <list>
#include <optional>

#include "workloads/lower/npu/program_builder.h"

namespace siliscope {

class ScratchpadAllocator {
 public:
  explicit ScratchpadAllocator(std::int64_t size_bytes);

  struct Region {
    std::int64_t begin = 0;
    std::int64_t bytes = 0;
    CommandIds wait_for;  ///< what must complete before the region is written
  };

  /// The region that is free soonest, or nothing where no hole is large enough.
  std::optional<Region> Allocate(std::int64_t bytes);
  /// Gives a region back; it is unused once `last_users` are complete.
  void Free(const Region& region, const CommandIds& last_users);

  std::int64_t allocated() const { return allocated_; }
  std::int64_t size() const { return size_; }
  std::int64_t high_water() const { return high_water_; }

 private:
  struct Hole {
    std::int64_t begin, end;
    CommandIds last_users;
  };
  /// Joins the two neighbouring holes that have been free for longest.
  void MergeOldest();

  std::list<Hole> holes_;  ///< by address
  std::int64_t size_;
  std::int64_t allocated_ = 0;
  std::int64_t high_water_ = 0;
};

}  // namespace siliscope
