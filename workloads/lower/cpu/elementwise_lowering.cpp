// SPDX-License-Identifier: Apache-2.0
// Elementwise operators, and everything else that passes its tensors through once.
#include <algorithm>

#include "workloads/lower/cpu/elementwise_codes.h"

namespace siliscope {
namespace {

void LowerStream(CpuLowering& lowering, std::uint32_t index, int operations, int divisions) {
  const Operator& op = lowering.op(index);
  const Graph& graph = lowering.graph();
  const TensorId result = op.outputs.front();
  CpuStream s;
  s.elements = graph.tensor(result).elements();
  s.operations = operations;
  s.divisions = divisions;
  std::vector<TensorId> reads = op.inputs;
  for (const EpilogueStep& step : op.epilogue) {
    s.operations += VectorOperations(step.function);
    s.divisions += VectorDivisions(step.function);
    reads.push_back(step.operand);
  }
  for (const TensorId t : reads) {  // smaller ones stay in registers or the first cache
    if (t == kNoTensor || graph.tensor(t).elements() < s.elements) continue;
    s.inputs.push_back(lowering.AddressOf(t));
  }
  s.output = lowering.AddressOf(result);
  WriteStream(lowering, index, s);
}

void LowerElementwise(CpuLowering& lowering, std::uint32_t index) {
  const std::string function = lowering.op(index).Text("function", "add");
  LowerStream(lowering, index, VectorOperations(function), VectorDivisions(function));
}

void LowerNormalization(CpuLowering& lowering, std::uint32_t index) {
  constexpr int kOperations = 4;
  LowerStream(lowering, index, kOperations, 0);
}

void LowerLocalResponse(CpuLowering& lowering, std::uint32_t index) {
  constexpr int kPower = 28;  // a logarithm and an exponential
  LowerStream(lowering, index, kPower + static_cast<int>(lowering.op(index).Int("size", 5)), 1);
}

void LowerRotary(CpuLowering& lowering, std::uint32_t index) {
  constexpr int kOperations = 3;
  LowerStream(lowering, index, kOperations, 0);
}

/// All elements of the input pass; what comes out is small.
void LowerReduction(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  CpuStream s{{lowering.AddressOf(op.inputs[0])}, -1, 0, 0, 0};
  s.elements = lowering.graph().tensor(op.inputs[0]).elements();
  lowering.AddressOf(op.outputs.front());
  WriteStream(lowering, index, s);
}

/// Another shape of the same bytes.
void LowerView(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  lowering.Alias(op.outputs.front(), op.inputs.front());
  lowering.info(index).mapping = "no code";
}

bool RegisterAll() {
  CpuLowerRegistry& registry = CpuLowerRegistry::Instance();
  registry.Add("elementwise", &LowerElementwise);
  registry.Add("reshape", &LowerView);
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"}) {
    registry.Add(kind, &LowerView);  // between chips; nothing is done on this one
  }
  registry.Add("rotary", &LowerRotary);
  registry.Add("reduce", &LowerReduction);
  registry.Add("lrn", &LowerLocalResponse);
  for (const char* kind : {"batch_norm", "instance_norm"}) registry.Add(kind, &LowerNormalization);
  for (const char* kind :
       {"concat", "depth_to_space", "expand", "pad", "resize", "slice", "space_to_depth", "tile"}) {
    registry.Add(kind, &WriteCopy);
  }
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
