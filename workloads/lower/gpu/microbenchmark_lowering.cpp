// SPDX-License-Identifier: Apache-2.0
// Microbenchmarks as GPU kernels, after those of te42kyfo/gpu-benches (Ernst et al.), with which
// the memory systems of GPUs are measured.
#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "sim/core/error.h"
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

/// The whole vector, of `bytes`, again and again.
OperandStream Round(std::uint32_t tensor, std::int64_t stretch, std::int64_t bytes) {
  OperandStream s;
  s.tensor = tensor;
  s.rows = 1;
  s.row_bytes = stretch;
  for (std::int64_t at = 0; at < bytes; at += stretch) s.step_offsets.emplace_back(0, at);
  return s;
}

/// Each thread takes `unroll` elements a step; CTAs go on behind each other until the vectors end,
/// or each goes round them.
void LowerStreamBenchmark(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::string function = op.Text("function", "scale");
  const bool plain = op.Int("stride", 1) == 1 && op.Text("access", "vector") == "vector" &&
                     op.Text("stores", "allocate") == "allocate" && function != "copy";
  if (!plain) throw UserError("stream: fn=copy, stride, access and stores are of CPUs");
  const std::int64_t threads = op.Int("threads", 128);
  const std::int64_t elements = lowering.graph().tensor(op.inputs.front()).elements();
  const std::int64_t unroll = std::max<std::int64_t>(1, op.Int("unroll", 1)),
                     rounds = op.Int("rounds", 0);
  const std::int64_t per_step = threads * unroll;
  const std::int64_t all = (elements + per_step - 1) / per_step;
  const std::int64_t asked = op.Int("ctas", 0) == 0 ? all : op.Int("ctas", 0);
  const std::int64_t ctas = rounds > 0 ? asked : std::min(all, asked);
  const auto element = static_cast<std::int64_t>(lowering.ActivationBytes());
  GpuKernel k;
  k.name = "stream_" + function;
  k.dtype = lowering.dtype();
  k.warps = (threads + 31) / 32;
  k.tile = fmt::format("{} elements a step", per_step);
  k.cycle_zoom = true;
  k.grid.rows = ctas;
  KernelPass pass;
  pass.steps = rounds > 0 ? all * rounds : (all + ctas - 1) / ctas;
  pass.through_l1 = true;
  const auto stream_of = [&](TensorId t) {
    const std::uint32_t tensor = lowering.TensorOf(t);
    return rounds > 0 ? Round(tensor, per_step * element, elements * element)
                      : Stretch(tensor, per_step * element, ctas);
  };
  std::vector<TensorId> loads = op.inputs;
  if (function == "init") loads.clear();
  for (const TensorId t : loads) {
    pass.loads.push_back(static_cast<std::uint16_t>(k.streams.size()));
    k.streams.push_back(stream_of(t));
  }
  if (function != "read") {
    pass.stores = {static_cast<std::uint16_t>(k.streams.size())};
    k.streams.push_back(stream_of(function == "axpy" ? op.inputs.back() : op.outputs.front()));
  }
  k.passes = {pass};
  WarpProgramBuilder b;
  std::vector<std::uint16_t> accesses;
  for (std::size_t s = 0; s < k.streams.size(); ++s) {
    WarpAccess access;
    access.stream = static_cast<std::uint16_t>(s);
    access.bytes_per_lane = static_cast<std::uint8_t>(element);
    access.warp_bytes = 32 * element;
    for (std::int64_t u = 0; u < unroll; ++u) {
      access.offset = u * threads * element;
      accesses.push_back(b.Access(access));
    }
  }
  b.Prologue(30);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  const auto access_of = [&](std::size_t stream, int u) {
    return accesses[stream * static_cast<std::size_t>(unroll) + static_cast<std::size_t>(u)];
  };
  const int elements_a_thread = static_cast<int>(unroll);
  for (int u = 0; u < elements_a_thread; ++u) {
    for (std::size_t i = 0; i < loads.size(); ++i) {
      b.Memory(WarpOpcode::kLoadGlobal, access_of(i, u), 64 + 4 * u + 2 * static_cast<int>(i), 2);
    }
  }
  const auto arithmetic = element == 8 ? WarpOpcode::kFp64 : WarpOpcode::kFp32;
  for (int u = 0; u < elements_a_thread; ++u) {
    const int value = 64 + 4 * u;
    if (!loads.empty()) b.Add(arithmetic, 32, value, loads.size() > 1 ? value + 2 : value, 32);
    if (function != "read") b.Memory(WarpOpcode::kStoreGlobal, access_of(loads.size(), u), 32, 2);
  }
  b.Overhead(4, 4);  // indices, addresses, the end of the loop
  b.LoopPass(loop, 0);
  k.fp32_per_cta = static_cast<double>(per_step * pass.steps);
  k.roles = {{"main", k.warps, b.Finish()}};
  lowering.Launch(index, std::move(k));
}

/// Each thread adds to an address and waits for the old value, again and again.
void LowerAtomicBenchmark(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::int64_t threads = op.Int("threads", 128);
  const bool same = op.Int("same", 0) != 0;
  GpuKernel k;
  k.name = "atomic_add";
  k.dtype = lowering.dtype();
  k.warps = (threads + 31) / 32;
  k.tile = fmt::format("{} threads", threads);
  k.cycle_zoom = true;
  k.grid.rows = op.Int("ctas", 1);
  OperandStream sums;
  sums.tensor = lowering.TensorOf(op.inputs.front());
  sums.rows = 1;
  sums.row_bytes = same ? 4 : threads * 4;
  sums.byte_i = same ? 0 : threads * 4;
  k.streams = {sums};
  KernelPass pass;
  pass.steps = op.Int("rounds", 1);
  pass.stores = {0};
  k.passes = {pass};
  WarpProgramBuilder b;
  WarpAccess access;
  access.stream = 0;
  if (same) {
    access.lane_stride = -1;
  } else {
    access.warp_bytes = 128;
  }
  const std::uint16_t at = b.Access(access);
  b.Prologue(10);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  b.Memory(WarpOpcode::kAtomic, at, 16).sources[0] = 16;
  b.LoopPass(loop, 0);
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
  GpuLowerRegistry::Instance().Add("atomic_benchmark", &LowerAtomicBenchmark);
  GpuLowerRegistry::Instance().Add("branch_benchmark", &LowerBranchBenchmark);
  GpuLowerRegistry::Instance().Add("pointer_chase", &LowerPointerChase);
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
