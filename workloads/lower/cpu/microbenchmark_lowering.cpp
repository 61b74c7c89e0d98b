// SPDX-License-Identifier: Apache-2.0
// Microbenchmarks as codes of a CPU: vectors that are read, written or copied round and round
// (McCalpin, STREAM, 1995), and loads that each wait for the one before (McVoy and Staelin,
// lmbench, 1996).
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"
#include "workloads/lower/cpu/cpu_lowering.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr int kInner = 0, kRounds = 1;  ///< loops of a call

/// What a stream does, and how: `access` bytes at a time, `step` bytes from one to the next.
struct Stream {
  std::string function;
  int inputs = 1;
  int unroll = 8;
  std::int64_t access = 0, step = 0;
  double elements = 1;  ///< of an access
  bool non_temporal = false;

  bool in_place() const { return function == "axpy"; }
  int pointers() const { return inputs + (function == "read" || in_place() ? 0 : 1); }
};

/// `unroll` accesses to each operand, then what the function does with them.
CpuCode StreamCode(const Stream& s, std::int64_t trips) {
  MicroCodeBuilder b(fmt::format("benchmark_{}_{}x{}_{}", s.function, s.unroll, s.access, trips));
  const auto flops = [&](MicroOp& op, double each) {
    op.flops = static_cast<float>(each * s.elements);
  };
  const int output = s.in_place() ? s.inputs - 1 : s.inputs;
  const std::int32_t again = b.Here();
  for (int u = 0; u < s.unroll; ++u) {
    const std::int64_t at = u * s.step;
    for (int i = 0; i < s.inputs; ++i) b.Load(16 + u * 2 + i, i, at, s.access);
    const int first = 16 + u * 2, second = first + 1, result = 80 + u;
    if (s.function == "read") {
      flops(b.Add(MicroOpClass::kFloatAdd, result, result, first), 1);
    } else if (s.function == "scale") {
      flops(b.Add(MicroOpClass::kFloatMultiply, result, first), 1);
    } else if (s.function == "add") {
      flops(b.Add(MicroOpClass::kFloatAdd, result, first, second), 1);
    } else if (s.function == "triad" || s.in_place()) {
      flops(b.Add(MicroOpClass::kFma, result, first, second), 2);
    }
    if (s.function == "read") continue;
    MicroOp& store = b.Store(s.function == "copy" ? first : result, output, at, s.access);
    store.non_temporal = s.non_temporal;
  }
  for (int p = 0; p < s.pointers(); ++p) b.Advance(p, s.unroll * s.step);
  b.Loop(again, kInner);
  for (int p = 0; p < s.pointers(); ++p) b.Advance(p, -trips * s.unroll * s.step);
  b.Loop(again, kRounds);
  return b.Finish();
}

void LowerStream(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::int64_t element = lowering.ElementBytes(), stride = op.Int("stride", 1);
  Stream s;
  s.function = op.Text("function", "scale");
  s.inputs = s.function == "init" ? 0 : static_cast<int>(op.inputs.size());
  const bool scalar = op.Text("access", "vector") == "scalar";
  if (stride > 1 && !scalar) throw UserError("stream: stride needs access=scalar");
  s.access = scalar ? element : lowering.cpu().core.vector_bytes;
  s.step = s.access * stride;
  s.elements = static_cast<double>(s.access) / static_cast<double>(element);
  s.non_temporal = op.Text("stores", "allocate") == "non_temporal";
  const std::int64_t asked = op.Int("unroll", 0);
  s.unroll = static_cast<int>(asked == 0 ? 8 : asked);
  const std::int64_t bytes = lowering.graph().tensor(op.inputs[0]).elements() * element;
  const std::int64_t all = std::max<std::int64_t>(1, bytes / (s.unroll * s.step));
  const std::int64_t threads = lowering.Threads(std::min(all, op.Int("threads", all)));
  lowering.BeginRegion(index, threads);
  for (std::int64_t t = 0; t < threads; ++t) {
    const std::int64_t first = all * t / threads, trips = all * (t + 1) / threads - first;
    CpuCall call;
    call.code = lowering.CodeOf(StreamCode(s, trips));
    call.trips = {trips, std::max<std::int64_t>(1, op.Int("rounds", 1))};
    for (int i = 0; i < s.inputs; ++i) {
      call.pointers.push_back(lowering.AddressOf(op.inputs[static_cast<std::size_t>(i)]));
    }
    if (s.pointers() > s.inputs) call.pointers.push_back(lowering.AddressOf(op.outputs.front()));
    for (std::int64_t& pointer : call.pointers) pointer += first * s.unroll * s.step;
    lowering.Call(t, call);
  }
  lowering.info(index).mapping = fmt::format("accesses of {} B, {} a turn", s.access, s.unroll);
}

void LowerChase(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::int64_t asked = op.Int("bytes", 0);
  const std::int64_t line = lowering.cpu().line_bytes;
  std::int64_t lines = 1;  // the walk meets each of a power of two of lines once
  while (2 * lines * line <= asked) lines *= 2;
  constexpr int kUnroll = 8;
  MicroCodeBuilder b("pointer_chase");
  const std::int32_t again = b.Here();
  for (int u = 0; u < kUnroll; ++u) {
    MicroOp& load = b.Load(16, 0, 0, 8);
    load.sources = {16, kNoCpuRegister, kNoCpuRegister};
    load.walks = true;
  }
  b.Loop(again, kInner);
  CpuCall call;
  call.code = lowering.CodeOf(b.Finish());
  call.trips = {CeilDivide(std::max<std::int64_t>(1, op.Int("loads", lines)), kUnroll)};
  call.pointers = {lowering.AddBuffer("walked", lines * line)};
  call.walk_bytes = lines * line;
  lowering.info(index).mapping = fmt::format("{} loads, {} lines", call.trips[0] * kUnroll, lines);
  lowering.BeginRegion(index, 1);
  lowering.Call(0, call);
}

const bool kStream = CpuLowerRegistry::Instance().Add("stream_benchmark", &LowerStream);
const bool kChase = CpuLowerRegistry::Instance().Add("pointer_chase", &LowerChase);

}  // namespace
}  // namespace siliscope
