// SPDX-License-Identifier: Apache-2.0
// ONNX operators that move elements, and those that compute with shapes.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "workloads/import/onnx_file.h"
#include "workloads/import/onnx_node.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

Operator Layout(const std::string& kind, TensorId input) {
  Operator op;
  op.kind = kind;
  op.inputs = {input};
  return op;
}

void ReshapeTo(OnnxNode& node, const Shape& shape) {
  if (shape == node.InputShape(0)) {
    node.SetOutput(0, node.Input(0));
    return;
  }
  Operator op = Layout("reshape", node.Input(0));
  op.attributes["shape"] = shape;
  node.Translate(std::move(op));
}

/// Resolves 0 and -1; returns false where the element counts do not fit.
bool ResolveReshape(const Shape& x, bool allow_zero, Shape* shape) {
  std::int64_t known = 1, unknown = -1;
  for (std::size_t i = 0; i < shape->size(); ++i) {
    std::int64_t& d = (*shape)[i];
    if (d == 0 && !allow_zero && i < x.size()) d = x[i];
    if (d == -1) {
      unknown = static_cast<std::int64_t>(i);
    } else {
      known *= d;
    }
  }
  const std::int64_t count = ElementCount(x);
  if (unknown >= 0) {
    if (known == 0 || count % known != 0) return false;
    (*shape)[static_cast<std::size_t>(unknown)] = count / known;
    return true;
  }
  return known == count;
}

void Reshape(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const Shape asked = node.AttributeOrInput("shape", 1);
  const bool allow_zero = node.Int("allowzero", 0) != 0;
  Shape shape = asked;
  const OnnxGraphState& state = node.state();
  if (state.old_batch > 0 && !asked.empty() && asked[0] == state.old_batch && !x.empty() &&
      x[0] == state.new_batch) {
    // The exported batch stands in the shape's first place.
    shape[0] = state.new_batch;
    if (ResolveReshape(x, allow_zero, &shape)) return ReshapeTo(node, shape);
    shape = asked;
  }
  if (ResolveReshape(x, allow_zero, &shape)) return ReshapeTo(node, shape);
  if (state.old_batch > 0) {
    throw UnsupportedNode("can't be rewritten to another batch: which dimension of " +
                          ShapeText(asked) + " holds the batch is ambiguous");
  }
  throw UnsupportedNode("reshapes " + ShapeText(x) + " to " + ShapeText(asked));
}

void Flatten(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const std::int64_t rank = static_cast<std::int64_t>(x.size());
  std::int64_t axis = node.Int("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) throw UnsupportedNode("an axis outside of the rank");
  std::int64_t rows = 1;
  for (std::int64_t i = 0; i < axis; ++i) rows *= x[static_cast<std::size_t>(i)];
  ReshapeTo(node, {rows, rows == 0 ? 0 : ElementCount(x) / rows});
}

void Squeeze(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const std::vector<std::int64_t> axes = node.AttributeOrInput("axes", 1);
  std::vector<bool> drop(x.size(), false);
  for (const std::int64_t axis : axes) drop[static_cast<std::size_t>(Axis(axis, x.size()))] = true;
  Shape y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(axes.empty() ? x[i] == 1 : drop[i])) y.push_back(x[i]);
  }
  ReshapeTo(node, y);
}

void Unsqueeze(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const std::vector<std::int64_t> axes = node.AttributeOrInput("axes", 1);
  const std::size_t rank = x.size() + axes.size();
  std::vector<bool> added(rank, false);
  for (const std::int64_t axis : axes) added[static_cast<std::size_t>(Axis(axis, rank))] = true;
  Shape y;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    if (!added[i] && next >= x.size()) throw UnsupportedNode("an axis given twice");
    y.push_back(added[i] ? 1 : x[next++]);
  }
  ReshapeTo(node, y);
}

