// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/store_buffer.h"

#include <algorithm>

namespace siliscope {

StoreBuffer::StoreBuffer(const CpuSpec& spec, CoreMemory& memory, std::size_t places)
    : spec_(spec), memory_(memory), leaves_(places, 0) {}

void StoreBuffer::Add(std::int64_t address, std::int64_t bytes, std::uint64_t executed,
                      std::uint64_t retired) {
  const std::int64_t first = address / spec_.line_bytes;
  const std::int64_t last = (address + bytes - 1) / spec_.line_bytes;
  std::uint64_t leaves = std::max(retired, last_);
  for (std::int64_t line = first; line <= last; ++line) {
    // The line is asked for as soon as the address is known; an L1 hit costs a store nothing.
    const CoreMemory::Result access = memory_.Access(executed, line * spec_.line_bytes, true);
    if (access.missed) leaves = std::max(leaves, access.ready);
    // Neighbours of one line leave together as far as the way to the L1 is wide.
    const bool together =
        line == last_line_ && leaves == last_ && last_bytes_ + bytes <= spec_.core.store_bytes;
    last_bytes_ = together ? last_bytes_ + bytes : bytes;
    if (!together && leaves == last_) ++leaves;
    last_line_ = line;
    last_ = leaves;
  }
  Leave(leaves);
  for (std::int64_t granule = address / 8; granule * 8 < address + bytes; ++granule) {
    places_[static_cast<std::size_t>(granule) % kPlaces] = {granule, address, bytes, executed,
                                                            leaves};
  }
}

void StoreBuffer::AddNonTemporal(std::int64_t address, std::int64_t bytes, std::uint64_t retired) {
  std::uint64_t leaves = std::max(retired, last_);
  if (leaves == last_) ++leaves;
  last_ = memory_.WriteAround(leaves, address, bytes);
  last_line_ = -1;
  Leave(last_);
}

void StoreBuffer::Leave(std::uint64_t cycle) {
  leaves_[at_] = cycle;
  at_ = at_ + 1 == leaves_.size() ? 0 : at_ + 1;
}

StoreBuffer::Forward StoreBuffer::Find(std::int64_t address, std::int64_t bytes,
                                       std::uint64_t when) const {
  Forward forward;
  for (const std::int64_t granule : {address / 8, (address + bytes - 1) / 8}) {
    const Place& place = places_[static_cast<std::size_t>(granule) % kPlaces];
    if (place.granule != granule || place.leaves <= when) continue;
    forward.found = true;
    forward.whole = place.address <= address && address + bytes <= place.address + place.bytes;
    forward.ready = std::max(forward.ready, place.ready);
    forward.leaves = std::max(forward.leaves, place.leaves);
  }
  return forward;
}

}  // namespace siliscope
