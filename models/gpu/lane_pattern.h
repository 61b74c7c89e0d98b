// SPDX-License-Identifier: Apache-2.0
// What the addresses of a warp's lanes cost: passes over the banks of shared memory, lines and
// sectors of global memory.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

/// Bytes from one lane of a row to the next.
inline std::int64_t LaneStride(const WarpAccess& access) {
  if (access.lane_stride == 0) return access.bytes_per_lane;
  return access.lane_stride < 0 ? 0 : access.lane_stride;
}

/// Passes ("wavefronts") that shared memory needs for one instruction of `lanes` active lanes. A
/// pass serves each bank once; lanes that want the same word share it. Wide accesses go in groups
/// of lanes that fill the banks (a 16-byte load: 8 lanes a pass).
/// Source: CUDA C++ Programming Guide, "Shared Memory" of compute capability 5.x and later.
std::int64_t SharedWavefronts(const SharedMemorySmSpec& spec, const WarpAccess& access, int lanes);

/// A line that a warp touches, and which of its sectors.
struct TouchedLine {
  std::int64_t address = 0;  ///< of the line's first byte
  std::uint32_t sectors = 0;
};

/// Coalesces one global access: lanes of a row stand beside each other, at `address(row, byte)`.
/// A lane whose address is negative takes no part.
template <typename Address>
void Coalesce(const L1Spec& spec, const WarpAccess& access, int lanes, Address address,
              std::vector<TouchedLine>* out) {
  out->clear();
  const int per_row = access.lanes_per_row;
  const std::int64_t stride = LaneStride(access);
  for (int lane = 0; lane < lanes; ++lane) {
    const std::int64_t first = address(lane / per_row, lane % per_row * stride);
    if (first < 0) continue;
    const std::int64_t last = first + access.bytes_per_lane - 1;
    for (std::int64_t s = first / spec.sector_bytes; s <= last / spec.sector_bytes; ++s) {
      const std::int64_t line = s * spec.sector_bytes / spec.line_bytes * spec.line_bytes;
      const auto bit = std::uint32_t{1} << ((s * spec.sector_bytes - line) / spec.sector_bytes);
      if (!out->empty() && out->back().address == line) {
        out->back().sectors |= bit;
        continue;
      }
      bool found = false;
      for (TouchedLine& t : *out) {
        if (t.address == line) t.sectors |= bit, found = true;
      }
      if (!found) out->push_back({line, bit});
    }
  }
}

}  // namespace siliscope
