// SPDX-License-Identifier: Apache-2.0
// Loads, misses and copies of one SM at cycle zoom.
#include <gtest/gtest.h>

#include "models/gpu/lane_pattern.h"
#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

/// Cycles of each load of a chase through `bytes`, a line a load, when it has gone round before.
double ChaseCycles(const GpuSpec& gpu, std::int64_t bytes, std::uint64_t latency) {
  const std::int64_t lines = bytes / 128;
  Walk walk = WalkOver(lines, 128, 1);
  for (std::int64_t i = 0; i < lines; ++i) {  // an order that is not that of the addresses
    walk.stream.step_offsets.emplace_back(i * 7919 % lines, 0);
  }
  const GpuKernel kernel = ChaseOver(walk);
  const double two = RunKernel(gpu, kernel, latency, {2 * lines, 1}, &walk.program).cycles;
  const double four = RunKernel(gpu, kernel, latency, {4 * lines, 1}, &walk.program).cycles;
  return (four - two) / static_cast<double>(2 * lines);
}

TEST(SmCycle, AChaseHasItsKneeAtTheSizeOfTheL1) {
  // Latency of an L1 hit on A100: 33 cycles (RRZE-HPC/gpu-benches); 192 KiB together with shared
  // memory (whitepaper). Beyond, each load goes to the memory behind.
  const GpuSpec a100 = Gpu(kA100);
  for (const std::int64_t kib : {4, 32, 128}) {
    EXPECT_NEAR(ChaseCycles(a100, kib << 10, 400), 33, 1) << kib;
  }
  for (const std::int64_t kib : {256, 512}) {
    EXPECT_NEAR(ChaseCycles(a100, kib << 10, 400), 400, 4) << kib;
  }
  // The knee moves with the size.
  const GpuSpec half = Gpu(kA100, {{"sm.l1.size", "96 KiB"},
                                   {"sm.shared_memory.size", "16 KiB"},
                                   {"sm.shared_memory.most_per_cta", "16 KiB"}});
  EXPECT_NEAR(ChaseCycles(half, 64 << 10, 400), 33, 1);
  EXPECT_NEAR(ChaseCycles(half, 128 << 10, 400), 400, 4);
  // P100: 24 KiB of its own.
  EXPECT_NEAR(ChaseCycles(Gpu(kP100), 16 << 10, 400), 82, 1);
  EXPECT_NEAR(ChaseCycles(Gpu(kP100), 32 << 10, 400), 400, 4);
}

TEST(SmCycle, MissStatusRegistersBoundTheMissesUnderWay) {
  // Eight independent misses of a sector each: one register lets them go one after another, two in
  // pairs, many all at once.
  const auto cycles = [](const char* mshrs, int loads, int lanes) {
    const GpuSpec gpu = Gpu(kA100, {{"sm.l1.mshrs", mshrs}});
    const auto steps = [&](std::int64_t count) {
      return Stream(gpu, 1, loads, lanes, count, 500).cycles;
    };
    return (steps(8) - steps(4)) / 4;
  };
  EXPECT_NEAR(cycles("1", 8, 1), 8 * 500, 0.01 * 8 * 500);
  EXPECT_NEAR(cycles("2", 8, 1), 4 * 500, 0.02 * 4 * 500);
  EXPECT_NEAR(cycles("256", 8, 1), 500, 60);
  // The four sectors of a line take one register each.
  EXPECT_NEAR(cycles("1", 1, 32), 4 * 500, 0.02 * 4 * 500);
  EXPECT_NEAR(cycles("2", 1, 32), 2 * 500, 0.03 * 2 * 500);
  EXPECT_NEAR(cycles("4", 1, 32), 500, 30);
}

