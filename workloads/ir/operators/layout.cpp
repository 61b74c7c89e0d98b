// SPDX-License-Identifier: Apache-2.0
// Operators that move elements without computing: reshape (attribute `shape`), transpose (`perm`),
// concat (`axis`), slice (`starts`, `ends`, `axes`, `steps`, all resolved), pad (`pads`, `value`),
// expand (`shape`), tile (`repeats`), resize (`shape`, nearest), depth_to_space and space_to_depth
// (`block`, `mode`).
#include <algorithm>
#include <cmath>
#include <functional>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

using Inputs = std::vector<const Value*>;

/// Builds a result by asking, for each of its positions, where in the one input it comes from;
/// a negative answer means `fill`.
Value Remap(const Value& x, const Shape& shape, double fill,
            const std::function<std::int64_t(const Shape&)>& source) {
  Value y{shape, {}};
  const std::int64_t count = ElementCount(shape);
  y.data.reserve(static_cast<std::size_t>(count));
  Shape at(shape.size(), 0);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t from = source(at);
    y.data.push_back(from < 0 ? fill : x.data[static_cast<std::size_t>(from)]);
    for (std::size_t d = shape.size(); d-- > 0;) {
      if (++at[d] < shape[d]) break;
      at[d] = 0;
    }
  }
  return y;
}

std::vector<Shape> InferReshape(const Graph& graph, const Operator& op) {
  const Shape shape = op.Ints("shape");
  const Shape& x = InputShape(graph, op, 0);
  if (ElementCount(shape) != ElementCount(x)) {
    throw UserError(op.name + ": " + ShapeText(x) + " can't be reshaped to " + ShapeText(shape));
  }
  return {shape};
}
std::vector<Value> EvaluateReshape(const Operator& op, const Inputs& inputs) {
  return {{op.Ints("shape"), inputs[0]->data}};
}

Shape TransposedShape(const Operator& op, const Shape& x) {
  const std::vector<std::int64_t> perm = op.Ints("perm");
  if (perm.size() != x.size()) throw UserError(op.name + ": perm does not fit " + ShapeText(x));
  Shape y;
  for (const std::int64_t p : perm) y.push_back(x[static_cast<std::size_t>(Axis(p, x.size()))]);
  return y;
}
std::vector<Shape> InferTranspose(const Graph& graph, const Operator& op) {
  return {TransposedShape(op, InputShape(graph, op, 0))};
}
std::vector<Value> EvaluateTranspose(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const std::vector<std::int64_t> perm = op.Ints("perm"), strides = Strides(x.shape);
  return {Remap(x, TransposedShape(op, x.shape), 0, [&](const Shape& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      from += at[d] * strides[static_cast<std::size_t>(perm[d])];
    }
    return from;
  })};
}

Shape ConcatShape(const Operator& op, const std::vector<Shape>& shapes) {
  Shape y = shapes.at(0);
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", 0), y.size()));
  for (std::size_t i = 1; i < shapes.size(); ++i) {
    if (shapes[i].size() != y.size()) throw UserError(op.name + ": concat of unlike ranks");
    for (std::size_t d = 0; d < y.size(); ++d) {
      if (d != axis && shapes[i][d] != y[d]) throw UserError(op.name + ": concat of unlike shapes");
    }
    y[axis] += shapes[i][axis];
  }
  return y;
}
std::vector<Shape> InferConcat(const Graph& graph, const Operator& op) {
  std::vector<Shape> shapes;
  for (const TensorId t : op.inputs) shapes.push_back(graph.tensor(t).shape);
  return {ConcatShape(op, shapes)};
}
std::vector<Value> EvaluateConcat(const Operator& op, const Inputs& inputs) {
  std::vector<Shape> shapes;
  for (const Value* input : inputs) shapes.push_back(input->shape);
  Value y{ConcatShape(op, shapes), {}};
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", 0), y.shape.size()));
  std::int64_t outer = 1;
  for (std::size_t d = 0; d < axis; ++d) outer *= y.shape[d];
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const Value* input : inputs) {
      const std::int64_t run = ElementCount(input->shape) / std::max<std::int64_t>(outer, 1);
      y.data.insert(y.data.end(), input->data.begin() + o * run,
                    input->data.begin() + (o + 1) * run);
    }
  }
  return {y};
}

