// SPDX-License-Identifier: Apache-2.0
// Who issues, and what holds the others: one SM at cycle zoom.
#include <gtest/gtest.h>

#include <random>

#include "models/gpu/instruction_fetch.h"
#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

/// Warps that compute, then use what they loaded.
GpuKernel LoadAndCompute() {
  WarpAccess access;
  access.lane_stride = 16;
  const Part part = [](Builder& b, int) {
    b.Memory(Op::kLoadShared, 0, 4).sources[0] = 5;
    b.Add(Op::kSfu, 5, 4);
    for (int i = 0; i < 12; ++i) b.Add(Op::kFp32, 6, 6, 5);
  };
  return KernelOf({{"main", 24, LoopOf(2, 8, part, access)}});
}

TEST(SmCycle, TheSchedulerDecidesWhoIssuesAndLabelsDoNot) {
  // Greedy-then-oldest and round robin interleave the warps in different orders (Rogers et al.,
  // MICRO 2012); all work is done either way.
  const GpuKernel kernel = LoadAndCompute();
  const Outcome greedy = RunKernel(Gpu(kA100, {{"sm.scheduler", "greedy_then_oldest"}}), kernel);
  const Outcome robin = RunKernel(Gpu(kA100, {{"sm.scheduler", "loose_round_robin"}}), kernel);
  EXPECT_NE(greedy.cycles, robin.cycles);
  EXPECT_EQ(greedy.counters.instructions, robin.counters.instructions);
  EXPECT_EQ(greedy.counters.bank_conflicts, robin.counters.bank_conflicts);
  GpuKernel renamed = kernel;
  renamed.name = "ampere_fp16_s16816gemm";
  renamed.roles[0].name = "producer";
  renamed.tile = "128x128x32";
  const Outcome again = RunKernel(Gpu(kA100, {{"sm.scheduler", "greedy_then_oldest"}}), renamed);
  EXPECT_EQ(again.cycles, greedy.cycles);
  EXPECT_EQ(again.counters.slots, greedy.counters.slots);
}

TEST(SmCycle, GreedyStarvesTheYoungestWarp) {
  // Three chains of which two fill the pipe: greedy-then-oldest runs the two oldest to their ends
  // (4 cycles an instruction), then the third alone (4 more): 3 instructions in 8 cycles. In turns
  // all three end together, and the pipe is full: 3 in 6.
  EXPECT_NEAR(ChainRate(Gpu(kA100, {{"sm.scheduler", "greedy_then_oldest"}}), 3), 3.0 / 8, 0.005);
  EXPECT_NEAR(ChainRate(Gpu(kA100, {{"sm.scheduler", "loose_round_robin"}}), 3), 0.5, 0.005);
}

TEST(SmCycle, GreedyStaysWithTheWarpThatIssuedLast) {
  // The older warp waits for shared memory, the younger one takes over and is not interrupted when
  // the older is ready again; in turns it gives way to each of the older's 50 instructions.
  const auto young_cycles = [](const char* scheduler, int instructions_of_old) {
    Builder old, filler, young;
    old.Access({});
    old.Memory(Op::kLoadShared, 0, 4);
    for (int i = 0; i < instructions_of_old; ++i) old.Add(Op::kFp32, 8 + i % 32, 4);
    filler.Add(Op::kUniform, 4);
    young.Phase(0);
    for (int i = 0; i < 200; ++i) IndependentFma(young, i);
    // All lines come at once, so that no fetch lets the other warp in.
    const GpuSpec gpu =
        Gpu(kA100, {{"sm.scheduler", scheduler}, {"sm.instruction_cache.prefetch_lines", "64"}});
    const PassTimes times = RunKernel(gpu, KernelOf({{"old", 1, old.Finish()},
                                                     {"filler", 3, filler.Finish()},
                                                     {"young", 1, young.Finish()}}))
                                .passes[0];
    return static_cast<double>(times.end - times.begin);
  };
  EXPECT_NEAR(young_cycles("greedy_then_oldest", 50), young_cycles("greedy_then_oldest", 0), 2);
  EXPECT_NEAR(young_cycles("loose_round_robin", 50), young_cycles("loose_round_robin", 0) + 2 * 50,
              4);
}

TEST(InstructionFetch, ALineThatIsAskedForIsNeverReplacedByItsPrefetch) {
  InstructionCacheSpec spec = Gpu(kA100).sm.instruction_cache;
  spec.l0_bytes = 6 * 128;
  spec.prefetch_lines = 3;
  constexpr std::size_t kLines = 40;
  InstructionFetch fetch(spec, 1, 200,
                         kLines * static_cast<std::size_t>(128 / spec.instruction_bytes));
  std::mt19937 random(1);
  for (std::uint64_t now = 0; now < 10000; ++now) {
    ASSERT_LT(fetch.Arrival(0, random() % kLines, now), now + 1000);
  }
}

