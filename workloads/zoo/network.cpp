// SPDX-License-Identifier: Apache-2.0
#include "workloads/zoo/network.h"

namespace siliscope {

TensorId NetworkBuilder::Input(const std::string& name, const Shape& shape) {
  const TensorId id = graph_.AddTensor({name, shape, DataType::kFp32, Role::kActivation, nullptr});
  graph_.inputs.push_back(id);
  return id;
}

TensorId NetworkBuilder::State(const std::string& name, const Shape& shape) {
  const TensorId id = Input(name, shape);
  graph_.tensor(id).role = Role::kState;
  return id;
}

TensorId NetworkBuilder::Weight(const std::string& name, const Shape& shape) {
  return graph_.AddTensor({name, shape, DataType::kFp32, Role::kWeight, nullptr});
}

TensorId NetworkBuilder::FullyConnected(const std::string& name, TensorId x, std::int64_t out,
                                        const std::string& function) {
  Operator op;
  op.name = name;
  op.kind = "matmul";
  op.inputs = {x, Weight(name + ".weight", {ShapeOf(x).back(), out})};
  const TensorId y = graph_.AddOperator(std::move(op), DataType::kFp32);
  return function.empty() ? y : Function(name + "." + function, function, {y});
}

TensorId NetworkBuilder::Replicated(const std::string& name, TensorId x, std::int64_t out) {
  const TensorId y = FullyConnected(name, x, out, "");
  graph_.operators.back().attributes["replicated"] = std::int64_t{1};
  return y;
}

TensorId NetworkBuilder::Experts(const std::string& name, TensorId x, std::int64_t out,
                                 const std::string& function) {
  Operator op;
  op.name = name;
  op.kind = "matmul";
  op.inputs = {x, Weight(name + ".weight", {ShapeOf(x).front(), ShapeOf(x).back(), out})};
  const TensorId y = graph_.AddOperator(std::move(op), DataType::kFp32);
  return function.empty() ? y : Function(name + "." + function, function, {y});
}

TensorId NetworkBuilder::Gather(const std::string& name, TensorId x, const Shape& indices) {
  const TensorId rows =
      graph_.AddTensor({name + ".indices", indices, DataType::kInt32, Role::kState, nullptr});
  graph_.inputs.push_back(rows);
  Operator op;
  op.name = name;
  op.kind = "gather";
  op.inputs = {x, rows};
  op.attributes["axis"] = std::int64_t{0};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Softmax(const std::string& name, TensorId x) {
  Operator op;
  op.name = name;
  op.kind = "softmax";
  op.inputs = {x};
  op.attributes["axis"] = std::int64_t{-1};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Reduce(const std::string& name, const std::string& function, TensorId x,
                                std::int64_t axis) {
  Operator op;
  op.name = name;
  op.kind = "reduce";
  op.inputs = {x};
  op.attributes["function"] = function;
  op.attributes["axes"] = Shape{axis};
  op.attributes["keepdims"] = std::int64_t{0};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Conv(const std::string& name, TensorId x, std::int64_t out_channels,
                              std::int64_t kernel, std::int64_t stride,
                              const std::string& function) {
  Operator op;
  op.name = name;
  op.kind = "conv";
  op.inputs = {x, Weight(name + ".weight", {out_channels, ShapeOf(x)[1], kernel, kernel})};
  const std::int64_t pad = kernel / 2;
  op.attributes["pads"] = Shape{pad, pad, pad, pad};
  op.attributes["strides"] = Shape{stride, stride};
  const TensorId y = graph_.AddOperator(std::move(op), DataType::kFp32);
  return function.empty() ? y : Function(name + "." + function, function, {y});
}

TensorId NetworkBuilder::Pool(const std::string& name, TensorId x, std::int64_t kernel,
                              std::int64_t stride) {
  Operator op;
  op.name = name;
  op.kind = "pool";
  op.inputs = {x};
  op.attributes["kernel"] = Shape{kernel, kernel};
  op.attributes["strides"] = Shape{stride, stride};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Function(const std::string& name, const std::string& function,
                                  std::vector<TensorId> inputs) {
  Operator op;
  op.name = name;
  op.kind = "elementwise";
  op.attributes["function"] = function;
  op.inputs = std::move(inputs);
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Reshape(const std::string& name, TensorId x, const Shape& shape) {
  Operator op;
  op.name = name;
  op.kind = "reshape";
  op.inputs = {x};
  op.attributes["shape"] = shape;
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Transpose(const std::string& name, TensorId x, const Shape& order) {
  Operator op;
  op.name = name;
  op.kind = "transpose";
  op.inputs = {x};
  op.attributes["perm"] = order;
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Rotary(const std::string& name, TensorId x, TensorId cosine,
                                TensorId sine) {
  Operator op;
  op.name = name;
  op.kind = "rotary";
  op.inputs = {x, cosine, sine};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Concat(const std::string& name, std::vector<TensorId> inputs,
                                std::int64_t axis) {
  Operator op;
  op.name = name;
  op.kind = "concat";
  op.inputs = std::move(inputs);
  op.attributes["axis"] = axis;
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::LayerNorm(const std::string& name, TensorId x) {
  Operator op;
  op.name = name;
  op.kind = "layer_norm";
  const Shape row = {ShapeOf(x).back()};
  op.inputs = {x, Weight(name + ".scale", row), Weight(name + ".bias", row)};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::RmsNorm(const std::string& name, TensorId x) {
  Operator op;
  op.name = name;
  op.kind = "rms_norm";
  op.inputs = {x, Weight(name + ".scale", {ShapeOf(x).back()})};
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

TensorId NetworkBuilder::Attention(const std::string& name, TensorId q, TensorId k, TensorId v,
                                   double scale) {
  Operator op;
  op.name = name;
  op.kind = "attention";
  op.inputs = {q, k, v};
  op.attributes["scale"] = scale;
  return graph_.AddOperator(std::move(op), DataType::kFp32);
}

Graph NetworkBuilder::Finish(TensorId output) {
  graph_.outputs = {output};
  return std::move(graph_);
}

}  // namespace siliscope