void Transpose(OnnxNode& node) {
  Shape perm(node.InputShape(0).size());
  std::iota(perm.rbegin(), perm.rend(), 0);
  perm = node.Ints("perm", perm);
  Operator op = Layout("transpose", node.Input(0));
  op.attributes["perm"] = perm;
  node.Translate(std::move(op));
}

void Concat(OnnxNode& node) {
  Operator op;
  op.kind = "concat";
  const std::int64_t axis = node.Int("axis", 1);
  op.attributes["axis"] = axis;
  const OnnxGraphState& state = node.state();
  std::int64_t batch = 0;
  for (std::size_t i = 0; i < node.InputCount(); ++i) {
    const Shape& shape = node.InputShape(i);
    if (!shape.empty()) batch = std::max(batch, shape[0]);
  }
  for (std::size_t i = 0; i < node.InputCount(); ++i) {
    TensorId input = node.Input(i);
    const Shape& shape = node.InputShape(i);
    if (shape.size() == 1 && shape[0] == 0) continue;
    if (state.old_batch == 1 && axis != 0 && !shape.empty() && shape[0] == 1 &&
        batch == state.new_batch && batch > 1) {
      Operator expand = Layout("expand", input);  // the same for every image of the batch
      Shape wide = shape;
      wide[0] = batch;
      expand.attributes["shape"] = wide;
      input = node.Add(std::move(expand), node.graph().tensor(input).dtype);
    }
    op.inputs.push_back(input);
  }
  if (op.inputs.empty()) throw UnsupportedNode("a concatenation of nothing");
  if (op.inputs.size() == 1) {
    node.SetOutput(0, op.inputs[0]);
    return;
  }
  node.Translate(std::move(op));
}

void Slice(OnnxNode& node) {
  Operator op = Layout("slice", node.Input(0));
  const auto starts = node.AttributeOrInput("starts", 1), ends = node.AttributeOrInput("ends", 2);
  auto axes = node.AttributeOrInput("axes", 3), steps = node.AttributeOrInput("steps", 4);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  op.attributes["starts"] = starts;
  op.attributes["ends"] = ends;
  op.attributes["axes"] = axes;
  op.attributes["steps"] = steps;
  node.Translate(std::move(op));
}

void Split(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const std::int64_t axis = Axis(node.Int("axis", 0), x.size());
  const std::int64_t extent = x[static_cast<std::size_t>(axis)];
  std::vector<std::int64_t> sizes = node.AttributeOrInput("split", 1);
  const std::int64_t parts = node.proto().output_size();
  if (sizes.empty()) {
    for (std::int64_t i = 0; i < parts; ++i) {
      sizes.push_back(extent * (i + 1) / parts - extent * i / parts);
    }
  }
  if (static_cast<std::int64_t>(sizes.size()) < parts) throw UnsupportedNode("too few sizes");
  const DataType type = node.InputType(0);
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < parts; ++i) {
    Operator op = Layout("slice", node.Input(0));
    op.attributes["starts"] = Shape{at};
    at += sizes[static_cast<std::size_t>(i)];
    op.attributes["ends"] = Shape{at};
    op.attributes["axes"] = Shape{axis};
    op.attributes["steps"] = Shape{1};
    node.SetOutput(static_cast<std::size_t>(i), node.Add(std::move(op), type));
  }
}

void Pad(OnnxNode& node) {
  Operator op = Layout("pad", node.Input(0));
  const Shape pads =
      node.AttributeOrInput(node.Find("paddings") != nullptr ? "paddings" : "pads", 1);
  op.attributes["pads"] = pads;
  op.attributes["mode"] = node.Text("mode", "constant");
  double value = node.Real("value", 0);
  if (node.Has(2)) {
    const auto known = node.Known(2);
    if (known && known->size() == 1) value = known->front();
  }
  op.attributes["value"] = value;
  if (std::all_of(pads.begin(), pads.end(), [](std::int64_t p) { return p == 0; })) {
    node.SetOutput(0, node.Input(0));
    return;
  }
  node.Translate(std::move(op));
}

