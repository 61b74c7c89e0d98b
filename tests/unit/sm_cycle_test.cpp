// SPDX-License-Identifier: Apache-2.0
// The streaming multiprocessor at cycle zoom on small warp programs, whose times follow from what
// is published or measured of the chips.
#include "models/gpu/sm_cycle.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "models/gpu/lane_pattern.h"
#include "models/gpu/occupancy.h"
#include "models/gpu/sm_memory.h"
#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

using Op = WarpOpcode;
using Builder = WarpProgramBuilder;
/// Writes the i-th part of a loop's body.
using Part = std::function<void(Builder&, int)>;

const char* const kA100 = "a100-sxm-80gb";
const char* const kH100 = "h100-sxm-80gb";
const char* const kP100 = "p100-pcie-16gb";

GpuSpec Gpu(const char* name, const std::vector<Override>& overrides = {}) {
  return LoadMachine(name, overrides).gpu;
}

GpuKernel KernelOf(std::vector<WarpRole> roles) {
  GpuKernel kernel;
  kernel.name = "test";
  kernel.dtype = "fp16";
  for (const WarpRole& role : roles) kernel.warps += role.warps;
  kernel.roles = std::move(roles);
  kernel.passes.resize(2);
  return kernel;
}

struct Outcome {
  double cycles = 0;
  SmCounters counters;
  std::vector<PassTimes> passes;
  std::uint64_t Slots(IssueSlot s) const { return counters.slots[static_cast<std::size_t>(s)]; }
  std::uint64_t AllSlots() const {
    return std::accumulate(counters.slots.begin(), counters.slots.end(), std::uint64_t{0});
  }
};

Outcome RunKernel(const GpuSpec& gpu, GpuKernel kernel, std::uint64_t latency = 300,
                  const std::vector<std::int64_t>& steps = {1, 1},
                  const GpuProgram* program = nullptr) {
  for (std::size_t p = 0; p < kernel.passes.size(); ++p) kernel.passes[p].steps = steps[p];
  IdealSmMemory memory(latency);
  SmCycle sm(gpu, program, kernel, steps, memory);
  sm.Launch({}, 0);
  Outcome o;
  o.cycles = static_cast<double>(sm.Run());
  o.counters = sm.counters();
  o.passes = sm.passes();
  return o;
}

/// `trips` times a body of `parts` parts.
WarpProgram LoopOf(int parts, int trips, const Part& part, const WarpAccess& access = {}) {
  Builder b;
  b.Access(access);
  const std::int32_t loop = b.Here();
  for (int i = 0; i < parts; ++i) part(b, i);
  b.Loop(loop, trips);
  return b.Finish();
}

Outcome RunLoop(const GpuSpec& gpu, std::int64_t warps, int parts, int trips, const Part& part,
                const WarpAccess& access = {}) {
  return RunKernel(gpu, KernelOf({{"main", warps, LoopOf(parts, trips, part, access)}}));
}

/// Cycles of a trip once the instructions are in the caches.
double TripCycles(const GpuSpec& gpu, std::int64_t warps, int parts, const Part& part,
                  const WarpAccess& access = {}) {
  return (RunLoop(gpu, warps, parts, 20, part, access).cycles -
          RunLoop(gpu, warps, parts, 10, part, access).cycles) /
         10;
}

/// Cycles that one more part adds: free of the loop's own instructions.
double PartCycles(const GpuSpec& gpu, std::int64_t warps, const Part& part,
                  const WarpAccess& access = {}) {
  return (TripCycles(gpu, warps, 128, part, access) - TripCycles(gpu, warps, 64, part, access)) /
         64;
}

void DependentFma(Builder& b, int) { b.Add(Op::kFp32, 4, 4); }
void IndependentFma(Builder& b, int i) { b.Add(Op::kFp32, 4 + i % 32); }

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