TEST(SmCycle, BytesUnderWayOverLatencyIsTheBandwidth) {
  // Little's law: each warp has 4 lines under way; 256 sectors are 64 lines, so that 16 warps reach
  // the most, 256 x 32 bytes a latency.
  GpuSpec gpu = Gpu(kA100);
  gpu.sm.l1.mshrs = 256;
  const auto bytes_per_cycle = [&](std::int64_t warps) {
    const double cycles =
        Stream(gpu, warps, 4, 32, 12, 600).cycles - Stream(gpu, warps, 4, 32, 4, 600).cycles;
    return static_cast<double>(warps) * 4 * 128 * 8 / cycles;
  };
  const double most = 256 * 32 / 600.0;
  for (const std::int64_t warps : {1, 2, 4, 8}) {
    const double expected = static_cast<double>(warps) * 4 * 128 / 600;
    EXPECT_NEAR(bytes_per_cycle(warps), expected, 0.07 * expected) << warps;
  }
  for (const std::int64_t warps : {24, 32, 64}) {
    EXPECT_NEAR(bytes_per_cycle(warps), most, 0.05 * most) << warps;
  }
}

TEST(SmCycle, HitsSaturateThePortOfTheL1) {
  // The L1 delivers 128 bytes a cycle (whitepaper: 64 on Pascal's halves, 128 since Volta).
  const Part load = [](Builder& b, int i) {
    b.Memory(Op::kLoadGlobal, 0, 4 + i % 4).sources[0] = static_cast<std::uint8_t>(4 + i % 4);
  };
  WarpAccess access;
  access.stream = 0;
  const auto bytes_per_cycle = [&](std::int64_t warps) {  // the same line again and again
    return static_cast<double>(warps) * 128 / PartCycles(Gpu(kA100), warps, load, access);
  };
  EXPECT_NEAR(bytes_per_cycle(1), 4 * 128 / 33.0, 1);
  EXPECT_NEAR(bytes_per_cycle(4), 4 * 4 * 128 / 33.0, 4);
  EXPECT_NEAR(bytes_per_cycle(16), 128, 4);
  EXPECT_NEAR(bytes_per_cycle(32), 128, 4);
}

TEST(SmCycle, ASecondLoadOfALineUnderWayWaitsForIt) {
  // It merges with the miss: nothing is fetched twice, and the two take one latency.
  Walk walk = WalkOver(1, 128, 1);
  Builder b;
  WarpAccess access;
  access.stream = 0;
  b.Access(access);
  b.Memory(Op::kLoadGlobal, 0, 4);
  b.Memory(Op::kLoadGlobal, 0, 5);
  b.Add(Op::kInteger, 6, 5);  // of the second
  GpuKernel kernel = KernelOf({{"main", 1, b.Finish()}});
  kernel.streams = {walk.stream};
  const Outcome o = RunKernel(Gpu(kA100), kernel, 2000, {1, 1}, &walk.program);
  EXPECT_EQ(o.counters.l1_misses, 4U);
  EXPECT_EQ(o.counters.l1_hits, 4U);
  EXPECT_GE(o.cycles, 2000);
  EXPECT_LT(o.cycles, 2500);
}
/// Cycles a load of dependent constant loads, 64 bytes apart, that go round `bytes`.
double ConstantChase(std::int64_t bytes) {
  const int loads = static_cast<int>(bytes / 64);
  const auto run = [&](int trips) {
    return RunLoop(Gpu("v100-sxm2-16gb"), 1, loads, trips,
                   [](Builder& b, int i) {
                     WarpInstruction& in = b.Add(Op::kLoadConstant, 4, 4);
                     in.operand = 64 * i;
                   })
        .cycles;
  };
  return (run(6) - run(2)) / 4 / loads;
}

TEST(SmCycle, ConstantCachesHaveTheirKnees) {
  // Jia et al. 2018, Table 3.1, V100: 2 KiB at 27 cycles, 64 KiB at 89, then the L2.
  EXPECT_NEAR(ConstantChase(1024), 27, 3);
  EXPECT_NEAR(ConstantChase(2048), 27, 3);
  EXPECT_NEAR(ConstantChase(16384), 89, 3);
  EXPECT_NEAR(ConstantChase(131072), (212 + 3 * 89) / 4.0, 20);  // a line of 256 B is four loads
}

TEST(SmCycle, LanesThatNameDifferentConstantsTakeTurns) {
  const auto cycles = [](bool apart) {
    return PartCycles(Gpu(kA100), 1, [apart](Builder& b, int) {
      WarpInstruction& in = b.Add(Op::kLoadConstant, 4, 4);
      if (apart) in.access = 0;
    });
  };
  EXPECT_NEAR(cycles(true) - cycles(false), 31, 0.5);
}

}  // namespace
}  // namespace siliscope
