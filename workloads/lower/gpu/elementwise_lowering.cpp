// SPDX-License-Identifier: Apache-2.0
// Elementwise operators, and everything else that passes its tensors through once.
#include <algorithm>

#include "workloads/ir/elementwise_function.h"
#include "workloads/lower/gpu/copy_lowering.h"
#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/stream_kernel.h"

namespace siliscope {
namespace {

struct Cost {
  int operations = 0, special = 0;
};

/// Instructions of a function for one element.
Cost CostOf(const std::string& function) {
  Cost cost;
  const ElementwiseFunction* f = FindFunction(function);
  if (f == nullptr) return {1, 0};
  for (const auto& [name, count] : f->machine_functions) {
    if (name == "exp" || name == "log" || name == "reciprocal" || name == "sqrt" || name == "sin") {
      cost.special += count;
      cost.operations += 2 * count;
    } else if (name == "tanh") {
      cost.special += 2 * count;
      cost.operations += 6 * count;
    } else if (name == "erf") {
      cost.special += count;
      cost.operations += 12 * count;
    } else {
      cost.operations += count;
    }
  }
  return cost;
}

void LowerStream(GpuLowering& lowering, std::uint32_t index, const std::string& name, Cost cost) {
  const Operator& op = lowering.op(index);
  for (const EpilogueStep& step : op.epilogue) {
    const Cost more = CostOf(step.function);
    cost.operations += more.operations;
    cost.special += more.special;
  }
  const TensorId result = op.outputs.front();
  const std::int64_t elements = lowering.graph().tensor(result).elements();
  StreamWork work;
  work.name = name;
  work.operations = std::max(1, cost.operations);
  work.special = cost.special;
  work.elements_bytes = lowering.ElementBytes(result);
  std::vector<TensorId> reads = op.inputs;
  for (const EpilogueStep& step : op.epilogue) reads.push_back(step.operand);
  for (const TensorId t : reads) {
    if (t == kNoTensor || lowering.graph().tensor(t).elements() < elements / 2) continue;
    // An operand of another size is read in proportion: a pool takes whole windows.
    // Of a gather's table only the rows that are taken.
    const double share = op.kind == "gather"
                             ? 1
                             : static_cast<double>(lowering.graph().tensor(t).elements()) /
                                   static_cast<double>(elements);
    const std::uint32_t tensor = lowering.TensorOf(t), written = lowering.TensorOf(result);
    const GpuTensor &from = lowering.Layout(tensor), &to = lowering.Layout(written);
    double rows = 1;  // images lie channels last: a window is pixels, which are rows
    if (share > 1 && from.row_bytes <= to.row_bytes) {
      rows = static_cast<double>(from.rows) / static_cast<double>(to.rows);
    }
    work.loads.push_back({tensor, lowering.ElementBytes(t) * share / rows, rows});
  }
  work.stores = {{lowering.TensorOf(result), work.elements_bytes}};
  lowering.Launch(index, MakeStreamKernel(lowering.machine(),
                                          lowering.Layout(lowering.TensorOf(result)), work));
}

void LowerElementwise(GpuLowering& lowering, std::uint32_t index) {
  const std::string function = lowering.op(index).Text("function", "add");
  LowerStream(lowering, index, "elementwise_" + function, CostOf(function));
}

/// Reductions and pools: an operation for each element that goes in, windows that overlap counted.
void LowerReduction(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Tensor& x = lowering.graph().tensor(op.inputs[0]);
  const Tensor& y = lowering.graph().tensor(op.outputs[0]);
  std::int64_t share =
      std::max<std::int64_t>(1, x.elements() / std::max<std::int64_t>(1, y.elements()));
  if (op.kind == "pool") share = ElementCount(op.Ints("kernel"));
  LowerStream(lowering, index, op.kind, {static_cast<int>(std::min<std::int64_t>(share, 256)), 0});
}

void LowerCopy(GpuLowering& lowering, std::uint32_t index) { LaunchCopy(lowering, index); }

/// Another shape of the same bytes: no kernel.
void LowerView(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  lowering.Alias(op.outputs.front(), op.inputs.front());
  lowering.info(index).mapping = "no kernel";
}

void LowerNormalization(GpuLowering& lowering, std::uint32_t index) {
  LowerStream(lowering, index, lowering.op(index).kind, {4, 0});
}

void LowerRotary(GpuLowering& lowering, std::uint32_t index) {
  LowerStream(lowering, index, "rotary", {3, 0});
}

bool RegisterAll() {
  GpuLowerRegistry& registry = GpuLowerRegistry::Instance();
  registry.Add("elementwise", &LowerElementwise);
  registry.Add("reshape", &LowerView);
  for (const char* kind : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"}) {
    registry.Add(kind, &LowerView);  // between chips; nothing is done on this one
  }
  registry.Add("rotary", &LowerRotary);
  for (const char* kind : {"pool", "reduce"}) registry.Add(kind, &LowerReduction);
  for (const char* kind : {"batch_norm", "instance_norm", "lrn"}) {
    registry.Add(kind, &LowerNormalization);
  }
  for (const char* kind :
       {"concat", "depth_to_space", "expand", "pad", "resize", "slice", "space_to_depth", "tile"}) {
    registry.Add(kind, &LowerCopy);
  }
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace

void LaunchCopy(GpuLowering& lowering, std::uint32_t index) {
  LowerStream(lowering, index, lowering.op(index).kind, {1, 0});
}

}  // namespace siliscope