/// Instructions a cycle of a sub-core whose warps run dependent chains.
double ChainRate(const GpuSpec& gpu, std::int64_t warps_per_subcore) {
  return static_cast<double>(warps_per_subcore) /
         PartCycles(gpu, gpu.sm.subcores * warps_per_subcore, DependentFma);
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
    EXPECT_EQ(o.counters.shared_bytes, std::uint64_t{4 * 8 * 2 * 128});
  }
  // A chain of loads runs at the latency: 23 cycles on A100, 29 on H100.
  const Part chain = [](Builder& b, int) { b.Memory(Op::kLoadShared, 0, 4).sources[0] = 4; };
  EXPECT_DOUBLE_EQ(PartCycles(gpu, 1, chain), 23);
  EXPECT_DOUBLE_EQ(PartCycles(Gpu(kH100), 1, chain), 29);
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

/// A tensor of `rows` rows of `row_bytes`, which a stream walks `rows_per_step` rows a step.
struct Walk {
  GpuProgram program;
  OperandStream stream;
};
Walk WalkOver(std::int64_t rows, std::int64_t row_bytes, std::int64_t rows_per_step) {
  Walk w;
  GpuTensor tensor;
  tensor.address = 1 << 20;
  tensor.rows = rows;
  tensor.row_bytes = row_bytes;
  w.program.tensors = {tensor};
  w.stream.rows = rows_per_step;
  w.stream.row_bytes = row_bytes;
  w.stream.row_step = rows_per_step;
  return w;
}

