// SPDX-License-Identifier: Apache-2.0
// Microbenchmarks as GPU kernels, after those of te42kyfo/gpu-benches (Ernst et al.), with which
// the memory systems of GPUs are measured.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

/// The stretch of a vector that a CTA touches: `stretch` bytes, then those after the whole grid's.
OperandStream Stretch(std::uint32_t tensor, std::int64_t stretch, std::int64_t ctas) {
  OperandStream s;
  s.tensor = tensor;
  s.rows = 1;
  s.row_bytes = s.byte_i = stretch;
  s.byte_step = stretch * ctas;
  return s;
}

/// Each thread takes one element a step; CTAs go on behind each other until the vectors end.
void LowerStreamBenchmark(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::string function = op.Text("function", "scale");
  const std::int64_t threads = op.Int("threads", 128);
  const std::int64_t elements = lowering.graph().tensor(op.inputs.front()).elements();
  const std::int64_t all = (elements + threads - 1) / threads;
  const std::int64_t ctas = std::min(all, op.Int("ctas", 0) == 0 ? all : op.Int("ctas", 0));
  const auto element = static_cast<std::int64_t>(lowering.ActivationBytes());
  GpuKernel k;
  k.name = "stream_" + function;
  k.dtype = lowering.dtype();
  k.warps = (threads + 31) / 32;
  k.tile = fmt::format("{} elements a step", threads);
  k.cycle_zoom = true;
  k.grid.rows = ctas;
  KernelPass pass;
  pass.steps = (all + ctas - 1) / ctas;
  pass.through_l1 = true;
  std::vector<TensorId> loads = op.inputs;
  if (function == "init") loads.clear();
  for (const TensorId t : loads) {
    pass.loads.push_back(static_cast<std::uint16_t>(k.streams.size()));
    k.streams.push_back(Stretch(lowering.TensorOf(t), threads * element, ctas));
  }
  if (function != "read") {
    pass.stores = {static_cast<std::uint16_t>(k.streams.size())};
    k.streams.push_back(Stretch(lowering.TensorOf(op.outputs.front()), threads * element, ctas));
  }
  k.passes = {pass};
  WarpProgramBuilder b;
  std::vector<std::uint16_t> accesses;
  for (std::size_t s = 0; s < k.streams.size(); ++s) {
    WarpAccess access;
    access.stream = static_cast<std::uint16_t>(s);
    access.bytes_per_lane = static_cast<std::uint8_t>(element);
    access.warp_bytes = 32 * element;
    accesses.push_back(b.Access(access));
  }
  b.Prologue(30);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  for (std::size_t i = 0; i < loads.size(); ++i) {
    b.Memory(WarpOpcode::kLoadGlobal, accesses[i], 16 + 4 * static_cast<int>(i), 2);
  }
  const auto arithmetic = element == 8 ? WarpOpcode::kFp64 : WarpOpcode::kFp32;
  if (!loads.empty()) b.Add(arithmetic, 32, 16, loads.size() > 1 ? 20 : 16, 32);
  if (function != "read") b.Memory(WarpOpcode::kStoreGlobal, accesses.back(), 32, 2);
  b.Overhead(4, 4);  // indices, addresses, the end of the loop
  b.LoopPass(loop, 0);
  k.fp32_per_cta = static_cast<double>(threads * pass.steps);
  k.roles = {{"main", k.warps, b.Finish()}};
  lowering.Launch(index, std::move(k));
}

/// One path of a branch: loads that wait for each other, then a chain of arithmetic.
void WritePath(WarpProgramBuilder& b, const Operator& op, std::uint16_t access) {
  for (std::int64_t i = 0; i < op.Int("loads", 0); ++i) {
    b.Memory(WarpOpcode::kLoadGlobal, access, 32).sources[0] = 32;
  }
  for (std::int64_t i = 0; i < op.Int("work", 1); ++i) b.Add(WarpOpcode::kFp32, 32, 32, 32, 32);
}

