// SPDX-License-Identifier: Apache-2.0
// Pipes, Tensor Cores and the L1 of one SM at cycle zoom against what is published of them.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <tuple>
#include <utility>

#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

const char* const kV100 = "v100-sxm2-16gb";
const char* const kT4 = "t4-16gb";

Part Dependent(Op op) {
  return [op](Builder& b, int) { b.Add(op, 4, 4); };
}
Part Independent(Op op) {
  return [op](Builder& b, int i) { b.Add(op, 4 + i % 32); };
}

TEST(Pipes, AWarpHoldsAPipeFor32ThreadsOverItsLanes) {
  // Instructions of 32 threads that an SM finishes a cycle are its lanes / 32. CUDA C++ Programming
  // Guide, "Throughput of Native Arithmetic Instructions", compute capabilities 6.0, 7.0, 7.5, 8.0,
  // 9.0; a lane of half precision computes two of the results there.
  struct {
    const char* chip;
    double fp16, integer, sfu, fp64;
  } const lanes[] = {{kP100, 64, 64, 16, 32},
                     {kV100, 64, 64, 16, 32},
                     {kT4, 64, 64, 16, 2},
                     {kA100, 128, 64, 16, 32},
                     {kH100, 128, 64, 16, 64}};
  for (const auto& c : lanes) {
    const GpuSpec gpu = Gpu(c.chip);
    const std::pair<Op, double> pipes[] = {
        {Op::kFp16, c.fp16}, {Op::kInteger, c.integer}, {Op::kSfu, c.sfu}, {Op::kFp64, c.fp64}};
    for (const auto& [op, all] : pipes) {
      const double expected = 32 * static_cast<double>(gpu.sm.subcores) / all;
      EXPECT_NEAR(PartCycles(gpu, gpu.sm.subcores, Independent(op)), expected, 0.01 * expected)
          << c.chip << " " << WarpOpcodeName(op);
      // A second warp of each sub-core takes its turn.
      EXPECT_NEAR(PartCycles(gpu, 2 * gpu.sm.subcores, Independent(op)), 2 * expected,
                  0.02 * expected)
          << c.chip << " " << WarpOpcodeName(op);
    }
  }
}

TEST(Pipes, ChainsRunAtTheLatencyOfThePipe) {
  // Jia et al. 2018, Table 4.1 (Pascal and Volta), and 2019 (Turing); special functions and double
  // precision from Turing on: Accel-Sim's configurations of these chips.
  struct {
    const char* chip;
    Op op;
    double latency;
  } const cases[] = {{kP100, Op::kFp16, 6},    {kP100, Op::kInteger, 6}, {kP100, Op::kFp64, 8},
                     {kV100, Op::kInteger, 4}, {kV100, Op::kFp64, 8},    {kV100, Op::kSfu, 20},
                     {kT4, Op::kInteger, 4},   {kT4, Op::kSfu, 21},      {kT4, Op::kFp64, 64},
                     {kA100, Op::kInteger, 4}, {kA100, Op::kSfu, 23},    {kA100, Op::kFp64, 6},
                     {kH100, Op::kInteger, 4}, {kH100, Op::kSfu, 23},    {kH100, Op::kFp64, 8}};
  for (const auto& c : cases) {
    EXPECT_DOUBLE_EQ(PartCycles(Gpu(c.chip), 1, Dependent(c.op)), c.latency)
        << c.chip << " " << WarpOpcodeName(c.op);
  }
}

TEST(Pipes, IntegersRunBesideFp32SinceVolta) {
  // Volta whitepaper (2017): separate cores, "simultaneous execution of FP32 and INT32 operations
  // at full throughput". An instruction of each takes as long as one of them.
  const Part both = [](Builder& b, int i) {
    b.Add(Op::kFp32, 4 + i % 32);
    b.Add(Op::kInteger, 64 + i % 32);
  };
  for (const char* chip : {kV100, kT4, kA100}) {
    EXPECT_NEAR(PartCycles(Gpu(chip), 4, both), 2, 0.02) << chip;
  }
}

TEST(Pipes, ThreeUnitsOfEightLanesDo24OperationsACycle) {
  // Course, 07Thought/04NVSIMT: a warp of 32 on 8 lanes is four cycles, three busy units are 24
  // operations a cycle.
  const GpuSpec gpu = Gpu(
      kA100, {{"sm.fp32.interval", "4"}, {"sm.integer.interval", "4"}, {"sm.fp16.interval", "4"}});
  EXPECT_NEAR(PartCycles(gpu, 4, Independent(Op::kFp32)), 4, 0.02);
  const Part three = [](Builder& b, int i) {
    b.Add(Op::kFp32, 4 + i % 32);
    b.Add(Op::kInteger, 64 + i % 32);
    b.Add(Op::kFp16, 128 + i % 32);
  };
  EXPECT_NEAR(3 * 32 / PartCycles(gpu, 4, three), 24, 0.1);
}