void Expand(OnnxNode& node) {
  Operator op = Layout("expand", node.Input(0));
  const Shape shape = node.KnownInts(1);
  op.attributes["shape"] = shape;
  if (BroadcastShape(node.InputShape(0), shape) == node.InputShape(0)) {
    node.SetOutput(0, node.Input(0));
    return;
  }
  node.Translate(std::move(op));
}

void Tile(OnnxNode& node) {
  Operator op = Layout("tile", node.Input(0));
  op.attributes["repeats"] = node.KnownInts(1);
  node.Translate(std::move(op));
}

void Resize(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  Shape y = x;
  const bool upsample = node.proto().op_type() == "Upsample";
  const bool old = upsample || node.opset() < 11;
  const std::size_t scales_at = old ? 1 : 2;
  std::vector<double> scales;
  if (const auto* a = node.Find("scales")) {
    for (const float s : a->floats()) scales.push_back(static_cast<double>(s));
  } else if (node.Has(scales_at) && !node.graph().tensor(node.Input(scales_at)).shape.empty() &&
             ElementCount(node.InputShape(scales_at)) > 0) {
    const auto known = node.Known(scales_at);
    if (!known) throw UnsupportedNode("scales that depend on the data");
    scales = *known;
  }
  if (!scales.empty()) {
    if (scales.size() != x.size()) throw UnsupportedNode("scales that do not fit the rank");
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = static_cast<std::int64_t>(std::floor(static_cast<double>(x[i]) * scales[i] + 1e-6));
    }
  } else {
    y = node.KnownInts(3);
    if (y.size() != x.size()) throw UnsupportedNode("sizes that do not fit the rank");
  }
  if (ElementCount(y) <= 0) throw UnsupportedNode("an empty result");
  Operator op = Layout("resize", node.Input(0));
  op.attributes["shape"] = y;
  op.attributes["mode"] = node.Text("mode", "nearest");
  node.Translate(std::move(op));
}

void DepthToSpace(OnnxNode& node) {
  const bool to_space = node.proto().op_type() == "DepthToSpace";
  Operator op = Layout(to_space ? "depth_to_space" : "space_to_depth", node.Input(0));
  op.attributes["block"] = node.Int("blocksize", 1);
  op.attributes["mode"] = node.Text("mode", "DCR");
  node.Translate(std::move(op));
}

void Gather(OnnxNode& node) {
  Operator op;
  op.kind = "gather";
  op.inputs = {node.Input(0), node.Input(1)};
  op.attributes["axis"] = node.Int("axis", 0);
  node.Translate(std::move(op));
}

void ShapeOf(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const auto rank = static_cast<std::int64_t>(x.size());
  const auto clamp = [&](std::int64_t v) {
    return std::clamp(v < 0 ? v + rank : v, std::int64_t{0}, rank);
  };
  const std::int64_t begin = clamp(node.Int("start", 0)), end = clamp(node.Int("end", rank));
  std::vector<double> values;
  for (std::int64_t i = begin; i < end; ++i) {
    values.push_back(static_cast<double>(x[static_cast<std::size_t>(i)]));
  }
  const Shape shape = {static_cast<std::int64_t>(values.size())};
  node.SetOutput(0, node.AddConstant(shape, std::move(values), DataType::kInt64));
}

void Size(OnnxNode& node) {
  node.SetOutput(0, node.AddConstant({}, {static_cast<double>(ElementCount(node.InputShape(0)))},
                                     DataType::kInt64));
}

