// SPDX-License-Identifier: Apache-2.0
// The first-level data cache of an SM: sets of lines with sectors, least recently used first out,
// write through without allocation, and a number of sectors that may be on their way.
#pragma once

#include <algorithm>
#include <cstdint>
#include <queue>
#include <vector>

#include "models/gpu/sm_memory.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

class L1Cache {
 public:
  /// `size_bytes` is what shared memory leaves.
  L1Cache(const L1Spec& spec, std::int64_t size_bytes);

  struct Result {
    std::uint64_t ready = 0;             ///< data in the SM
    std::uint32_t hits = 0, misses = 0;  ///< sectors
    std::uint32_t left = 0;              ///< sectors that found no free miss register, as bits
    std::uint64_t retry = 0;             ///< with `left`: when the next register is free
  };
  /// A load of sectors of one line that reaches the cache in `cycle`.
  Result Load(std::uint64_t cycle, const TouchedLine& line, SmMemory& memory);
  /// A store passes through; sectors that are here are kept up to date.
  std::uint64_t Store(std::uint64_t cycle, const TouchedLine& line, SmMemory& memory) {
    return memory.Write(cycle, line);
  }

 private:
  struct Line {
    std::int64_t address = -1;
    std::uint32_t sectors = 0;
    std::uint64_t last_use = 0;
    std::uint64_t ready = 0;  ///< of the sector that came last
  };

  std::size_t FreeMshrs(std::uint64_t cycle);

  L1Spec spec_;
  std::size_t sets_ = 0;
  std::vector<Line> lines_;
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> outstanding_;
};

}  // namespace siliscope
