// SPDX-License-Identifier: Apache-2.0
// What an NPU does on its vector unit alone: elementwise functions, reductions, softmax,
// normalisations, pooling, and copies that change the layout.
#include <algorithm>

#include "workloads/ir/elementwise_function.h"
#include "workloads/ir/operator_kind.h"
#include "workloads/lower/npu/vector_lowering.h"

namespace siliscope {
namespace {

double ElementBytes(const NpuLowering& lowering) {
  return static_cast<double>(lowering.ActivationBytes(8)) / 8;
}

/// A task over the extents of `shape`, reading every input of the operator once.
VectorTask TaskOver(NpuLowering& lowering, std::uint32_t index, const Shape& shape) {
  const Operator& op = lowering.op(index);
  VectorTask task;
  VectorExtents(shape, &task.rows, &task.columns);
  const std::int64_t elements = ElementCount(shape);
  for (const TensorId t : op.inputs) {
    if (t == kNoTensor) continue;
    const bool small = lowering.graph().tensor(t).elements() * 8 < elements;
    task.inputs.push_back({t, 1, small});
    if (!small) task.work.load_bytes_per_element += ElementBytes(lowering);
  }
  for (const EpilogueStep& step : op.epilogue) {
    const ElementwiseFunction* function = FindFunction(step.function);
    for (const auto& [name, times] : function->machine_functions) {
      task.work.functions.emplace_back(name, times);
    }
    if (step.operand != kNoTensor) {
      task.inputs.push_back({step.operand, 1, false});
      task.work.load_bytes_per_element += ElementBytes(lowering);
    }
  }
  task.work.label = op.kind;
  task.work.store_bytes_per_element = ElementBytes(lowering);
  task.result_bytes = lowering.TensorBytes(op.outputs[0]);
  return task;
}

void Lower(NpuLowering& lowering, std::uint32_t index, const VectorTask& task) {
  LowerVector(lowering, index, lowering.op(index).outputs[0], task);
  lowering.info(index).mapping = "vector unit";
}

void LowerElementwise(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const std::string name = op.Text("function", "");
  if (name == "identity" && op.epilogue.empty()) {
    lowering.Alias(op.outputs[0], op.inputs[0]);
    return;
  }
  VectorTask task = TaskOver(lowering, index, lowering.graph().tensor(op.outputs[0]).shape);
  task.work.label = name;
  const ElementwiseFunction& elementwise = *FindFunction(name);
  const int again = elementwise.operands == 2 ? static_cast<int>(op.inputs.size()) - 1 : 1;
  for (const auto& [function, times] : elementwise.machine_functions) {
    task.work.functions.emplace_back(function, times * again);
  }
  Lower(lowering, index, task);
}

void LowerRotary(NpuLowering& lowering, std::uint32_t index) {
  VectorTask task = TaskOver(lowering, index, InputShape(lowering.graph(), lowering.op(index), 0));
  task.work.functions.insert(task.work.functions.end(), {{"mul", 2}, {"add", 1}});
  Lower(lowering, index, task);
}

/// Rows are what lies before the reduced axis, columns the axis itself.
void RowExtents(const Shape& shape, std::size_t axis, VectorTask* task) {
  task->columns = shape.empty() ? 1 : shape[axis];
  task->columns = std::max<std::int64_t>(1, task->columns);
  task->rows = std::max<std::int64_t>(1, ElementCount(shape) / task->columns);
}

void LowerSoftmax(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Shape& shape = InputShape(lowering.graph(), op, 0);
  VectorTask task = TaskOver(lowering, index, shape);
  RowExtents(shape, static_cast<std::size_t>(Axis(op.Int("axis", -1), shape.size())), &task);
  // Maximum, then exponential and sum, then the division: two reductions over each row.
  task.work.functions = {{"max", 1}, {"sub", 1}, {"exp", 1}, {"add", 1}, {"mul", 1}};
  task.work.reductions = 2;
  Lower(lowering, index, task);
}

void LowerNormalization(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Shape& shape = InputShape(lowering.graph(), op, 0);
  VectorTask task = TaskOver(lowering, index, shape);
  if (op.kind == "batch_norm") {
    task.work.functions.insert(task.work.functions.end(), {{"mul", 1}, {"add", 1}});
  } else if (op.kind == "lrn") {
    const auto size = static_cast<int>(op.Int("size", 1));
    task.work.functions.insert(task.work.functions.end(),
                               {{"mul", 2}, {"add", size}, {"log", 1}, {"exp", 1}});
  } else {
    const bool rms = op.kind == "rms_norm";
    if (op.kind == "instance_norm") {
      task.columns = std::max<std::int64_t>(1, ElementCount(Shape(shape.begin() + 2, shape.end())));
    } else {
      const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", -1), shape.size()));
      task.columns = std::max<std::int64_t>(
          1, ElementCount(Shape(shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end())));
    }
    task.rows = std::max<std::int64_t>(1, ElementCount(shape) / task.columns);
    task.work.functions.insert(task.work.functions.end(), {{"mul", 3}, {"add", rms ? 1 : 3}});
    task.work.reductions = rms ? 1 : 2;
  }
  Lower(lowering, index, task);
}

void LowerReduce(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Shape& shape = InputShape(lowering.graph(), op, 0);
  VectorTask task = TaskOver(lowering, index, shape);
  task.work.functions.emplace_back("add", 1);
  const std::vector<std::int64_t> axes = op.Ints("axes");
  bool last = axes.empty();
  for (const std::int64_t axis : axes)
    last = last || Axis(axis, shape.size()) + 1 == static_cast<std::int64_t>(shape.size());
  task.work.reductions = last && shape.size() != 4 ? 1 : 0;
  task.work.store_bytes_per_element = 0;
  Lower(lowering, index, task);
}

void LowerPool(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  VectorTask task = TaskOver(lowering, index, lowering.graph().tensor(op.outputs[0]).shape);
  const std::int64_t taps = ElementCount(op.Ints("kernel"));
  const bool max = op.Text("mode", "max") == "max";
  task.work.label = max ? "max_pool" : "average_pool";
  task.work.functions.emplace_back(max ? "max" : "add", static_cast<int>(taps));
  task.work.load_bytes_per_element = ElementBytes(lowering) * static_cast<double>(taps);
  for (VectorInput& input : task.inputs) input.whole = false;
  Lower(lowering, index, task);
}

void LowerCopy(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  VectorTask task = TaskOver(lowering, index, lowering.graph().tensor(op.outputs[0]).shape);
  const Shape& y = lowering.graph().tensor(op.outputs[0]).shape;
  const bool linear = op.kind == "resize" && op.Text("mode", "nearest") != "nearest";
  if (linear) {  // a weighted mean of two neighbours along each dimension that changes
    const Shape& x = InputShape(lowering.graph(), op, 0);
    int dimensions = 0;
    for (std::size_t d = 0; d < y.size() && d < x.size(); ++d) dimensions += x[d] != y[d] ? 1 : 0;
    task.work.functions.emplace_back("mul", 2 * dimensions);
    task.work.functions.emplace_back("add", dimensions);
  } else {
    task.work.functions.emplace_back("copy", 1);
  }
  task.work.load_bytes_per_element = ElementBytes(lowering);
  // Rows that stay whole are only copied; the transpose unit turns columns into rows.
  task.work.transpose =
      op.kind == "transpose" &&
      op.Ints("perm").back() + 1 != static_cast<std::int64_t>(op.Ints("perm").size());
  // Parts that are not taken are not read.
  const double result = static_cast<double>(task.result_bytes);
  for (VectorInput& input : task.inputs) {
    const double bytes = static_cast<double>(lowering.TensorBytes(input.tensor));
    if (bytes > result && bytes > 0) input.passes = result / bytes;
    input.whole = false;
  }
  Lower(lowering, index, task);
}

void LowerView(NpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  lowering.Alias(op.outputs[0], op.inputs[0]);
  lowering.info(index).mapping = "no work: the same elements";
}

void LowerTranspose(NpuLowering& lowering, std::uint32_t index) {
  // Dimensions of one element may go anywhere.
  const Operator& op = lowering.op(index);
  const Shape& shape = InputShape(lowering.graph(), op, 0);
  std::int64_t last = -1;
  bool moves = false;
  for (const std::int64_t p : op.Ints("perm")) {
    if (shape[static_cast<std::size_t>(p)] == 1) continue;
    moves = moves || p < last;
    last = p;
  }
  if (moves) {
    LowerCopy(lowering, index);
  } else {
    LowerView(lowering, index);
  }
}

void LowerSlice(NpuLowering& lowering, std::uint32_t index) {
  // A stretch of the outermost dimension is a part of the same elements.
  const Operator& op = lowering.op(index);
  const Shape& x = InputShape(lowering.graph(), op, 0);
  const Shape& y = lowering.graph().tensor(op.outputs[0]).shape;
  bool inner_whole = true, outer = true;
  for (std::size_t d = 0; d < x.size(); ++d) {
    if (!outer) inner_whole = inner_whole && x[d] == y[d];
    if (x[d] != 1) outer = false;
  }
  const std::vector<std::int64_t> steps = op.Ints("steps");
  const bool unit = std::all_of(steps.begin(), steps.end(), [](std::int64_t s) { return s == 1; });
  if (inner_whole && unit && ElementCount(y) > 0) {
    LowerView(lowering, index);
  } else {
    LowerCopy(lowering, index);
  }
}

auto& registry = NpuLowerRegistry::Instance();
const bool kElementwise = registry.Add("elementwise", &LowerElementwise);
const bool kRotary = registry.Add("rotary", &LowerRotary);
const bool kSoftmax = registry.Add("softmax", &LowerSoftmax);
const bool kLayerNorm = registry.Add("layer_norm", &LowerNormalization);
const bool kRmsNorm = registry.Add("rms_norm", &LowerNormalization);
const bool kBatchNorm = registry.Add("batch_norm", &LowerNormalization);
const bool kInstanceNorm = registry.Add("instance_norm", &LowerNormalization);
const bool kLrn = registry.Add("lrn", &LowerNormalization);
const bool kReduce = registry.Add("reduce", &LowerReduce);
const bool kPool = registry.Add("pool", &LowerPool);
const bool kReshape = registry.Add("reshape", &LowerView);
const bool kAllReduce = registry.Add("all_reduce", &LowerView);  // moves data between chips only
const bool kAllGather = registry.Add("all_gather", &LowerView);
const bool kReduceScatter = registry.Add("reduce_scatter", &LowerView);
const bool kAllToAll = registry.Add("all_to_all", &LowerView);
const bool kTranspose = registry.Add("transpose", &LowerTranspose);
const bool kSlice = registry.Add("slice", &LowerSlice);
const bool kConcat = registry.Add("concat", &LowerCopy);
const bool kPad = registry.Add("pad", &LowerCopy);
const bool kExpand = registry.Add("expand", &LowerCopy);
const bool kTile = registry.Add("tile", &LowerCopy);
const bool kResize = registry.Add("resize", &LowerCopy);
const bool kDepthToSpace = registry.Add("depth_to_space", &LowerCopy);
const bool kSpaceToDepth = registry.Add("space_to_depth", &LowerCopy);

}  // namespace
}  // namespace siliscope
