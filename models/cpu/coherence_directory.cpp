// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/coherence_directory.h"

#include <algorithm>

namespace siliscope {

CoherenceDirectory::CoherenceDirectory(std::int64_t lines)
    : sets_(std::max<std::size_t>(1, static_cast<std::size_t>(lines) / kWays)),
      entries_(sets_ * kWays) {}

CoherenceDirectory::Entry* CoherenceDirectory::Find(std::int64_t line) {
  Entry* set = SetOf(line);
  for (Entry* way = set; way < set + kWays; ++way) {
    if (way->tag == line + 1) return way;
  }
  return nullptr;
}

CoherenceDirectory::Entry& CoherenceDirectory::At(std::int64_t line) {
  if (Entry* here = Find(line)) return *here;
  Entry* set = SetOf(line);
  Entry* place = set;
  while (place < set + kWays && place->tag != 0) ++place;
  if (place == set + kWays) {
    place = set + next_;
    next_ = (next_ + 1) % kWays;
  }
  *place = {};
  place->tag = line + 1;
  return *place;
}

}  // namespace siliscope
