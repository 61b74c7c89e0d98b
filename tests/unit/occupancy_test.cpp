// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/occupancy.h"

#include <gtest/gtest.h>

#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

Occupancy Occupied(std::int64_t warps, std::int64_t registers, std::int64_t shared_bytes) {
  GpuKernel kernel;
  kernel.warps = warps;
  kernel.registers_per_thread = registers;
  kernel.shared_bytes = shared_bytes;
  return OccupancyOf(Gpu(kA100).sm, kernel);
}

TEST(Occupancy, MatchesTheCudaOccupancyCalculatorForA100) {
  // 65536 registers given out in 256s to warps, in four sub-cores; 164 KiB of shared memory, 1 KiB
  // of it taken for each CTA; 64 warps; 32 CTAs.
  struct {
    std::int64_t warps, registers, shared;
    std::int64_t ctas;
    const char* limiter;
  } const cases[] = {
      {8, 32, 0, 8, "warps"},
      {32, 32, 0, 2, "warps"},
      {24, 32, 0, 2, "warps"},     // 75%: 768 threads leave a third of a CTA's room
      {8, 33, 0, 6, "registers"},  // 1056 rounds up to 1280 a warp: 48 warps
      {8, 40, 0, 6, "registers"},  // the same
      {8, 64, 0, 4, "registers"},
      {8, 128, 0, 2, "registers"},
      {8, 168, 0, 1, "registers"},  // 5376: 3 warps a sub-core
      {8, 255, 0, 1, "registers"},  // 8192: 2 warps a sub-core
      {3, 208, 0, 2, "registers"},  // 6656: 2 warps a sub-core, 8 of the 9 that 65536 would hold
      {7, 96, 0, 2, "registers"},   // 3072: 5 warps a sub-core, 20 of 21
      {16, 255, 0, 0, "registers"},
      {4, 32, 48 << 10, 3, "shared_memory"},  // 49 KiB each
      {4, 32, 81 << 10, 2, "shared_memory"},  // 82 KiB each
      {4, 32, 82 << 10, 1, "shared_memory"},
      {4, 32, 163 << 10, 1, "shared_memory"},
      {4, 32, 164 << 10, 0, "shared_memory"},  // a CTA may have 163 KiB
      {1, 32, 0, 32, "ctas"},
      {2, 32, 0, 32, "ctas"},
  };
  for (const auto& c : cases) {
    const Occupancy o = Occupied(c.warps, c.registers, c.shared);
    EXPECT_EQ(o.ctas, c.ctas) << c.warps << " " << c.registers << " " << c.shared;
    EXPECT_EQ(o.limiter, c.limiter) << c.warps << " " << c.registers << " " << c.shared;
    EXPECT_DOUBLE_EQ(o.share, static_cast<double>(c.ctas * c.warps) / 64);
  }
}
}  // namespace
}  // namespace siliscope