TEST(SmCycle, ALoopInTheInstructionCacheIsFetchedOnce) {
  // 256 instructions of 16 bytes are 4 KiB: within the L0 of 12 KiB.
  const GpuSpec gpu = Gpu(kA100);
  const auto stalls = [](const GpuSpec& g, int trips) {
    return RunLoop(g, 4, 256, trips, IndependentFma).Slots(IssueSlot::kNoInstruction);
  };
  EXPECT_GT(stalls(gpu, 1), 0U);
  EXPECT_EQ(stalls(gpu, 40), stalls(gpu, 1));
  // An L0 of 1 KiB loses each line before the loop comes round to it: with no prefetch every one of
  // the 32 lines misses in every trip, in each sub-core.
  const GpuSpec small = Gpu(
      kA100, {{"sm.instruction_cache.l0", "1 KiB"}, {"sm.instruction_cache.prefetch_lines", "0"}});
  EXPECT_GT(stalls(small, 40) - stalls(small, 20), 4U * 20U * 32U * 20U);
}

TEST(SmCycle, EverySlotOfASubCoreIsAccountedFor) {
  // All four sub-cores run the same: they end together, and every cycle has one reason.
  for (const char* chip : {kA100, kH100, kP100}) {
    const GpuSpec gpu = Gpu(chip);
    const Part part = [](Builder& b, int i) {
      DependentFma(b, i);
      IndependentFma(b, i);
      b.Add(Op::kSfu, 40, 4);
    };
    const Outcome o = RunLoop(gpu, 2 * gpu.sm.subcores, 32, 4, part);
    EXPECT_EQ(static_cast<double>(o.AllSlots()), static_cast<double>(gpu.sm.subcores) * o.cycles)
        << chip;
    if (gpu.sm.dual_issue) continue;
    EXPECT_EQ(o.Slots(IssueSlot::kSelected), o.counters.instructions) << chip;
  }
  // Where the sub-cores end at different times, those that have ended may be left out.
  const Outcome five = RunLoop(Gpu(kA100), 5, 32, 4, IndependentFma);
  EXPECT_LE(static_cast<double>(five.AllSlots()), 4 * five.cycles);
  EXPECT_GE(static_cast<double>(five.AllSlots()), 2 * five.cycles);
}

TEST(SmCycle, SlotsNameWhatHeldTheWarp) {
  // One reason binds in each of these, and has most of the slots.
  const auto share = [](const Outcome& o, IssueSlot slot) {
    return static_cast<double>(o.Slots(slot)) /
           static_cast<double>(o.AllSlots() - o.Slots(IssueSlot::kNoWarp));
  };
  const GpuSpec gpu = Gpu(kA100);
  EXPECT_GT(share(RunLoop(gpu, 1, 64, 20, DependentFma), IssueSlot::kWait), 0.6);
  EXPECT_GT(share(RunLoop(gpu, 32, 64, 20, IndependentFma), IssueSlot::kMathPipeThrottle), 0.4);
  EXPECT_GT(share(Stream(gpu, 4, 1, 32, 50, 600), IssueSlot::kLongScoreboard), 0.8);
  const Part chain = [](Builder& b, int) { b.Memory(Op::kLoadShared, 0, 4).sources[0] = 4; };
  EXPECT_GT(share(RunLoop(gpu, 1, 64, 20, chain), IssueSlot::kShortScoreboard), 0.7);
  WarpAccess conflict;
  conflict.lane_stride = 128;
  const Part loads = [](Builder& b, int i) { b.Memory(Op::kLoadShared, 0, 4 + i % 64); };
  EXPECT_GT(share(RunLoop(gpu, 4, 64, 20, loads, conflict), IssueSlot::kMemoryPipeThrottle), 0.8);
}

TEST(SmCycle, TwoIndependentInstructionsOfAWarpIssueTogetherOnPascal) {
  // Each scheduler of Pascal issues up to two instructions of a warp in a cycle (whitepaper, "SM").
  const Part pair = [](Builder& b, int i) {  // four cycles of each pipe, in five instructions
    for (int f = 0; f < 4; ++f) b.Add(Op::kFp32, 64 + (4 * i + f) % 64);
    b.Add(Op::kSfu, 32 + i % 16);
  };
  const Part same = [](Builder& b, int i) {
    b.Add(Op::kFp32, 8 + i % 16);
    b.Add(Op::kFp32, 32 + i % 16);
  };
  const Part chain = [](Builder& b, int) {  // the second needs the first
    b.Add(Op::kFp32, 8, 9);
    b.Add(Op::kInteger, 9, 8);
  };
  const GpuSpec two = Gpu(kP100), one = Gpu(kP100, {{"sm.dual_issue", "false"}});
  EXPECT_DOUBLE_EQ(PartCycles(two, 1, pair), 4);
  EXPECT_DOUBLE_EQ(PartCycles(one, 1, pair), 5);
  EXPECT_DOUBLE_EQ(PartCycles(two, 1, same), 2);
  EXPECT_DOUBLE_EQ(PartCycles(two, 1, chain), 12);
  EXPECT_DOUBLE_EQ(PartCycles(one, 1, chain), 12);
}

