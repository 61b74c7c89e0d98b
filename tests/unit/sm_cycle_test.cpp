// SPDX-License-Identifier: Apache-2.0
// The streaming multiprocessor at cycle zoom on small warp programs, whose times follow from what
// is published or measured of the chips.
#include <gtest/gtest.h>

#include "sim/core/error.h"
#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

TEST(SmCycle, ChainsRunAtTheLatencyOfThePipeAndOthersAtItsInterval) {
  // Latency of FFMA: 4 cycles since Volta, 6 on Pascal (Jia et al. 2018). A sub-core has 16 FP32
  // lanes on A100, 32 on H100 and P100 (whitepapers): 2 cycles for 32 threads, or 1.
  struct {
    const char* chip;
    double latency, interval;
  } const cases[] = {{kA100, 4, 2}, {"v100-sxm2-16gb", 4, 2}, {kH100, 4, 1}};
  for (const auto& c : cases) {
    EXPECT_DOUBLE_EQ(PartCycles(Gpu(c.chip), 1, DependentFma), c.latency) << c.chip;
    EXPECT_DOUBLE_EQ(PartCycles(Gpu(c.chip), 1, IndependentFma), c.interval) << c.chip;
  }
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kP100), 1, DependentFma), 6);
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kP100), 1, IndependentFma), 1);
}

TEST(SmCycle, WarpsHideLatencyUntilThePipeIsFull) {
  // Little: latency / interval warps of a sub-core fill its pipe, 2 on A100 and 4 on H100.
  EXPECT_NEAR(ChainRate(Gpu(kA100), 1), 0.25, 0.005);
  for (const int warps : {2, 4, 8, 16}) {
    EXPECT_NEAR(ChainRate(Gpu(kA100), warps), 0.5, 0.01) << warps;
  }
  for (const int warps : {1, 2, 3, 4}) {
    EXPECT_NEAR(ChainRate(Gpu(kH100), warps), 0.25 * warps, 0.02) << warps;
  }
  for (const int warps : {8, 16}) EXPECT_NEAR(ChainRate(Gpu(kH100), warps), 1, 0.02) << warps;
}

TEST(SmCycle, BankConflictsTakeTheMemoryPipe) {
  // The sub-cores share one memory pipe: four warps that load 32 words each take 4 cycles without
  // conflict (128 bytes a cycle), 4 x 32 with a stride of 32 words.
  const GpuSpec gpu = Gpu(kA100);
  const Part load = [](Builder& b, int i) { b.Memory(Op::kLoadShared, 0, 4 + i % 32); };
  for (const int words : {1, 2, 8, 32}) {
    WarpAccess access;
    access.lane_stride = 4 * words;
    EXPECT_NEAR(PartCycles(gpu, 4, load, access), 4 * words, 0.05 * words) << words;
    const Outcome o = RunLoop(gpu, 4, 8, 2, load, access);
    EXPECT_EQ(o.counters.bank_conflicts, static_cast<std::uint64_t>(4 * 8 * 2 * (words - 1)));
    EXPECT_EQ(o.counters.shared_read_bytes, std::uint64_t{4 * 8 * 2 * 128});
  }
  // A chain of loads runs at the latency: 23 cycles on A100, 29 on H100.
  const Part chain = [](Builder& b, int) { b.Memory(Op::kLoadShared, 0, 4).sources[0] = 4; };
  EXPECT_DOUBLE_EQ(PartCycles(gpu, 1, chain), 23);
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kH100), 1, chain), 29);
}

TEST(SmCycle, DivergedPathsRunOneAfterAnother) {
  // A warp executes one path at a time (CUDA C++ Programming Guide, "SIMT Architecture").
  for (const char* chip : {kA100, kP100}) {
    const auto block = [&](int paths) {
      return TripCycles(Gpu(chip), 1, 1, [paths](Builder& b, int) {
        b.WithOperand(Op::kDiverge, paths);
        for (int i = 0; i < 100; ++i) DependentFma(b, i);
        b.Add(Op::kReconverge);
      });
    };
    const double one = block(1);
    for (const int paths : {2, 4, 8, 16, 32}) {
      EXPECT_NEAR(block(paths), paths * one, 0.1 * paths * one) << chip << " " << paths;
    }
  }
}

/// One warp that does `chain` dependent instructions before a barrier, three that do none.
Outcome BarrierAfterAChain(const GpuSpec& gpu, int chain) {
  const auto program = [](int instructions) {
    Builder b;
    b.Phase(0);
    for (int i = 0; i < instructions; ++i) DependentFma(b, i);
    b.WithOperand(Op::kBarrier, 0);
    b.Phase(1);
    b.Add(Op::kFp32, 8);
    return b.Finish();
  };
  return RunKernel(gpu, KernelOf({{"slow", 1, program(chain)}, {"fast", 3, program(0)}}));
}

