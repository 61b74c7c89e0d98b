// SPDX-License-Identifier: Apache-2.0
// What the addresses of a warp's lanes cost.
#include "models/gpu/lane_pattern.h"

#include <gtest/gtest.h>

#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

TEST(LanePattern, SharedMemoryServesABankOnceAPass) {
  // 32 banks of 4 bytes; a stride of s words makes an s-way conflict for powers of two, none for
  // odd strides; lanes that read the same word share it (CUDA C++ Programming Guide, "Shared
  // Memory", compute capability 5.x).
  const SharedMemorySmSpec spec = Gpu(kA100).sm.shared_memory;
  for (const int words : {1, 2, 4, 8, 16, 32}) {
    WarpAccess access;
    access.lane_stride = 4 * words;
    EXPECT_EQ(SharedWavefronts(spec, access, 32), words) << words;
    access.lane_stride = 4 * (words + 1 - words % 2);
    EXPECT_EQ(SharedWavefronts(spec, access, 32), 1) << words + 1;
  }
  WarpAccess same;
  same.lane_stride = -1;
  EXPECT_EQ(SharedWavefronts(spec, same, 32), 1);
  // A row padded by a word has no conflict along its column.
  WarpAccess column;
  column.lanes_per_row = 1;
  column.row_stride = 32 * 4;
  EXPECT_EQ(SharedWavefronts(spec, column, 32), 32);
  column.row_stride = 33 * 4;
  EXPECT_EQ(SharedWavefronts(spec, column, 32), 1);
  // Half the lanes, half the conflict.
  column.row_stride = 32 * 4;
  EXPECT_EQ(SharedWavefronts(spec, column, 16), 16);
}

TEST(LanePattern, HalfTheBanksServeHalfAWarp) {
  // 16 banks serve a warp as two halves (compute capability 1.x): twice the passes, until every
  // lane has a pass of its own.
  const SharedMemorySmSpec spec = Gpu(kA100, {{"sm.shared_memory.banks", "16"}}).sm.shared_memory;
  for (const int words : {1, 2, 4, 8, 16, 32}) {
    WarpAccess access;
    access.lane_stride = 4 * words;
    EXPECT_EQ(SharedWavefronts(spec, access, 32), std::min(32, 2 * words)) << words;
  }
}

TEST(LanePattern, WideAccessesMove128BytesAPass) {
  // 8 and 16 bytes a lane take 2 and 4 passes, as 128 bytes move in each; rows of 128 bytes that
  // are read by columns of 16 bytes conflict, swizzled rows don't.
  const SharedMemorySmSpec spec = Gpu(kH100).sm.shared_memory;
  WarpAccess wide;
  wide.bytes_per_lane = 8;
  EXPECT_EQ(SharedWavefronts(spec, wide, 32), 2);
  wide.bytes_per_lane = 16;
  EXPECT_EQ(SharedWavefronts(spec, wide, 32), 4);
  WarpAccess column = wide;
  column.lanes_per_row = 1;
  column.row_stride = 128;
  EXPECT_EQ(SharedWavefronts(spec, column, 32), 32);
  column.swizzled = true;
  EXPECT_EQ(SharedWavefronts(spec, column, 32), 4);
}

std::vector<TouchedLine> Lines(const WarpAccess& access, std::int64_t address) {
  std::vector<TouchedLine> lines;
  Coalesce(
      Gpu(kA100).sm.l1, access, 32, [&](std::int64_t, std::int64_t byte) { return address + byte; },
      &lines);
  return lines;
}

TEST(LanePattern, ContiguousLanesShareLinesAndSectors) {
  // Lines of 128 bytes with four sectors of 32 (CUDA C++ Best Practices Guide, "Coalesced Access
  // to Global Memory").
  WarpAccess access;
  std::vector<TouchedLine> lines = Lines(access, 1024);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].address, 1024);
  EXPECT_EQ(lines[0].sectors, 0xfU);
  // Misaligned by 64 bytes: the upper half of one line, the lower half of the next.
  lines = Lines(access, 1024 + 64);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].sectors, 0xcU);
  EXPECT_EQ(lines[1].address, 1024 + 128);
  EXPECT_EQ(lines[1].sectors, 0x3U);
  // By 4 bytes: one sector more, of the next line.
  lines = Lines(access, 1024 + 4);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].sectors, 0xfU);
  EXPECT_EQ(lines[1].sectors, 0x1U);
  // A stride of 128 bytes: a line of its own for each lane, one sector of each.
  access.lane_stride = 128;
  lines = Lines(access, 0);
  ASSERT_EQ(lines.size(), 32U);
  for (const TouchedLine& line : lines) EXPECT_EQ(line.sectors, 0x1U);
  // Two bytes a lane fill half a line; all lanes at one address a sector.
  access.lane_stride = 0;
  access.bytes_per_lane = 2;
  lines = Lines(access, 0);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sectors, 0x3U);
  access.lane_stride = -1;
  lines = Lines(access, 0);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].sectors, 0x1U);
}
}  // namespace
}  // namespace siliscope
