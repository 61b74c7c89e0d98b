// SPDX-License-Identifier: Apache-2.0
// The constant caches of an SM: a small first level, a second one behind it, and the L2. A warp
// reads one word a cycle; lanes that name different words take turns. Kernel parameters and the
// descriptors of bulk copies are constants.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/contract/gpu_spec.h"

namespace siliscope {

class ConstantCache {
 public:
  ConstantCache(const ConstantCacheSpec& spec, std::int64_t l2_latency_cycles)
      : spec_(spec),
        l2_latency_(static_cast<std::uint64_t>(l2_latency_cycles)),
        first_(spec.l1_bytes, spec.l1_line_bytes, spec.ways),
        second_(spec.l2_bytes, spec.l2_line_bytes, spec.ways) {}

  /// A read of `words` different words from a line on, of a constant bank's `address`; returns the
  /// cycle in which the last of them is in its register.
  std::uint64_t Read(std::uint64_t cycle, std::int64_t address, std::int64_t words = 1) {
    const std::uint64_t start = std::max(cycle, port_free_);
    port_free_ = start + static_cast<std::uint64_t>(words);
    return Fetch(start, address) + static_cast<std::uint64_t>(words - 1);
  }

  /// The line is here already.
  void Warm(std::int64_t address) {
    for (Level* level : {&first_, &second_}) {
      Level::Line& line = level->At(address);
      line = {level->NumberOf(address), 0, 1};
    }
  }

 private:
  /// Sets of lines, least recently used first out.
  class Level {
   public:
    Level(std::int64_t bytes, std::int64_t line_bytes, std::int64_t ways)
        : line_bytes_(line_bytes) {
      const auto lines = static_cast<std::size_t>(std::max<std::int64_t>(1, bytes / line_bytes));
      ways_ = std::min(lines, static_cast<std::size_t>(ways));
      lines_.resize(lines / ways_ * ways_);
    }

    struct Line {
      std::int64_t number = -1;
      std::uint64_t ready = 0, last_use = 0;
    };
    /// The line, or the place that it takes (whose number is another).
    Line& At(std::int64_t address) {
      const std::int64_t number = NumberOf(address);
      const std::size_t sets = lines_.size() / ways_;
      Line* set = &lines_[static_cast<std::size_t>(number) % sets * ways_];
      Line* slot = set;
      for (Line* way = set; way < set + ways_; ++way) {
        if (way->number == number) return *way;
        if (way->last_use < slot->last_use) slot = way;
      }
      return *slot;
    }
    std::int64_t NumberOf(std::int64_t address) const { return address / line_bytes_; }

   private:
    std::int64_t line_bytes_;
    std::size_t ways_ = 1;
    std::vector<Line> lines_;
  };

  std::uint64_t Fetch(std::uint64_t cycle, std::int64_t address) {
    Level::Line& first = first_.At(address);
    if (first.number != first_.NumberOf(address)) {
      Level::Line& second = second_.At(address);
      if (second.number != second_.NumberOf(address)) {
        second.number = second_.NumberOf(address);
        second.ready = cycle + l2_latency_;
      }
      second.last_use = cycle + 1;
      first.number = first_.NumberOf(address);
      first.ready =
          std::max(second.ready, cycle + static_cast<std::uint64_t>(spec_.l2_latency_cycles));
    }
    first.last_use = cycle + 1;
    return std::max(first.ready, cycle + static_cast<std::uint64_t>(spec_.l1_latency_cycles));
  }

  ConstantCacheSpec spec_;
  std::uint64_t l2_latency_;
  std::uint64_t port_free_ = 0;
  Level first_, second_;
};

}  // namespace siliscope
