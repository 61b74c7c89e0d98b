// SPDX-License-Identifier: Apache-2.0
// Branches of one SM at cycle zoom.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

constexpr std::uint64_t kLatency = 600;

/// Of each thousand lanes `taken` go one way; each way has `loads` loads in a chain, then `work`
/// instructions that depend on each other.
Outcome Branches(const GpuSpec& gpu, std::int64_t warps, int taken, int loads, int work,
                 int trips) {
  Builder b;
  WarpAccess access;
  access.past_l1 = true;
  access.stream = 0;
  b.Access(access);
  const auto path = [&] {
    for (int i = 0; i < loads; ++i) b.Memory(Op::kLoadGlobal, 0, 4).sources[0] = 4;
    for (int i = 0; i < work; ++i) DependentFma(b, i);
  };
  b.Phase(0);
  const std::int32_t loop = b.Here();
  b.Branch(taken, path, path);
  b.Add(Op::kReconverge);
  b.Loop(loop, trips);
  const Walk walk = WalkOver(1, 128, 1);
  GpuKernel kernel = KernelOf({{"main", warps, b.Finish()}});
  kernel.streams = {walk.stream};
  return RunKernel(gpu, kernel, kLatency, {1, 1}, &walk.program);
}

GpuSpec With(const char* divergence) { return Gpu(kA100, {{"sm.divergence", divergence}}); }

double ActiveLanes(const Outcome& o) {
  return static_cast<double>(o.counters.lanes) / static_cast<double>(o.counters.instructions);
}

TEST(Divergence, WhatTheStackServesInTurnIndependentThreadsOverlap) {
  // Volta whitepaper, "Independent Thread Scheduling": a path that waits lets the other run.
  const double stack = Branches(With("stack"), 1, 500, 2, 4, 10).cycles;
  const double independent = Branches(With("independent"), 1, 500, 2, 4, 10).cycles;
  EXPECT_NEAR(stack / 10, 4 * kLatency, 0.1 * 4 * kLatency);        // two paths, two loads each
  EXPECT_NEAR(independent / 10, 2 * kLatency, 0.1 * 2 * kLatency);  // side by side
}

TEST(Divergence, IndependentThreadsShareTheIssueSlots) {
  // One warp issues one instruction at a time: arithmetic of two paths takes the time of both.
  const double stack = Branches(With("stack"), 1, 500, 0, 200, 10).cycles;
  const double independent = Branches(With("independent"), 1, 500, 0, 200, 10).cycles;
  EXPECT_NEAR(independent / stack, 1, 0.05);
}

TEST(Divergence, ActiveLanesFollowFromChance) {
  // Both ways are as long: a warp runs one or both. 32 lanes over the paths that are not empty.
  for (const int taken : {0, 10, 20, 50, 100, 500, 1000}) {
    const double p = taken / 1000.0;
    const double paths = 2 - std::pow(p, 32) - std::pow(1 - p, 32);
    const Outcome o = Branches(With("stack"), 8, taken, 0, 400, 50);
    EXPECT_NEAR(ActiveLanes(o), 32 / paths, 0.06 * 32) << taken;
  }
}

TEST(Divergence, CompactionGathersLanesOfAllWarps) {
  // Fung and Aamodt, HPCA 2011: of eight warps whose lanes part evenly, few more than four go each
  // way, so that throughput nears that of no branch where arithmetic is the limit.
  const auto filled = [](const char* divergence, int taken) {
    return Branches(With(divergence), 32, taken, 0, 400, 20);
  };
  const Outcome stack = filled("stack", 500), compact = filled("compaction", 500);
  EXPECT_LT(ActiveLanes(stack), 17);
  EXPECT_GT(ActiveLanes(compact), 20);
  EXPECT_LT(compact.cycles, 0.85 * stack.cycles);
  EXPECT_NEAR(filled("compaction", 0).cycles / filled("stack", 0).cycles, 1, 0.1);
}

TEST(Divergence, BranchesInsideOfBranchesComeTogetherAgain) {
  for (const char* divergence : {"stack", "independent", "compaction"}) {
    Builder b;
    const auto work = [&] {
      for (int i = 0; i < 10; ++i) DependentFma(b, i);
    };
    b.Phase(0);
    const std::int32_t loop = b.Here();
    b.Branch(
        500,
        [&] {
          work();
          b.Branch(300, work, work);
          b.Add(Op::kReconverge);
        },
        work);
    b.Add(Op::kReconverge);
    b.WithOperand(Op::kBarrier, 0);
    work();
    b.Loop(loop, 20);
    const Outcome o = RunKernel(With(divergence), KernelOf({{"main", 4, b.Finish()}}));
    EXPECT_EQ(o.AllSlots(), static_cast<std::uint64_t>(4 * o.cycles)) << divergence;
    EXPECT_GT(ActiveLanes(o), 8) << divergence;
  }
}

}  // namespace
}  // namespace siliscope