TEST(SmCycle, NoWarpPassesABarrierBeforeTheLastArrives) {
  const GpuSpec gpu = Gpu(kA100);
  const auto barrier = static_cast<std::uint64_t>(gpu.sm.barrier_cycles);
  for (const int chain : {8, 64, 500}) {
    const Outcome o = BarrierAfterAChain(gpu, chain);
    // The chain's last instruction issues 4 x (chain - 1) cycles after its first.
    EXPECT_GE(o.passes[1].begin, static_cast<std::uint64_t>(4 * (chain - 1)) + barrier) << chain;
    EXPECT_GE(o.passes[1].begin, o.passes[0].begin + barrier);
    // Nor does it wait much longer: the four warps leave together.
    EXPECT_LE(o.passes[1].end - o.passes[1].begin, 4 * barrier) << chain;
  }
  EXPECT_GT(BarrierAfterAChain(gpu, 500).Slots(IssueSlot::kBarrier), 3U * 1900U);
}

TEST(SmCycle, ANamedBarrierHoldsOnlyItsOwnWarps) {
  // bar.sync with a number of threads: two warps meet while a third is still in its chain.
  Builder slow, fast;
  slow.Phase(0);
  for (int i = 0; i < 500; ++i) DependentFma(slow, i);
  fast.Phase(0);
  fast.WithOperand(Op::kBarrier, 1).trips = 2;
  fast.Phase(1);
  const Outcome o =
      RunKernel(Gpu(kA100), KernelOf({{"slow", 1, slow.Finish()}, {"fast", 2, fast.Finish()}}));
  EXPECT_LT(o.passes[1].end, 1000U);
  EXPECT_GT(o.cycles, 2000);
}

TEST(SmCycle, WarpsThatWaitForEverAreReported) {
  Builder waits;
  waits.WithOperand(Op::kBarrier, 0);
  Builder leaves;
  leaves.Add(Op::kFp32, 4);
  const GpuKernel kernel = KernelOf({{"waits", 1, waits.Finish()}, {"leaves", 1, leaves.Finish()}});
  EXPECT_THROW(RunKernel(Gpu(kA100), kernel), InternalError);
}

TEST(SmCycle, OperandsOfOneRegisterBankComeOneAfterAnother) {
  // Two banks (since Volta: Jia et al. 2018) of one operand a cycle: three operands of one
  // bank take three cycles, one more than where one of them lies in the other bank; the reuse cache
  // needs no bank. Measured on GA104, also 32 lanes a sub-core: FFMA with three registers of its
  // own reaches 55% of the peak, with two of them reused 95% (forums.developer.nvidia.com, 266769).
  const auto fma = [](int a, int b, int c, int reuse) {
    return [=](Builder& builder, int i) {
      builder.Add(Op::kFp32, 64 + i % 32, a, b, c).reuse = static_cast<std::uint8_t>(reuse);
    };
  };
  const GpuSpec h100 = Gpu(kH100);
  const double one_bank = PartCycles(h100, 1, fma(2, 4, 6, 0));
  const double two_banks = PartCycles(h100, 1, fma(2, 4, 7, 0));
  EXPECT_DOUBLE_EQ(one_bank, two_banks + 1);
  EXPECT_DOUBLE_EQ(one_bank, 3);
  EXPECT_DOUBLE_EQ(PartCycles(h100, 1, fma(2, 4, 6, 0b011)), 1);
  EXPECT_DOUBLE_EQ(PartCycles(h100, 1, fma(2, 4, 7, 0b001)), 1);
  EXPECT_DOUBLE_EQ(PartCycles(h100, 1, fma(2, 7, 2, 0)), 1) << "one register is read once";
  EXPECT_DOUBLE_EQ(
      PartCycles(Gpu(kH100, {{"sm.register_file.reuse_cache", "false"}}), 1, fma(2, 4, 6, 0b011)),
      3);
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kH100, {{"sm.register_file.banks", "4"}}), 1, fma(2, 5, 7, 0)), 1)
      << "no two of 2, 5, 7 share one of four banks";
  // An interval of 2 hides one of the two cycles: only three operands of one bank show.
  const GpuSpec a100 = Gpu(kA100);
  EXPECT_DOUBLE_EQ(PartCycles(a100, 1, fma(2, 4, 7, 0)), 2);
  EXPECT_DOUBLE_EQ(PartCycles(a100, 1, fma(2, 4, 6, 0)), 3);
}

TEST(SmCycle, OperandCollectorsOverlapBankConflicts) {
  // Collectors (Lindholm et al., US patent 7339592, up to Kepler) hold instructions whose operands
  // are late, so that others use the banks meanwhile. Of P100's four banks, three operands of one
  // bank take three cycles; the instruction beside it needs the three others.
  const Part mixed = [](Builder& b, int i) {
    if (i % 2 == 0) {
      b.Add(Op::kFp32, 64 + i % 32, 4, 8, 12);
    } else {
      b.Add(Op::kFp32, 64 + i % 32, 5, 10, 15);
    }
  };
  const auto cycles = [&](const char* collectors) {
    const GpuSpec gpu = Gpu(kP100, {{"sm.dual_issue", "false"},
                                    {"sm.register_file.banks", "4"},
                                    {"sm.register_file.collectors", collectors}});
    return PartCycles(gpu, 1, mixed);
  };
  EXPECT_NEAR(cycles("0"), 2, 0.02) << "three and one: the pipe waits for the operands";
  EXPECT_NEAR(cycles("1"), 2, 0.02) << "alone in its collector, each waits for its own";
  EXPECT_NEAR(cycles("4"), 1.5, 0.02) << "the bank's three cycles, and nothing beside them";
}
}  // namespace
}  // namespace siliscope
