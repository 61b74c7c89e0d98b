// SPDX-License-Identifier: Apache-2.0
// Small warp programs and what running them on one SM at cycle zoom gives, for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "models/gpu/sm_cycle.h"
#include "models/gpu/sm_memory.h"
#include "sim/config/machine_loader.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {

using Op = WarpOpcode;
using Builder = WarpProgramBuilder;
/// Writes the i-th part of a loop's body.
using Part = std::function<void(Builder&, int)>;

inline constexpr const char* kA100 = "a100-sxm-80gb";
inline constexpr const char* kH100 = "h100-sxm-80gb";
inline constexpr const char* kP100 = "p100-pcie-16gb";

inline GpuSpec Gpu(const char* name, const std::vector<Override>& overrides = {}) {
  return LoadMachine(name, overrides).gpu;
}

inline GpuKernel KernelOf(std::vector<WarpRole> roles) {
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

inline Outcome RunKernel(const GpuSpec& gpu, GpuKernel kernel, std::uint64_t latency = 300,
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
inline WarpProgram LoopOf(int parts, int trips, const Part& part, const WarpAccess& access = {}) {
  Builder b;
  b.Access(access);
  const std::int32_t loop = b.Here();
  for (int i = 0; i < parts; ++i) part(b, i);
  b.Loop(loop, trips);
  return b.Finish();
}

inline Outcome RunLoop(const GpuSpec& gpu, std::int64_t warps, int parts, int trips,
                       const Part& part, const WarpAccess& access = {}) {
  return RunKernel(gpu, KernelOf({{"main", warps, LoopOf(parts, trips, part, access)}}));
}

/// Cycles of a trip once the instructions are in the caches.
inline double TripCycles(const GpuSpec& gpu, std::int64_t warps, int parts, const Part& part,
                         const WarpAccess& access = {}) {
  return (RunLoop(gpu, warps, parts, 20, part, access).cycles -
          RunLoop(gpu, warps, parts, 10, part, access).cycles) /
         10;
}

/// Cycles that one more part adds: free of the loop's own instructions.
inline double PartCycles(const GpuSpec& gpu, std::int64_t warps, const Part& part,
                         const WarpAccess& access = {}) {
  return (TripCycles(gpu, warps, 128, part, access) - TripCycles(gpu, warps, 64, part, access)) /
         64;
}

inline void DependentFma(Builder& b, int) { b.Add(Op::kFp32, 4, 4); }
inline void IndependentFma(Builder& b, int i) { b.Add(Op::kFp32, 4 + i % 32); }

/// A tensor of `rows` rows of `row_bytes`, which a stream walks `rows_per_step` rows a step.
struct Walk {
  GpuProgram program;
  OperandStream stream;
};

inline Walk WalkOver(std::int64_t rows, std::int64_t row_bytes, std::int64_t rows_per_step) {
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

/// Instructions a cycle of a sub-core whose warps run dependent chains.
inline double ChainRate(const GpuSpec& gpu, std::int64_t warps_per_subcore) {
  return static_cast<double>(warps_per_subcore) /
         PartCycles(gpu, gpu.sm.subcores * warps_per_subcore, DependentFma);
}

/// `warps` warps walk a tensor that is never seen twice: `loads` independent loads of `lanes` lanes
/// a step, and the next step when all are there.
inline Outcome Stream(const GpuSpec& gpu, std::int64_t warps, int loads, int lanes,
                      std::int64_t steps, std::uint64_t latency) {
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

/// A producer fills a ring of stages by bulk copies of 4 KiB; four consumers compute on each.
inline Outcome Ring(const GpuSpec& gpu, std::int64_t stages, int compute, std::int64_t steps) {
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

/// A lane that goes from load to load of a walk, each of which needs the one before.
inline GpuKernel ChaseOver(const Walk& walk) {
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
  return kernel;
}

}  // namespace siliscope