TEST(SmCycle, ALoopBeyondTheL0KeepsMissingWithPrefetchToo) {
  // 32 lines of instructions in an L0 of 8.
  const GpuSpec gpu = Gpu(
      kA100, {{"sm.instruction_cache.l0", "1 KiB"}, {"sm.instruction_cache.prefetch_lines", "4"}});
  const auto stalls = [&](int trips) {
    return RunLoop(gpu, 4, 256, trips, IndependentFma).Slots(IssueSlot::kNoInstruction);
  };
  EXPECT_GT(stalls(20), stalls(10));
}

TEST(SmCycle, FetchStallsDualIssueToo) {
  // Straight code waits for its lines, whether one or two instructions issue in a cycle.
  const auto stalls = [](const char* dual) {
    return RunLoop(Gpu(kP100, {{"sm.dual_issue", dual}}), 1, 1024, 1, DependentFma)
        .Slots(IssueSlot::kNoInstruction);
  };
  EXPECT_GT(2 * stalls("true"), stalls("false"));
}

TEST(SmCycle, NoSecondInstructionIssuesWithABarrier) {
  const auto cycles = [](const char* dual) {
    Builder b;
    b.WithOperand(Op::kBarrier, 0);
    b.Add(Op::kFp32, 8);
    return RunKernel(Gpu(kP100, {{"sm.dual_issue", dual}}), KernelOf({{"main", 1, b.Finish()}}))
        .cycles;
  };
  EXPECT_GE(cycles("true"), cycles("false") - 2);
}

TEST(SmCycle, WaitsHoldWithDualIssueToo) {
  // Of asynchronous copies, and of mbarriers.
  const auto copy = [](const char* dual) {
    Builder b;
    WarpAccess access;
    access.stream = 0;
    b.Access(access);
    b.Add(Op::kFp32, 5);
    b.Memory(Op::kAsyncCopy, 0, kNoRegister);
    b.Add(Op::kAsyncCommit);
    b.WithOperand(Op::kAsyncWait, 0);
    b.Add(Op::kFp32, 4);
    return RunKernel(Gpu(kA100, {{"sm.dual_issue", dual}}), KernelOf({{"main", 1, b.Finish()}}),
                     5000)
        .cycles;
  };
  EXPECT_GT(copy("false"), 5000);
  EXPECT_GT(copy("true"), 5000);
  EXPECT_NEAR(Ring(Gpu(kH100, {{"sm.dual_issue", "true"}}), 1, 60, 20).cycles,
              Ring(Gpu(kH100), 1, 60, 20).cycles, 20 * 10);
}

TEST(SmCycle, TimesDoNotDependOnTheCycleOfTheLaunch) {
  const auto cycles = [](std::uint64_t at) {
    const GpuSpec gpu = Gpu(kA100);
    const GpuKernel kernel = KernelOf({{"main", 1, LoopOf(64, 20, DependentFma)}});
    IdealSmMemory memory(300);
    SmCycle sm(gpu, nullptr, kernel, {1, 1}, memory);
    sm.Launch({}, at);
    return sm.Run() - at;
  };
  EXPECT_EQ(cycles(1000), cycles(0));
  EXPECT_EQ(cycles(std::uint64_t{1} << 33), cycles(0));
}

TEST(SmCycle, SubCoresWithoutWarpsHaveSlotsToo) {
  const Outcome one = RunLoop(Gpu(kA100), 1, 32, 4, DependentFma);
  EXPECT_EQ(static_cast<double>(one.AllSlots()), 4 * one.cycles);
  EXPECT_GE(static_cast<double>(one.Slots(IssueSlot::kNoWarp)), 3 * one.cycles);
}

TEST(SmCycle, TwoLevelsAreNotRoundRobin) {
  const GpuKernel kernel = LoadAndCompute();
  EXPECT_NE(RunKernel(Gpu(kA100, {{"sm.scheduler", "two_level"}}), kernel).cycles,
            RunKernel(Gpu(kA100, {{"sm.scheduler", "loose_round_robin"}}), kernel).cycles);
}
}  // namespace
}  // namespace siliscope
