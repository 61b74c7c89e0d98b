// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/turn_sampler.h"

#include <algorithm>
#include <cstdlib>

namespace siliscope {
namespace {

constexpr std::size_t kMostTouches = 1 << 20;  ///< longer turns are not kept

}  // namespace

void TurnSampler::Begin(std::uint64_t cycle, const std::vector<std::int64_t>& pointers) {
  watching_ = true;
  equal_ = -1;
  begin_ = cycle;
  before_ = Count();
  at_begin_ = pointers;
  last_line_.assign(pointers.size(), -1);
  touched_.clear();
}

void TurnSampler::Note(std::uint8_t pointer, std::int64_t address, std::int64_t bytes, bool write) {
  for (std::int64_t line = address / line_bytes_; line * line_bytes_ < address + bytes; ++line) {
    if (line == last_line_[pointer] && !write) continue;
    last_line_[pointer] = line;
    touched_.push_back({line * line_bytes_ - at_begin_[pointer], pointer, write});
  }
  if (touched_.size() > kMostTouches) watching_ = false;
}

bool TurnSampler::EndTurn(std::uint64_t cycle, const std::vector<std::int64_t>& pointers) {
  if (!watching_) return false;
  constexpr double kEqual = 0.04;
  const std::uint64_t cycles = cycle - begin_;
  const double apart = std::abs(static_cast<double>(cycles) - static_cast<double>(last_cycles_));
  const bool equal = equal_ >= 0 && apart <= 2 + kEqual * static_cast<double>(cycles);
  equal_ = equal ? equal_ + 1 : 0;
  last_cycles_ = cycles;
  sum_cycles_ = equal ? sum_cycles_ + cycles : cycles;
  turn_cycles_ = sum_cycles_ / static_cast<std::uint64_t>(equal_ + 1);
  const Found now = Count();
  found_ = {now.l1_fills - before_.l1_fills, now.l2_fills - before_.l2_fills};
  before_ = now;
  shift_.resize(pointers.size());
  for (std::size_t p = 0; p < pointers.size(); ++p) shift_[p] = pointers[p] - at_begin_[p];
  if (equal_ >= kEqualTurns) return true;  // what it touched is kept for Repeat
  at_begin_ = pointers;
  begin_ = cycle;
  touched_.clear();
  return false;
}

std::int64_t TurnSampler::Repeat(std::int64_t most, std::uint64_t cycle,
                                 std::vector<std::int64_t>* pointers) {
  constexpr double kSame = 0.1;  ///< of the lines that may come from elsewhere
  std::int64_t turns = 0;
  bool same = true;
  const auto count = static_cast<double>(std::max<std::size_t>(1, touched_.size()));
  const double apart = static_cast<double>(turn_cycles_) / count;
  for (; turns < most && same; ++turns) {
    const double start =
        static_cast<double>(cycle) + static_cast<double>(turns) * static_cast<double>(turn_cycles_);
    for (std::size_t i = 0; i < touched_.size(); ++i) {
      const Touched& t = touched_[i];
      const std::int64_t address = (*pointers)[t.pointer] + t.offset;
      memory_.Access(static_cast<std::uint64_t>(start + apart * static_cast<double>(i)), address,
                     t.write);
    }
    for (std::size_t p = 0; p < pointers->size(); ++p) (*pointers)[p] += shift_[p];
    const Found now = Count();
    const std::int64_t l1 = now.l1_fills - before_.l1_fills - found_.l1_fills;
    const std::int64_t l2 = now.l2_fills - before_.l2_fills - found_.l2_fills;
    same = static_cast<double>(std::max(std::abs(l1), std::abs(l2))) <= 4 + kSame * count;
    before_ = now;
  }
  Begin(cycle + static_cast<std::uint64_t>(turns) * turn_cycles_, *pointers);
  return turns;
}

}  // namespace siliscope
