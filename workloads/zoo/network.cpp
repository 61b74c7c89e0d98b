// SPDX-License-Identifier: Apache-2.0
#include "workloads/zoo/network.h"

namespace siliscope {

TensorId NetworkBuilder::Input(const std::string& name, const Shape& shape) {
  const TensorId id = graph_.AddTensor({name, shape, DataType::kFp32, Role::kActivation, nullptr});
  graph_.inputs.push_back(id);
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

Graph NetworkBuilder::Finish(TensorId output) {
  graph_.outputs = {output};
  return std::move(graph_);
}

}  // namespace siliscope
