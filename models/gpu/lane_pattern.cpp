// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/lane_pattern.h"

#include <algorithm>
#include <array>

namespace siliscope {

std::int64_t SharedWavefronts(const SharedMemorySmSpec& spec, const WarpAccess& access, int lanes) {
  const std::int64_t width = spec.bank_width_bytes;
  const std::int64_t words_per_lane = std::max<std::int64_t>(1, access.bytes_per_lane / width);
  auto group = static_cast<int>(std::max<std::int64_t>(1, spec.banks / words_per_lane));
  if (access.bytes_per_lane >= 16) group = std::max(group, static_cast<int>(spec.wide_lanes));
  const std::int64_t stride = LaneStride(access);
  std::int64_t passes = 0;
  std::vector<std::int64_t> words;
  std::vector<std::int64_t> in_bank(static_cast<std::size_t>(spec.banks));
  for (int begin = 0; begin < lanes; begin += group) {
    words.clear();
    for (int lane = begin; lane < std::min(lanes, begin + group); ++lane) {
      const std::int64_t row = lane / access.lanes_per_row;
      std::int64_t column = access.offset + lane % access.lanes_per_row * stride;
      if (access.swizzled) column ^= row % 8 * 16;
      const std::int64_t address = row * access.row_stride + column;
      for (std::int64_t w = 0; w < words_per_lane; ++w) words.push_back(address / width + w);
    }
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    std::fill(in_bank.begin(), in_bank.end(), 0);
    std::int64_t most = 1;
    for (const std::int64_t word : words) {
      most = std::max(most, ++in_bank[static_cast<std::size_t>(word % spec.banks)]);
    }
    passes += most;
  }
  return passes;
}

}  // namespace siliscope
