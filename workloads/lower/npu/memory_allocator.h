// SPDX-License-Identifier: Apache-2.0
// Addresses in an off-chip memory, in program order: first fit, freed stretches are joined and
// taken again, so that what a network needs is what is live at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>

namespace siliscope {

class MemoryAllocator {
 public:
  std::int64_t Take(std::int64_t bytes) {
    bytes = Padded(bytes);
    for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
      if (hole->second < bytes) continue;
      const std::int64_t address = hole->first, left = hole->second - bytes;
      holes_.erase(hole);
      if (left > 0) holes_.emplace(address + bytes, left);
      return address;
    }
    const std::int64_t address = end_;
    end_ += bytes;
    return address;
  }

  void Give(std::int64_t address, std::int64_t bytes) {
    auto at = holes_.emplace(address, Padded(bytes)).first;
    const auto after = std::next(at);
    if (after != holes_.end() && at->first + at->second == after->first) {
      at->second += after->second;
      holes_.erase(after);
    }
    if (at == holes_.begin()) return;
    const auto before = std::prev(at);
    if (before->first + before->second != at->first) return;
    before->second += at->second;
    holes_.erase(at);
  }

  /// The highest address that was ever taken.
  std::int64_t end() const { return end_; }

 private:
  static std::int64_t Padded(std::int64_t bytes) {
    return std::max<std::int64_t>((bytes + 4095) / 4096, 1) * 4096;
  }

  std::map<std::int64_t, std::int64_t> holes_;  ///< address -> bytes
  std::int64_t end_ = 0;
};

}  // namespace siliscope