struct SliceRange {
  std::vector<std::int64_t> start, step;
  Shape shape;
};
SliceRange Range(const Operator& op, const Shape& x) {
  SliceRange r{Shape(x.size(), 0), Shape(x.size(), 1), x};
  const auto starts = op.Ints("starts"), ends = op.Ints("ends");
  const auto axes = op.Ints("axes"), steps = op.Ints("steps", Shape(starts.size(), 1));
  if (starts.size() != ends.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    throw UserError(op.name + ": starts, ends, axes and steps differ in length");
  }
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<std::size_t>(Axis(axes[i], x.size()));
    const std::int64_t extent = x[axis], step = steps[i];
    if (step == 0) throw UserError(op.name + ": a step of 0");
    const auto clamp = [&](std::int64_t v, std::int64_t low, std::int64_t high) {
      return std::clamp(v < 0 ? v + extent : v, low, high);
    };
    const std::int64_t start =
        step > 0 ? clamp(starts[i], 0, extent) : clamp(starts[i], 0, extent - 1);
    const std::int64_t end = step > 0 ? clamp(ends[i], 0, extent)
                                      : (ends[i] < -extent ? -1 : clamp(ends[i], -1, extent - 1));
    const std::int64_t distance = step > 0 ? end - start : start - end;
    const std::int64_t stride = step > 0 ? step : -step;
    r.start[axis] = start;
    r.step[axis] = step;
    r.shape[axis] = std::max<std::int64_t>(0, (distance + stride - 1) / stride);
  }
  return r;
}
std::vector<Shape> InferSlice(const Graph& graph, const Operator& op) {
  return {Range(op, InputShape(graph, op, 0)).shape};
}
std::vector<Value> EvaluateSlice(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const SliceRange r = Range(op, x.shape);
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, r.shape, 0, [&](const Shape& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d)
      from += (r.start[d] + at[d] * r.step[d]) * strides[d];
    return from;
  })};
}

Shape PaddedShape(const Operator& op, const Shape& x) {
  const auto pads = op.Ints("pads");
  if (pads.size() != 2 * x.size()) throw UserError(op.name + ": pads do not fit " + ShapeText(x));
  Shape y = x;
  for (std::size_t d = 0; d < x.size(); ++d) y[d] += pads[d] + pads[d + x.size()];
  return y;
}
std::vector<Shape> InferPad(const Graph& graph, const Operator& op) {
  return {PaddedShape(op, InputShape(graph, op, 0))};
}
std::vector<Value> EvaluatePad(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const auto pads = op.Ints("pads");
  const std::string mode = op.Text("mode", "constant");
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, PaddedShape(op, x.shape), op.Real("value", 0.0), [&](const Shape& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      std::int64_t i = at[d] - pads[d];
      const std::int64_t extent = x.shape[d];
      if (i < 0 || i >= extent) {
        if (mode == "constant") return std::int64_t{-1};
        if (mode == "edge") i = std::clamp<std::int64_t>(i, 0, extent - 1);
        if (mode == "reflect" && extent > 1) {
          const std::int64_t period = 2 * (extent - 1);
          i = ((i % period) + period) % period;
          if (i >= extent) i = period - i;
        }
      }
      from += i * strides[d];
    }
    return from;
  })};
}

std::vector<Shape> InferExpand(const Graph& graph, const Operator& op) {
  return {BroadcastShape(InputShape(graph, op, 0), op.Ints("shape"))};
}
std::vector<Value> EvaluateExpand(const Operator& op, const Inputs& inputs) {
  Value y{BroadcastShape(inputs[0]->shape, op.Ints("shape")), {}};
  for (std::int64_t i = 0; i < ElementCount(y.shape); ++i) {
    y.data.push_back(BroadcastAt(*inputs[0], y.shape, i));
  }
  return {y};
}

Shape TiledShape(const Operator& op, const Shape& x) {
  const auto repeats = op.Ints("repeats");
  if (repeats.size() != x.size()) throw UserError(op.name + ": repeats do not fit");
  Shape y = x;
  for (std::size_t d = 0; d < x.size(); ++d) y[d] *= repeats[d];
  return y;
}
std::vector<Shape> InferTile(const Graph& graph, const Operator& op) {
  return {TiledShape(op, InputShape(graph, op, 0))};
}
std::vector<Value> EvaluateTile(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, TiledShape(op, x.shape), 0, [&](const Shape& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) from += at[d] % x.shape[d] * strides[d];
    return from;
  })};
}