/// Multiply-accumulates a cycle of an SM whose warps do nothing but `product`, each of `macs`.
double MacsPerCycle(const char* chip, const char* dtype, double macs, const Part& product,
                    const WarpAccess& operands = {}) {
  const GpuSpec gpu = Gpu(chip);
  const auto warps = 2 * gpu.sm.subcores;
  const auto cycles = [&](int parts, int trips) {
    GpuKernel kernel = KernelOf({{"main", warps, LoopOf(parts, trips, product, operands)}});
    kernel.dtype = dtype;
    return RunKernel(gpu, kernel).cycles;
  };
  // Ten trips of 64 products more, all of them in the instruction cache.
  const double more = cycles(128, 20) - cycles(128, 10) - cycles(64, 20) + cycles(64, 10);
  return static_cast<double>(warps) * macs * 64 * 10 / more;
}

TEST(Pipes, IntegersTakeTurnsWithFp32OnPascal) {
  // The Volta whitepaper (2017): Pascal "could not execute FP32 and INT32 instructions
  // simultaneously", as its cores do either. 32 lanes a sub-core: a cycle each, also where two are
  // issued at a time.
  const Part both = [](Builder& b, int i) {
    b.Add(Op::kFp32, 4 + i % 32);
    b.Add(Op::kInteger, 64 + i % 32);
  };
  EXPECT_NEAR(PartCycles(Gpu(kP100), 2, both), 2, 0.02);
}

TEST(Pipes, TensorCoresReachTheirPublishedRates) {
  // Multiply-accumulates a cycle and SM. Whitepapers: 8 Tensor Cores of 64 FMA on V100 and T4
  // (twice as many of int8), 4 of 256 on A100.
  struct {
    const char* chip;
    const char* dtype;
    double macs, published;
  } const cases[] = {{kV100, "fp16", 256, 512},
                     {kT4, "fp16", 16 * 8 * 8, 512},
                     {kT4, "int8", 16 * 8 * 16, 1024},
                     {kA100, "fp16", 16 * 8 * 16, 1024},
                     {kA100, "int8", 16 * 8 * 32, 2048}};
  for (const auto& c : cases) {
    const Part mma = [&](Builder& b, int i) {
      const int acc = 64 + 4 * (i % 16);
      b.Add(Op::kMma, acc, 4, 8, acc).macs = static_cast<float>(c.macs);
    };
    EXPECT_NEAR(MacsPerCycle(c.chip, c.dtype, c.macs, mma), c.published, 0.01 * c.published)
        << c.chip << " " << c.dtype;
  }
}

TEST(Pipes, WarpGroupsReachThePublishedRatesOfH100) {
  // Hopper whitepaper (2022): 4 Tensor Cores of 512 FMA of fp16, twice as many of fp8; by wgmma
  // m64n256, whose k is 32 bytes.
  for (const auto& [dtype, k, bytes, published] :
       {std::tuple{"fp16", 16, 2, 2048.0}, std::tuple{"fp8", 32, 1, 4096.0}}) {
    WarpAccess operands;
    operands.bulk_bytes = (64 + 256) * k * bytes;
    const double macs = 16 * 256 * k;  // of a warp
    const Part product = [macs](Builder& b, int) {
      WarpInstruction& in = b.Add(Op::kGroupMma);
      in.access = 0;
      in.macs = static_cast<float>(macs);
    };
    EXPECT_NEAR(MacsPerCycle(kH100, dtype, macs, product, operands), published, 0.01 * published)
        << dtype;
  }
}

/// The share of loads that miss, of a chase round lines that lie anywhere and fill half of the L1.
double MissesOfScatteredLines(const char* ways) {
  const GpuSpec gpu = Gpu(kA100, {{"sm.l1.ways", ways}});
  // 192 KiB, of which each of 32 CTAs keeps 1 KiB as shared memory.
  constexpr std::int64_t kLines = (192 - 32) * 1024 / 128 / 2, kAnywhere = 1 << 20;
  Walk walk = WalkOver(kAnywhere, 128, 1);
  std::mt19937_64 random(7);
  for (std::int64_t i = 0; i < kLines; ++i) {
    walk.stream.step_offsets.emplace_back(static_cast<std::int64_t>(random() % kAnywhere), 0);
  }
  walk.stream.row_step = 0;
  const GpuKernel kernel = ChaseOver(walk);
  const auto misses = [&](std::int64_t rounds) {
    const Outcome o = RunKernel(gpu, kernel, 400, {rounds * kLines, 1}, &walk.program);
    return static_cast<double>(o.counters.l1_misses);
  };
  return (misses(6) - misses(2)) / (4 * kLines);
}

TEST(Pipes, FewWaysLoseLinesThatMeetInASet) {
  // Of lines that lie anywhere, as many others as Poisson says share a set: half full, a set of W
  // ways has W / 2 lines on average. Where more than W meet, a chase finds none of them (least
  // recently used).
  double before = 1;
  for (const int ways : {1, 2, 4, 16}) {
    const double mean = ways / 2.0;
    double term = std::exp(-mean), fewer = 0;
    for (int others = 0; others < ways; ++others) {
      fewer += term;
      term *= mean / (others + 1);
    }
    const double misses = MissesOfScatteredLines(std::to_string(ways).c_str());
    EXPECT_NEAR(misses, 1 - fewer, 0.05) << ways;
    EXPECT_LT(misses, before) << ways;
    before = misses;
  }
}

}  // namespace
}  // namespace siliscope