void Constant(OnnxNode& node) {
  if (const auto* a = node.Find("value")) {
    const onnx::TensorProto& t = a->t();
    const DataType type = OnnxDataType(t.data_type(), node.Name());
    const Shape shape(t.dims().begin(), t.dims().end());
    std::vector<double> values;
    if (TensorValues(t, &values)) {
      node.SetOutput(0, node.AddConstant(shape, std::move(values), type));
    } else {
      node.SetOutput(0, node.graph().AddTensor({node.Name(), shape, type, Role::kWeight, nullptr}));
    }
    return;
  }
  std::vector<double> values;
  DataType type = DataType::kFp32;
  bool scalar = false;
  for (const auto& a : node.proto().attribute()) {
    scalar = a.name() == "value_float" || a.name() == "value_int";
    if (a.name() == "value_float") values.push_back(static_cast<double>(a.f()));
    if (a.name() == "value_int") values.push_back(static_cast<double>(a.i()));
    for (const float v : a.floats()) values.push_back(static_cast<double>(v));
    for (const std::int64_t v : a.ints()) values.push_back(static_cast<double>(v));
    if (a.name() == "value_int" || a.name() == "value_ints") type = DataType::kInt64;
    if (a.name() == "sparse_value" || a.name().rfind("value_string", 0) == 0) {
      throw UnsupportedNode("a sparse or text constant");
    }
  }
  const Shape shape = scalar ? Shape{} : Shape{static_cast<std::int64_t>(values.size())};
  node.SetOutput(0, node.AddConstant(shape, std::move(values), type));
}

void ConstantOfShape(OnnxNode& node) {
  const Shape shape = node.KnownInts(0);
  double value = 0;
  DataType type = DataType::kFp32;
  if (const auto* a = node.Find("value")) {
    type = OnnxDataType(a->t().data_type(), node.Name());
    std::vector<double> values;
    if (TensorValues(a->t(), &values) && !values.empty()) value = values.front();
  }
  for (const std::int64_t d : shape) {
    if (d < 0 || d > (std::int64_t{1} << 40)) throw UnsupportedNode("a shape without sense");
  }
  const std::int64_t count = ElementCount(shape);
  if (count <= kLargestKnownConstant) {
    node.SetOutput(
        0,
        node.AddConstant(shape, std::vector<double>(static_cast<std::size_t>(count), value), type));
  } else {
    node.SetOutput(0, node.graph().AddTensor({node.Name(), shape, type, Role::kWeight, nullptr}));
  }
}

void RangeOf(OnnxNode& node) {
  const auto start = node.Known(0), limit = node.Known(1), delta = node.Known(2);
  if (!start || !limit || !delta || start->empty() || limit->empty() || delta->empty() ||
      delta->front() == 0) {
    throw UnsupportedNode("a range that depends on the data");
  }
  const double count = std::ceil((limit->front() - start->front()) / delta->front());
  if (!(count <= static_cast<double>(kLargestKnownConstant))) {
    throw UnsupportedNode("a range of more than 65536 values");
  }
  std::vector<double> values;
  for (double i = 0; i < count; ++i) values.push_back(start->front() + i * delta->front());
  const Shape shape = {static_cast<std::int64_t>(values.size())};
  node.SetOutput(0, node.AddConstant(shape, std::move(values), node.InputType(0)));
}

bool RegisterAll() {
  auto& r = OnnxRegistry::Instance();
  r.Add("Reshape", &Reshape);
  r.Add("Flatten", &Flatten);
  r.Add("Squeeze", &Squeeze);
  r.Add("Unsqueeze", &Unsqueeze);
  r.Add("Transpose", &Transpose);
  r.Add("Concat", &Concat);
  r.Add("Slice", &Slice);
  r.Add("Split", &Split);
  r.Add("Pad", &Pad);
  r.Add("Expand", &Expand);
  r.Add("Tile", &Tile);
  r.Add("Resize", &Resize);
  r.Add("Upsample", &Resize);
  r.Add("DepthToSpace", &DepthToSpace);
  r.Add("SpaceToDepth", &DepthToSpace);
  r.Add("Gather", &Gather);
  r.Add("Shape", &ShapeOf);
  r.Add("Size", &Size);
  r.Add("Constant", &Constant);
  r.Add("ConstantOfShape", &ConstantOfShape);
  r.Add("Range", &RangeOf);
  return true;
}
const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