std::vector<Shape> InferResize(const Graph& graph, const Operator& op) {
  const Shape shape = op.Ints("shape");
  if (shape.size() != InputShape(graph, op, 0).size()) {
    throw UserError(op.name + ": resize changes the rank");
  }
  return {shape};
}
std::vector<Value> EvaluateResize(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const Shape shape = op.Ints("shape");
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, shape, 0, [&](const Shape& at) {
    std::int64_t from = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      from += std::min(x.shape[d] - 1, at[d] * x.shape[d] / shape[d]) * strides[d];
    }
    return from;
  })};
}

Shape BlockShape(const Operator& op, const Shape& x, bool to_space) {
  const std::int64_t b = op.Int("block", 1);
  if (x.size() != 4 || b < 1 || b > 4096 ||
      (to_space ? x[1] % (b * b) != 0 : x[2] % b != 0 || x[3] % b != 0)) {
    throw UserError(op.name + ": blocks of " + std::to_string(b) + " do not fit " + ShapeText(x));
  }
  return to_space ? Shape{x[0], x[1] / (b * b), x[2] * b, x[3] * b}
                  : Shape{x[0], x[1] * b * b, x[2] / b, x[3] / b};
}
std::vector<Shape> InferDepthToSpace(const Graph& graph, const Operator& op) {
  return {BlockShape(op, InputShape(graph, op, 0), true)};
}
std::vector<Shape> InferSpaceToDepth(const Graph& graph, const Operator& op) {
  return {BlockShape(op, InputShape(graph, op, 0), false)};
}
std::vector<Value> EvaluateDepthToSpace(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const std::int64_t b = op.Int("block", 1);
  const bool column_row = op.Text("mode", "DCR") == "CRD";
  const Shape shape = BlockShape(op, x.shape, true);
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, shape, 0, [&](const Shape& at) {
    const std::int64_t within = at[2] % b * b + at[3] % b;
    const std::int64_t channel = column_row ? at[1] * b * b + within : within * shape[1] + at[1];
    return at[0] * strides[0] + channel * strides[1] + at[2] / b * strides[2] + at[3] / b;
  })};
}
std::vector<Value> EvaluateSpaceToDepth(const Operator& op, const Inputs& inputs) {
  const Value& x = *inputs[0];
  const std::int64_t b = op.Int("block", 1);
  const std::vector<std::int64_t> strides = Strides(x.shape);
  return {Remap(x, BlockShape(op, x.shape, false), 0, [&](const Shape& at) {
    const std::int64_t within = at[1] / x.shape[1], channel = at[1] % x.shape[1];
    return at[0] * strides[0] + channel * strides[1] + (at[2] * b + within / b) * strides[2] +
           at[3] * b + within % b;
  })};
}

auto& registry = OperatorRegistry::Instance();
const bool kReshape = registry.Add("reshape", {"another shape of the same elements (x)",
                                               &InferReshape, nullptr, nullptr, &EvaluateReshape});
const bool kTranspose = registry.Add(
    "transpose",
    {"dimensions in another order (x)", &InferTranspose, nullptr, nullptr, &EvaluateTranspose});
const bool kConcat = registry.Add(
    "concat", {"joined along an axis (x, ...)", &InferConcat, nullptr, nullptr, &EvaluateConcat});
const bool kSlice = registry.Add(
    "slice", {"a range of each axis (x)", &InferSlice, nullptr, nullptr, &EvaluateSlice});
const bool kPad = registry.Add("pad", {"padding (x)", &InferPad, nullptr, nullptr, &EvaluatePad});
const bool kExpand = registry.Add(
    "expand", {"broadcast to a shape (x)", &InferExpand, nullptr, nullptr, &EvaluateExpand});
const bool kTile =
    registry.Add("tile", {"repeated (x)", &InferTile, nullptr, nullptr, &EvaluateTile});
const bool kResize = registry.Add(
    "resize", {"nearest-neighbour resize (x)", &InferResize, nullptr, nullptr, &EvaluateResize});
const bool kDepthToSpace = registry.Add(
    "depth_to_space",
    {"channels to pixels (x)", &InferDepthToSpace, nullptr, nullptr, &EvaluateDepthToSpace});
const bool kSpaceToDepth = registry.Add(
    "space_to_depth",
    {"pixels to channels (x)", &InferSpaceToDepth, nullptr, nullptr, &EvaluateSpaceToDepth});

}  // namespace
}  // namespace siliscope
