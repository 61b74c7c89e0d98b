// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/elementwise_codes.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/ir/elementwise_function.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

/// Operations of a machine function: polynomials of a degree that gives single precision (Cephes;
/// exp: range reduction, 6 terms, scaling; erf: two of those and a quotient).
int OperationsOf(const std::string& machine_function) {
  static const std::map<std::string, int> kOperations = {
      {"exp", 12}, {"log", 16},       {"sin", 16}, {"tanh", 16},
      {"erf", 24}, {"reciprocal", 1}, {"sqrt", 1}};
  const auto it = kOperations.find(machine_function);
  return it == kOperations.end() ? 1 : it->second;
}

bool Divides(const std::string& machine_function) {
  return machine_function == "reciprocal" || machine_function == "sqrt" ||
         machine_function == "tanh" || machine_function == "erf";
}

constexpr int kUnroll = 4;
constexpr std::int64_t kLeastBytes = 4096;  ///< that are worth a thread

CpuCode StreamCode(const CpuStream& s, std::int64_t vector, std::int64_t element) {
  const auto inputs = static_cast<int>(s.inputs.size());
  MicroCodeBuilder b(fmt::format("{}_{}_{}_{}_{}_{}", s.output < 0 ? "sum" : "stream", inputs,
                                 s.operations, s.divisions, vector, element));
  const auto flops = static_cast<float>(vector) / static_cast<float>(element);
  const std::int32_t again = b.Here();
  // Vectors go side by side, so that their operations overlap.
  for (int u = 0; u < kUnroll; ++u) {
    for (int i = 0; i < inputs; ++i) b.Load(16 + u * 8 + i, i, u * vector, vector);
  }
  for (int n = 0; n < s.operations; ++n) {
    for (int u = 0; u < kUnroll; ++u) {
      const int value = 16 + u * 8, other = inputs > 1 ? value + 1 + n % (inputs - 1) : value;
      b.Add(n % 2 == 0 ? MicroOpClass::kFloatAdd : MicroOpClass::kFma, value, value, other).flops =
          flops;
    }
  }
  for (int n = 0; n < s.divisions; ++n) {
    for (int u = 0; u < kUnroll; ++u) b.Add(MicroOpClass::kDivide, 16 + u * 8, 16 + u * 8);
  }
  for (int u = 0; u < kUnroll; ++u) {
    if (s.output >= 0) {
      b.Store(16 + u * 8, inputs, u * vector, vector);
    } else {
      b.Add(MicroOpClass::kFloatAdd, 100 + u, 100 + u, 16 + u * 8).flops = flops;
    }
  }
  for (int i = 0; i <= inputs; ++i) b.Advance(i, kUnroll * vector);
  b.Loop(again, 0);
  return b.Finish();
}

}  // namespace

int VectorOperations(const std::string& function) {
  const ElementwiseFunction* f = FindFunction(function);
  if (f == nullptr) return 1;
  int sum = 0;
  for (const auto& [name, count] : f->machine_functions) sum += count * OperationsOf(name);
  return sum;
}

int VectorDivisions(const std::string& function) {
  const ElementwiseFunction* f = FindFunction(function);
  int sum = 0;
  if (f == nullptr) return 0;
  for (const auto& [name, count] : f->machine_functions) sum += Divides(name) ? count : 0;
  return sum;
}

void WriteStream(CpuLowering& lowering, std::uint32_t op, const CpuStream& stream) {
  CpuStream s = stream;
  constexpr std::size_t kMostInputs = 6;
  if (s.inputs.size() > kMostInputs) s.inputs.resize(kMostInputs);
  const std::int64_t vector = lowering.cpu().core.vector_bytes, e = lowering.ElementBytes();
  const std::int64_t turns = CeilDivide(s.elements * e, kUnroll * vector);
  const std::int64_t threads = lowering.Threads(s.elements * e / kLeastBytes);
  lowering.BeginRegion(op, threads);
  const std::uint32_t code = lowering.CodeOf(StreamCode(s, vector, e));
  for (std::int64_t t = 0; t < threads; ++t) {
    const std::int64_t first = turns * t / threads, last = turns * (t + 1) / threads;
    if (first == last) continue;
    CpuCall call;
    call.code = code;
    call.trips = {last - first};
    for (const std::int64_t address : s.inputs) {
      call.pointers.push_back(address + first * kUnroll * vector);
    }
    call.pointers.push_back(s.output + first * kUnroll * vector);
    lowering.Call(t, call);
  }
}

void WriteSumOfParts(CpuLowering& lowering, std::uint32_t op, std::int64_t from, std::int64_t parts,
                     std::int64_t to, std::int64_t elements) {
  constexpr std::int64_t kAtOnce = 6;
  const std::int64_t part_bytes = elements * lowering.ElementBytes();
  for (std::int64_t p = 0; p < parts; p += kAtOnce) {
    CpuStream s{{}, to, elements, 0, 0};
    for (std::int64_t i = p; i < std::min(parts, p + kAtOnce); ++i) {
      s.inputs.push_back(from + i * part_bytes);
    }
    s.operations = static_cast<int>(s.inputs.size());
    WriteStream(lowering, op, s);
  }
}

void WriteCopy(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::int64_t elements = lowering.graph().tensor(op.outputs.front()).elements();
  CpuStream s{{lowering.AddressOf(op.inputs[0])}, 0, elements, 0, 0};
  s.output = lowering.AddressOf(op.outputs.front());
  WriteStream(lowering, index, s);
}

}  // namespace siliscope
