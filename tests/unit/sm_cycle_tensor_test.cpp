// SPDX-License-Identifier: Apache-2.0
// Tensor Cores of one SM at cycle zoom.
#include <gtest/gtest.h>

#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

TEST(SmCycle, TensorCoresTakeAnInstructionEveryEightCycles) {
  // m16n8k16 is 2048 multiply-accumulates, an A100 sub-core does 256 a cycle (whitepaper, Table 3:
  // 1024 an SM); dependent ones are 25 cycles apart (Sun et al., TPDS 2022).
  const auto mma = [](int accumulators) {
    return [accumulators](Builder& b, int i) {
      const int acc = 64 + 4 * (i % accumulators);
      b.Add(Op::kMma, acc, 4, 8, acc).macs = 16 * 8 * 16;
    };
  };
  const GpuSpec gpu = Gpu(kA100);
  EXPECT_DOUBLE_EQ(PartCycles(gpu, 1, mma(1)), 25);
  EXPECT_NEAR(PartCycles(gpu, 1, mma(2)), 12.5, 0.1);
  EXPECT_DOUBLE_EQ(PartCycles(gpu, 1, mma(8)), 8);
  // Four warps, a Tensor Core each, are no slower than one; eight take turns.
  EXPECT_DOUBLE_EQ(PartCycles(gpu, 4, mma(8)), 8);
  EXPECT_NEAR(PartCycles(gpu, 8, mma(8)), 16, 0.1);
  // Half the width of the operands, twice the rate; half the rate, twice the time.
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kA100, {{"tensor_core.macs_per_cycle.fp16", "512"}}), 1, mma(8)),
                   16);
  const Outcome o = RunLoop(gpu, 4, 16, 4, mma(8));
  EXPECT_EQ(o.counters.tensor_cycles, std::uint64_t{4 * 16 * 4 * 8});
}

TEST(SmCycle, WarpGroupProductsReadTheirOperandsFromSharedMemory) {
  // wgmma m64nNk16 of fp16: 4 warps at 512 multiply-accumulates a cycle each (whitepaper, Table 2:
  // 2048 an SM) take N / 2 cycles. Both operands, 2 KiB and 32 N bytes, pass shared memory at 128
  // bytes a cycle: short ones wait for it (2304 bytes of m64n8k16: 18 cycles).
  const GpuSpec gpu = Gpu(kH100);
  for (const int n : {8, 16, 64, 128, 256}) {
    WarpAccess operands;
    operands.bulk_bytes = 64 * 16 * 2 + n * 16 * 2;
    const Part product = [n](Builder& b, int) {
      WarpInstruction& in = b.Add(Op::kGroupMma);
      in.access = 0;
      in.macs = static_cast<float>(16 * n * 16);
    };
    const double expected = std::max(n / 2, 16 + n / 4);
    EXPECT_NEAR(PartCycles(gpu, 4, product, operands), expected, 0.02 * expected) << n;
  }
}

TEST(SmCycle, RatesFollowGenerationAndType) {
  // Cycles between two instructions of a warp: multiply-accumulates of the instruction / those of a
  // sub-core (white papers of V100, T4 and A100; DMMA m8n8k4 and, on H100, m16n8k16).
  struct Row {
    const char* chip;
    const char* dtype;
    int macs;
    double cycles;
  };
  for (const Row& row :
       {Row{"v100-sxm2-16gb", "fp16", 256, 2}, Row{"t4-16gb", "fp16", 1024, 8},
        Row{"t4-16gb", "int8", 2048, 8}, Row{kA100, "bf16", 2048, 8}, Row{kA100, "tf32", 1024, 8},
        Row{kA100, "int8", 4096, 8}, Row{kA100, "fp64", 256, 16}, Row{kH100, "fp64", 2048, 64}}) {
    const Part mma = [&](Builder& b, int i) {
      const int acc = 64 + 4 * (i % 16);
      b.Add(Op::kMma, acc, 4, 8, acc).macs = static_cast<float>(row.macs);
    };
    const auto cycles = [&](int parts) {
      GpuKernel kernel = KernelOf({{"main", 1, LoopOf(parts, 20, mma)}});
      kernel.dtype = row.dtype;
      return RunKernel(Gpu(row.chip), kernel).cycles;
    };
    EXPECT_NEAR((cycles(128) - cycles(64)) / 64 / 20, row.cycles, 0.3)
        << row.chip << " " << row.dtype;
  }
}

TEST(SmCycle, AVoltaProductIsFourStepsTwoCyclesApart) {
  // HMMA.884.F32.F32.STEP0 to 3: results of the fourth after 18 cycles (Jia et al. 2018, section
  // 4.3; Raihan et al. 2019, Figure 9).
  const GpuSpec gpu = Gpu("v100-sxm2-16gb");
  EXPECT_EQ(gpu.tensor_core.steps, 4);
  const Part product = [](Builder& b, int) {
    for (int step = 0; step < 4; ++step) {
      const int acc = 64 + 2 * step;
      b.Add(Op::kMma, acc, 4, 8, acc).macs = 16 * 16 * 4 / 4;
    }
  };
  // A chain of products on the same sums: each step waits for its own of the product before.
  EXPECT_NEAR(PartCycles(gpu, 1, product), 18 - 3 * 2, 0.1);
}

TEST(SmCycle, EightWarpGroupProductsAreUnderWay) {
  // Results of a chain come 66 cycles after their last operand (group_tail); with one outstanding
  // each waits for the one before, with 8 the Tensor Core is never idle.
  WarpAccess operands;
  operands.bulk_bytes = 64 * 16 * 2 + 64 * 16 * 2;
  const Part product = [](Builder& b, int) {
    WarpInstruction& in = b.Add(Op::kGroupMma);
    in.access = 0;
    in.macs = 16 * 64 * 16;
  };
  EXPECT_NEAR(PartCycles(Gpu(kH100), 4, product, operands), 32, 1);
  EXPECT_NEAR(
      PartCycles(Gpu(kH100, {{"tensor_core.group_outstanding", "1"}}), 4, product, operands),
      32 + 66, 2);
  EXPECT_NEAR(PartCycles(Gpu(kH100, {{"tensor_core.group_outstanding", "1"},
                                     {"tensor_core.group_tail", "166"}}),
                         4, product, operands),
              32 + 166, 2);
}

TEST(SmCycle, WarpLevelProductsOfH100RunAtTheirShareOfTheRate) {
  // 2048 / (512 x 0.62) = 6.45 cycles on average; rounded to 6, the rate is 0.67.
  const Part mma = [](Builder& b, int i) {
    b.Add(Op::kMma, 64 + 4 * (i % 16), 4, 8, 64 + 4 * (i % 16)).macs = 2048;
  };
  EXPECT_NEAR(PartCycles(Gpu(kH100), 1, mma), 2048 / (512 * 0.62), 0.1);
}
}  // namespace
}  // namespace siliscope
