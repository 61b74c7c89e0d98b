// SPDX-License-Identifier: Apache-2.0
// Tile zoom of a core: the turns of a code's outermost loop. Once turns take the same time, the
// next ones are counted on by it; the lines that they touch still pass the caches and the memory,
// at their addresses and spread over their time. A turn that finds its lines elsewhere than the one
// that was measured ends this.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cpu/core_memory.h"

namespace siliscope {

class TurnSampler {
 public:
  TurnSampler(CoreMemory& memory, std::int64_t line_bytes)
      : memory_(memory), line_bytes_(line_bytes) {}

  /// A new loop begins with its first turn.
  void Begin(std::uint64_t cycle, const std::vector<std::int64_t>& pointers);
  void Stop() { watching_ = false; }
  bool watching() const { return watching_; }

  /// The turn touches an address by way of a pointer.
  void Touch(std::uint8_t pointer, std::int64_t address, std::int64_t bytes, bool write) {
    if (watching_) Note(pointer, address, bytes, write);
  }
  /// A turn has ended. True where it and those before took the same time, so that Repeat may
  /// follow.
  bool EndTurn(std::uint64_t cycle, const std::vector<std::int64_t>& pointers);

  /// Plays at most `most` turns like the last, from `cycle` on; moves the pointers. Returns how
  /// many: what the last of them finds in the caches may be another story.
  std::int64_t Repeat(std::int64_t most, std::uint64_t cycle, std::vector<std::int64_t>* pointers);
  std::uint64_t turn_cycles() const { return turn_cycles_; }

 private:
  static constexpr int kEqualTurns = 2;  ///< after the first, that must take the same time
  struct Touched {
    std::int64_t offset;  ///< from the pointer at the turn's begin
    std::uint8_t pointer;
    bool write;
  };
  struct Found {  ///< lines that came into a cache, prefetched ones included
    std::int64_t l1_fills = 0, l2_fills = 0;
  };

  void Note(std::uint8_t pointer, std::int64_t address, std::int64_t bytes, bool write);
  Found Count() const {
    const CacheTraffic& l2 = memory_.l2();
    return {memory_.l1().write_bytes / line_bytes_, l2.misses + l2.prefetches};
  }

  CoreMemory& memory_;
  std::int64_t line_bytes_;
  bool watching_ = false;
  std::uint64_t begin_ = 0, last_cycles_ = 0, sum_cycles_ = 0;
  std::uint64_t turn_cycles_ = 0;  ///< mean of the equal ones
  int equal_ = -1;  ///< turns that took as long as the one before; -1 = none has ended
  Found before_, found_;
  std::vector<std::int64_t> at_begin_, shift_;
  std::vector<std::int64_t> last_line_;  ///< of each pointer
  std::vector<Touched> touched_;
};

}  // namespace siliscope