/// Lanes part at a branch, by their number or by chance, and meet again behind it.
void LowerBranchBenchmark(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::int64_t threads = op.Int("threads", 128);
  const auto element = static_cast<std::int64_t>(lowering.ActivationBytes());
  GpuKernel k;
  k.name = "branch";
  k.dtype = lowering.dtype();
  k.warps = (threads + 31) / 32;
  k.tile = fmt::format("{} threads", threads);
  k.cycle_zoom = true;
  k.grid.rows = op.Int("ctas", 1);
  k.streams = {Stretch(lowering.TensorOf(op.inputs.front()), threads * element, 1),
               Stretch(lowering.TensorOf(op.outputs.front()), threads * element, 1)};
  KernelPass pass;
  pass.through_l1 = true;
  pass.loads = {0};
  pass.stores = {1};
  k.passes = {pass};
  WarpProgramBuilder b;
  WarpAccess access;
  access.stream = 0;
  access.bytes_per_lane = static_cast<std::uint8_t>(element);
  access.warp_bytes = 32 * element;
  access.past_l1 = true;
  const std::uint16_t load = b.Access(access);
  access.stream = 1;
  const std::uint16_t store = b.Access(access);
  b.Prologue(30);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  b.Memory(WarpOpcode::kLoadGlobal, load, 32);
  if (op.Int("taken", -1) < 0) {
    b.WithOperand(WarpOpcode::kDiverge, static_cast<std::int32_t>(op.Int("paths", 1)));
    WritePath(b, op, load);
  } else {
    b.Branch(
        static_cast<std::int32_t>(op.Int("taken", 0)) * 10, [&] { WritePath(b, op, load); },
        [&] { WritePath(b, op, load); });
  }
  b.Add(WarpOpcode::kReconverge);
  b.Memory(WarpOpcode::kStoreGlobal, store, 32);
  b.LoopPass(loop, 0);
  k.fp32_per_cta = static_cast<double>(threads * op.Int("work", 1));
  k.roles = {{"main", k.warps, b.Finish()}};
  lowering.Launch(index, std::move(k));
}

/// One lane loads where the load before has pointed to: places 64 bytes apart, in random order.
void LowerPointerChase(GpuLowering& lowering, std::uint32_t index) {
  constexpr std::int64_t kApart = 64, kMostPlaces = 1 << 20;
  const Operator& op = lowering.op(index);
  const TensorId buffer = op.inputs.front();
  const std::int64_t bytes = op.Int("bytes", 64);
  const std::int64_t slots = std::max<std::int64_t>(1, bytes / kApart);
  const std::int64_t places = std::min(slots, kMostPlaces);
  GpuKernel k;
  k.name = "pointer_chase";
  k.dtype = lowering.dtype();
  k.warps = 1;
  k.tile = fmt::format("{} places", places);
  k.cycle_zoom = true;
  OperandStream s;
  s.tensor = lowering.TensorOf(buffer);
  s.rows = 1;
  s.row_bytes = 8;
  std::mt19937_64 random(1);
  for (std::int64_t i = 0; i < places; ++i) {  // of each stretch of the buffer one
    const std::int64_t first = i * slots / places, next = (i + 1) * slots / places;
    const auto among = static_cast<std::uint64_t>(next - first);
    s.step_offsets.emplace_back(0, (first + static_cast<std::int64_t>(random() % among)) * kApart);
  }
  for (std::size_t i = s.step_offsets.size(); i > 1; --i) {
    std::swap(s.step_offsets[i - 1], s.step_offsets[random() % i]);
  }
  k.streams = {std::move(s)};
  KernelPass pass;
  pass.steps = op.Int("loads", 1);
  pass.through_l1 = true;
  pass.loads = {0};
  k.passes = {pass};
  WarpProgramBuilder b;
  WarpAccess access;
  access.stream = 0;
  access.bytes_per_lane = 8;
  const std::uint16_t at = b.Access(access);
  b.Prologue(10);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  WarpInstruction& load = b.Memory(WarpOpcode::kLoadGlobal, at, 16, 2);
  load.sources[0] = 16;
  load.lanes = 1;
  b.LoopPass(loop, 0);
  k.roles = {{"main", 1, b.Finish()}};
  lowering.Launch(index, std::move(k));
}

bool RegisterAll() {
  GpuLowerRegistry::Instance().Add("stream_benchmark", &LowerStreamBenchmark);
  GpuLowerRegistry::Instance().Add("branch_benchmark", &LowerBranchBenchmark);
  GpuLowerRegistry::Instance().Add("pointer_chase", &LowerPointerChase);
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
