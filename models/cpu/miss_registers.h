// SPDX-License-Identifier: Apache-2.0
// The lines that a cache may have on their way at a time (miss status holding registers; Kroft,
// ISCA 1981).
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace siliscope {

class MissRegisters {
 public:
  explicit MissRegisters(std::int64_t count) : count_(static_cast<std::size_t>(count)) {}

  /// The first cycle from `when` on in which a register is free.
  std::uint64_t FreeFrom(std::uint64_t when) {
    Release(when);
    return ready_.size() < count_ ? when : std::max(when, ready_.top());
  }
  bool IsFree(std::uint64_t when) {
    Release(when);
    return ready_.size() < count_;
  }
  /// Takes a register from a cycle that FreeFrom has named until its line is there.
  void Take(std::uint64_t when, std::uint64_t ready) {
    Release(when);
    ready_.push(ready);
  }

 private:
  void Release(std::uint64_t when) {
    while (!ready_.empty() && ready_.top() <= when) ready_.pop();
  }

  std::size_t count_;
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> ready_;
};

}  // namespace siliscope
