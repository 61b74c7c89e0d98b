// SPDX-License-Identifier: Apache-2.0
// The ring of buffers through which the blocks of a streamed operand pass.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/lower/npu/scratchpad_allocator.h"

namespace siliscope {

/// Copies the blocks of one operand, some iterations ahead, into a ring of buffers.
class BlockStream {
 public:
  struct Slot {
    std::int64_t block = -1;
    CommandIds loaded;
    CommandIds users;
  };

  void Prepare(ScratchpadAllocator* allocator, std::int64_t buffers, std::int64_t bytes) {
    allocator_ = allocator;
    for (std::int64_t b = 0; b < buffers; ++b) {
      auto region = allocator->Allocate(bytes);
      slots_.emplace_back();
      if (!region) continue;  // smaller than the least block: modelled as if it fitted
      slots_.back().users = region->wait_for;
      regions_.push_back(*region);
    }
  }

  Slot* Find(std::int64_t block) {
    for (Slot& slot : slots_) {
      if (slot.block == block) return &slot;
    }
    return nullptr;
  }

  /// The slot that a new block takes: the next of the ring.
  Slot* Next(std::int64_t block) {
    Slot& slot = slots_[next_];
    next_ = (next_ + 1) % slots_.size();
    slot.block = block;
    return &slot;
  }

  void Release() {
    CommandIds users;
    for (const Slot& slot : slots_) AddDependencies(&users, slot.users);
    for (const auto& region : regions_) allocator_->Free(region, users);
  }

 private:
  ScratchpadAllocator* allocator_ = nullptr;
  std::vector<Slot> slots_;
  std::vector<ScratchpadAllocator::Region> regions_;
  std::size_t next_ = 0;
};

}  // namespace siliscope
