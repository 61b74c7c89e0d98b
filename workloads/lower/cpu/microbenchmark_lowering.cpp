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

/// `unroll` vectors of each operand, then what the function does with them.
CpuCode StreamCode(const std::string& function, int inputs, int unroll, std::int64_t vector,
                   std::int64_t element, std::int64_t trips) {
  MicroCodeBuilder b(fmt::format("benchmark_{}_{}x{}_{}", function, unroll, vector, trips));
  const auto flops = [&](MicroOp& op, std::int64_t each) {
    op.flops = static_cast<float>(each) * static_cast<float>(vector) / static_cast<float>(element);
  };
  const int output = inputs;
  const std::int32_t again = b.Here();
  for (int u = 0; u < unroll; ++u) {
    const std::int64_t at = u * vector;
    for (int i = 0; i < inputs; ++i) b.Load(16 + u * 2 + i, i, at, vector);
    const int first = 16 + u * 2, second = first + 1, result = 80 + u;
    if (function == "read") {
      flops(b.Add(MicroOpClass::kFloatAdd, result, result, first), 1);
    } else if (function == "scale") {
      flops(b.Add(MicroOpClass::kFloatMultiply, result, first), 1);
    } else if (function == "add") {
      flops(b.Add(MicroOpClass::kFloatAdd, result, first, second), 1);
    } else if (function == "triad") {
      flops(b.Add(MicroOpClass::kFma, result, first, second), 2);
    }
    if (function != "read") b.Store(function == "copy" ? first : result, output, at, vector);
  }
  const int pointers = inputs + (function == "read" ? 0 : 1);
  for (int p = 0; p < pointers; ++p) b.Advance(p, unroll * vector);
  b.Loop(again, kInner);
  for (int p = 0; p < pointers; ++p) b.Advance(p, -trips * unroll * vector);
  b.Loop(again, kRounds);
  return b.Finish();
}

void LowerStream(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::string function = op.Text("function", "scale");
  const std::int64_t vector = lowering.cpu().core.vector_bytes;
  const std::int64_t element = lowering.ElementBytes();
  const std::int64_t bytes = lowering.graph().tensor(op.inputs[0]).elements() * element;
  const std::int64_t unroll = std::clamp<std::int64_t>(op.Int("unroll", 1), 8, 32);
  const std::int64_t all = std::max<std::int64_t>(1, bytes / (unroll * vector));
  const int inputs = function == "init" ? 0 : static_cast<int>(op.inputs.size());
  const std::int64_t threads = lowering.Threads(std::min(all, op.Int("threads", all)));
  lowering.BeginRegion(index, threads);
  for (std::int64_t t = 0; t < threads; ++t) {
    const std::int64_t first = all * t / threads, trips = all * (t + 1) / threads - first;
    CpuCall call;
    call.code = lowering.CodeOf(
        StreamCode(function, inputs, static_cast<int>(unroll), vector, element, trips));
    call.trips = {trips, std::max<std::int64_t>(1, op.Int("rounds", 1))};
    for (int i = 0; i < inputs; ++i) {
      call.pointers.push_back(lowering.AddressOf(op.inputs[static_cast<std::size_t>(i)]));
    }
    if (function != "read") call.pointers.push_back(lowering.AddressOf(op.outputs.front()));
    for (std::int64_t& pointer : call.pointers) pointer += first * unroll * vector;
    lowering.Call(t, call);
  }
  lowering.info(index).mapping = fmt::format("vectors of {} B, {} a turn", vector, unroll);
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