/// Cycles of each load of a chase through `bytes`, a line a load, when it has gone round before.
double ChaseCycles(const GpuSpec& gpu, std::int64_t bytes, std::uint64_t latency) {
  const std::int64_t lines = bytes / 128;
  Walk walk = WalkOver(lines, 128, 1);
  for (std::int64_t i = 0; i < lines; ++i) {  // an order that is not that of the addresses
    walk.stream.step_offsets.emplace_back(i * 7919 % lines, 0);
  }
  Builder b;
  WarpAccess access;
  access.stream = 0;
  b.Access(access);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  WarpInstruction& load = b.Memory(Op::kLoadGlobal, 0, 4);
  load.sources[0] = 4;
  load.lanes = 1;
  b.LoopPass(loop, 0);
  GpuKernel kernel = KernelOf({{"main", 1, b.Finish()}});
  kernel.streams = {walk.stream};
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

/// `warps` warps walk a tensor that is never seen twice: `loads` independent loads of `lanes` lanes
/// a step, and the next step when all are there.
Outcome Stream(const GpuSpec& gpu, std::int64_t warps, int loads, int lanes, std::int64_t steps,
               std::uint64_t latency) {
  const std::int64_t rows_per_step = warps * loads;
  Walk walk = WalkOver(rows_per_step * steps, 128, rows_per_step);
  Builder b;
  for (int i = 0; i < loads; ++i) {
    WarpAccess access;
    access.stream = 0;
    access.row = i;
    access.warp_rows = loads;
    b.Access(access);
  }
  b.Phase(0);
  const std::int32_t loop = b.Here();
  for (int i = 0; i < loads; ++i) {
    b.Memory(Op::kLoadGlobal, static_cast<std::uint16_t>(i), 4 + i).lanes =
        static_cast<std::uint8_t>(lanes);
  }
  for (int i = 0; i < loads; ++i) b.Add(Op::kInteger, 64 + i, 4 + i);
  b.LoopPass(loop, 0);
  GpuKernel kernel = KernelOf({{"main", warps, b.Finish()}});
  kernel.streams = {walk.stream};
  return RunKernel(gpu, kernel, latency, {steps, 1}, &walk.program);
}

TEST(SmCycle, MissStatusRegistersBoundTheMissesUnderWay) {
  // Eight independent misses of a sector each: one register lets them go one after another, two in
  // pairs, many all at once.
  const auto cycles = [](const char* mshrs) {
    const GpuSpec gpu = Gpu(kA100, {{"sm.l1.mshrs", mshrs}});
    return (Stream(gpu, 1, 8, 1, 8, 500).cycles - Stream(gpu, 1, 8, 1, 4, 500).cycles) / 4;
  };
  EXPECT_NEAR(cycles("1"), 8 * 500, 0.01 * 8 * 500);
  EXPECT_NEAR(cycles("2"), 4 * 500, 0.02 * 4 * 500);
  EXPECT_NEAR(cycles("256"), 500, 60);
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

/// Each access takes 1000 cycles more than the one before.
class SlowingMemory : public SmMemory {
 public:
  std::uint64_t Read(std::uint64_t cycle, const TouchedLine&) override {
    return cycle + 1000 * ++reads_;
  }
  std::uint64_t Write(std::uint64_t cycle, const TouchedLine&) override { return cycle + 1; }

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

/// A producer fills a ring of stages by bulk copies of 4 KiB; four consumers compute on each.
Outcome Ring(const GpuSpec& gpu, std::int64_t stages, int compute, std::int64_t steps) {
  constexpr int kFull = 0, kEmpty = 1;
  Builder producer, consumer;
  WarpAccess box;
  box.bulk_bytes = 4096;
  producer.Access(box);
  producer.Phase(0);
  std::int32_t loop = producer.Here();
  producer.WithOperand(Op::kWait, kEmpty);
  producer.WithOperand(Op::kBulkCopy, kFull).access = 0;
  producer.LoopPass(loop, 0);
  consumer.Phase(0);
  loop = consumer.Here();
  consumer.WithOperand(Op::kWait, kFull);
  for (int i = 0; i < compute; ++i) DependentFma(consumer, i);
  consumer.WithOperand(Op::kArrive, kEmpty);
  consumer.LoopPass(loop, 0);
  GpuKernel kernel =
      KernelOf({{"producer", 1, producer.Finish()}, {"consumer", 4, consumer.Finish()}});
  kernel.mbarriers = {{stages, 1, false, 0}, {stages, 4, true, 0}};
  return RunKernel(gpu, kernel, 600, {steps, 1});
}

TEST(SmCycle, ARingOfStagesHidesTheLatencyOfBulkCopies) {
  // With one stage each step is a round trip: compute, empty, copy, full. With four the copies of
  // the next steps run under the compute.
  const GpuSpec gpu = Gpu(kH100);
  const auto step = [&](std::int64_t stages) {
    return (Ring(gpu, stages, 60, 48).cycles - Ring(gpu, stages, 60, 16).cycles) / 32;
  };
  const double compute = 60 * 4, trip = 600 + compute;
  const double one = step(1), two = step(2), four = step(4);
  EXPECT_GT(one, trip + 2 * 30);  // two mbarriers
  EXPECT_LT(one, trip + 250);
  EXPECT_NEAR(two, one / 2, 0.05 * one);
  EXPECT_LT(four, compute + 60);
  EXPECT_GE(four, compute);
  EXPECT_NEAR(step(8), four, 1);
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

TEST(SmCycle, TwoIndependentInstructionsOfAWarpIssueTogetherOnPascal) {
  // Each scheduler of Pascal issues up to two instructions of a warp in a cycle (whitepaper, "SM").
  const Part pair = [](Builder& b, int i) {  // pipes of their own
    b.Add(Op::kFp32, 8 + i % 16);
    b.Add(Op::kInteger, 32 + i % 16);
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
  EXPECT_DOUBLE_EQ(PartCycles(two, 1, pair), 1);
  EXPECT_DOUBLE_EQ(PartCycles(one, 1, pair), 2);
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

TEST(SmCycle, WarpLevelProductsOfH100RunAtTheirShareOfTheRate) {
  // 2048 / (512 x 0.62) = 6.45 cycles on average; rounded to 6, the rate is 0.67.
  const Part mma = [](Builder& b, int i) {
    b.Add(Op::kMma, 64 + 4 * (i % 16), 4, 8, 64 + 4 * (i % 16)).macs = 2048;
  };
  EXPECT_NEAR(PartCycles(Gpu(kH100), 1, mma), 2048 / (512 * 0.62), 0.1);
}

TEST(SmCycle, TwoLevelsAreNotRoundRobin) {
  const GpuKernel kernel = LoadAndCompute();
  EXPECT_NE(RunKernel(Gpu(kA100, {{"sm.scheduler", "two_level"}}), kernel).cycles,
            RunKernel(Gpu(kA100, {{"sm.scheduler", "loose_round_robin"}}), kernel).cycles);
}

}  // namespace
}  // namespace siliscope
