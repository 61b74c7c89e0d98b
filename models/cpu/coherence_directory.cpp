// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/coherence_directory.h"

#include <algorithm>

#include "models/cpu/four_numbers.h"

namespace siliscope {

CoherenceDirectory::CoherenceDirectory(std::int64_t lines)
    : sets_(std::max<std::int64_t>(1, lines / static_cast<std::int64_t>(kWays))),
      tags_(static_cast<std::size_t>(sets_.value()) * kWays),
      entries_(tags_.size()) {}

CoherenceDirectory::Entry& CoherenceDirectory::At(std::int64_t line) {
  const std::size_t set = static_cast<std::size_t>(sets_.Remainder(line)) * kWays;
  const auto tag = static_cast<std::uint32_t>(line + 1);
  const std::uint32_t known = IndexOf(&tags_[set], kWays, tag);
  if (known != 0) return entries_[set + known - 1];
  std::size_t way = set;
  while (way < set + kWays && tags_[way] != 0) ++way;
  if (way == set + kWays) {
    way = set + next_;
    next_ = (next_ + 1) % kWays;
  }
  tags_[way] = tag;
  entries_[way] = {};
  return entries_[way];
}

}  // namespace siliscope
