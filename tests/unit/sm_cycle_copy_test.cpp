// SPDX-License-Identifier: Apache-2.0
// Asynchronous copies and rings of stages of one SM at cycle zoom.
#include <gtest/gtest.h>

#include "sim/core/error.h"
#include "tests/unit/sm_cycle_fixture.h"

namespace siliscope {
namespace {

/// Each access takes 1000 cycles more than the one before.
class SlowingMemory : public SmMemory {
 public:
  std::uint64_t Read(std::uint64_t cycle, const TouchedLine&) override {
    return cycle + 1000 * ++reads_;
  }
  std::uint64_t Write(std::uint64_t cycle, const TouchedLine&) override { return cycle + 1; }
  std::uint64_t Atomic(std::uint64_t cycle, const TouchedLine& line, std::int64_t) override {
    return Read(cycle, line);
  }

 private:
  std::uint64_t reads_ = 0;
};

TEST(SmCycle, AWaitForAsynchronousCopiesLeavesTheYoungestUnderWay) {
  // cp.async.wait_group N: at most the N youngest groups may be pending (PTX ISA).
  for (const int pending : {0, 1, 2, 3}) {
    Builder b;
    WarpAccess access;
    access.stream = 0;
    b.Access(access);
    for (int group = 0; group < 3; ++group) {
      b.Memory(Op::kAsyncCopy, 0, kNoRegister);
      b.Add(Op::kAsyncCommit);
    }
    b.WithOperand(Op::kAsyncWait, pending);
    const GpuKernel kernel = KernelOf({{"main", 1, b.Finish()}});
    const GpuSpec gpu = Gpu(kA100);
    SlowingMemory memory;
    SmCycle sm(gpu, nullptr, kernel, {1, 1}, memory);
    sm.Launch({}, 0);
    EXPECT_NEAR(static_cast<double>(sm.Run()), 1000 * (3 - pending) + 250, 50) << pending;
  }
}

enum class CopyVia { kRegisters, kRegistersAhead, kAsync };

/// Four warps copy 2 KiB a step to shared memory and compute on it.
Outcome CopyAndCompute(CopyVia via, int compute, std::int64_t steps) {
  constexpr int kStages = 4;
  Walk walk = WalkOver(4 * (steps + kStages), 512, 4);
  Builder b;
  WarpAccess global, shared;
  global.stream = 0;
  global.bytes_per_lane = 16;
  global.warp_rows = 1;
  shared.bytes_per_lane = 16;
  const std::uint16_t from = b.Access(global), to = b.Access(shared);
  const auto load = [&](int ahead) {
    if (via == CopyVia::kAsync) {
      b.Memory(Op::kAsyncCopy, from, kNoRegister).ahead = static_cast<std::int16_t>(ahead);
      b.Add(Op::kAsyncCommit);
    } else {
      b.Memory(Op::kLoadGlobal, from, 4, 4).ahead = static_cast<std::int16_t>(ahead);
    }
  };
  const auto store = [&] { b.Memory(Op::kStoreShared, to, 4, 4); };
  const auto work = [&] {
    b.Memory(Op::kLoadShared, to, 8, 4);
    for (int i = 0; i < compute; ++i) b.Add(Op::kFp32, 12, 12, 8);
  };
  const auto barrier = [&] { b.WithOperand(Op::kBarrier, 0); };
  b.Phase(0);
  if (via == CopyVia::kAsync) {
    for (int stage = 0; stage < kStages - 1; ++stage) load(stage);
  } else if (via == CopyVia::kRegistersAhead) {
    load(0);
    store();
  }
  const std::int32_t loop = b.Here();
  switch (via) {
    case CopyVia::kAsync:
      b.WithOperand(Op::kAsyncWait, kStages - 2);
      barrier();
      load(kStages - 1);
      work();
      break;
    case CopyVia::kRegistersAhead:
      barrier();
      load(1);
      work();
      store();
      break;
    case CopyVia::kRegisters:
      load(0);
      store();
      barrier();
      work();
      barrier();
      break;
  }
  b.LoopPass(loop, 0);
  GpuKernel kernel = KernelOf({{"main", 4, b.Finish()}});
  kernel.streams = {walk.stream};
  return RunKernel(Gpu(kA100), kernel, 500, {steps, 1}, &walk.program);
}

TEST(SmCycle, AsynchronousCopiesHideTheMemory) {
  // cp.async with stages ahead leaves the compute; a copy through registers that is used at once
  // adds the whole latency, one that is loaded a step ahead the greater of the two.
  const auto step = [](CopyVia via, int compute) {
    return (CopyAndCompute(via, compute, 24).cycles - CopyAndCompute(via, compute, 8).cycles) / 16;
  };
  const double compute = 60 * 4;
  // Beside the compute: barrier 20, branch 8, shared memory 23, and copies in front of it.
  EXPECT_GE(step(CopyVia::kAsync, 60), compute);
  EXPECT_LT(step(CopyVia::kAsync, 60), compute + 110);
  EXPECT_GT(step(CopyVia::kRegisters, 60), compute + 500);
  EXPECT_GT(step(CopyVia::kRegistersAhead, 60), 500);
  EXPECT_LT(step(CopyVia::kRegistersAhead, 60), step(CopyVia::kRegisters, 60));
  // Where there is little to compute, three steps share a latency.
  EXPECT_NEAR(step(CopyVia::kAsync, 4), 500.0 / 3, 40);
}

TEST(SmCycle, ARingOfStagesHidesTheLatencyOfBulkCopies) {
  // With one stage each step is a round trip: compute, empty, copy, full. With eight the copies of
  // the next steps run under the compute.
  const GpuSpec gpu = Gpu(kH100);
  const auto step = [&](std::int64_t stages) {
    return (Ring(gpu, stages, 60, 48).cycles - Ring(gpu, stages, 60, 16).cycles) / 32;
  };
  const double compute = 60 * 4;
  const double trip = 600 + static_cast<double>(gpu.sm.bulk_latency_cycles) + compute;
  const double one = step(1), two = step(2), four = step(4), eight = step(8);
  EXPECT_GT(one, trip + 2 * 30);  // two mbarriers
  EXPECT_LT(one, trip + 250);
  EXPECT_NEAR(two, one / 2, 0.05 * one);
  EXPECT_NEAR(four, one / 4, 0.05 * one);
  EXPECT_LT(eight, compute + 60);
  EXPECT_GE(eight, compute);
  EXPECT_NEAR(step(12), eight, 1);
}

TEST(SmCycle, AStageIsNotFilledBeforeItIsEmpty) {
  // Copies can't run ahead of slow consumers by more than the ring.
  const GpuSpec gpu = Gpu(kH100);
  const double slow = (Ring(gpu, 2, 500, 20).cycles - Ring(gpu, 2, 500, 10).cycles) / 10;
  EXPECT_GE(slow, 2000);
  EXPECT_LT(slow, 2100);
  // A ring that nobody fills stops its consumers for ever.
  Builder waits;
  waits.WithOperand(Op::kWait, 0);
  GpuKernel kernel = KernelOf({{"main", 1, waits.Finish()}});
  kernel.mbarriers = {{1, 1, false, 0}};
  EXPECT_THROW(RunKernel(gpu, kernel), InternalError);
}
}  // namespace
}  // namespace siliscope
