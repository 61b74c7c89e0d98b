// SPDX-License-Identifier: Apache-2.0
#include "workloads/ir/graph.h"

#include <algorithm>
#include <utility>

#include "sim/core/error.h"
#include "workloads/ir/elementwise_function.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

template <typename T>
T AttributeOr(const Operator& op, const std::string& key, T otherwise) {
  const auto it = op.attributes.find(key);
  if (it == op.attributes.end()) return otherwise;
  if (const T* value = std::get_if<T>(&it->second)) return *value;
  throw UserError(op.name + ": attribute " + key + " has another type than expected");
}

}  // namespace

std::int64_t ElementCount(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t d : shape) count *= d;
  return count;
}

std::string ShapeText(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (const std::int64_t d : shape) text += (text.empty() ? "" : "x") + std::to_string(d);
  return text;
}

std::int64_t Operator::Int(const std::string& key, std::int64_t otherwise) const {
  return AttributeOr(*this, key, otherwise);
}
double Operator::Real(const std::string& key, double otherwise) const {
  return AttributeOr(*this, key, otherwise);
}
std::string Operator::Text(const std::string& key, const std::string& otherwise) const {
  return AttributeOr(*this, key, otherwise);
}
std::vector<std::int64_t> Operator::Ints(const std::string& key,
                                         std::vector<std::int64_t> otherwise) const {
  return AttributeOr(*this, key, std::move(otherwise));
}

TensorId Graph::AddTensor(Tensor tensor) {
  constexpr std::int64_t kLargest = std::int64_t{1} << 40;  // no chip holds more elements
  std::int64_t count = 1;
  for (const std::int64_t d : tensor.shape) {
    if (d < 0 || d > kLargest || (count *= std::max<std::int64_t>(d, 1)) > kLargest) {
      throw UserError(tensor.name + ": a shape without sense, " + ShapeText(tensor.shape));
    }
  }
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size()) - 1;
}

TensorId Graph::AddOperator(Operator op, DataType dtype) {
  const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
  const std::vector<Shape> shapes = kind.infer(*this, op);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::string suffix = i == 0 ? "" : "." + std::to_string(i);
    op.outputs.push_back(
        AddTensor({op.name + suffix, shapes[i], dtype, Role::kActivation, nullptr}));
  }
  operators.push_back(std::move(op));
  return operators.back().outputs.front();
}

GraphUses::GraphUses(const Graph& graph)
    : producer(graph.tensors.size(), -1),
      consumers(graph.tensors.size()),
      is_output(graph.tensors.size(), false) {
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const Operator& op = graph.operators[i];
    for (const TensorId t : op.outputs) {
      if (t != kNoTensor) producer[static_cast<std::size_t>(t)] = static_cast<int>(i);
    }
    for (const TensorId t : op.inputs) {
      if (t != kNoTensor) consumers[static_cast<std::size_t>(t)].push_back(static_cast<int>(i));
    }
    for (const EpilogueStep& step : op.epilogue) {
      if (step.operand != kNoTensor) {
        consumers[static_cast<std::size_t>(step.operand)].push_back(static_cast<int>(i));
      }
    }
  }
  for (const TensorId t : graph.outputs) is_output[static_cast<std::size_t>(t)] = true;
}

void VerifyGraph(const Graph& graph) {
  const auto count = static_cast<TensorId>(graph.tensors.size());
  std::vector<bool> defined(graph.tensors.size(), false);
  std::vector<bool> produced(graph.tensors.size(), false);
  for (const Operator& op : graph.operators) {
    for (const TensorId t : op.outputs) {
      if (t < 0 || t >= count) throw InternalError(op.name + ": writes an unknown tensor");
      if (produced[static_cast<std::size_t>(t)]) {
        throw InternalError(op.name + ": writes " + graph.tensor(t).name + " a second time");
      }
      produced[static_cast<std::size_t>(t)] = true;
    }
  }
  for (std::size_t t = 0; t < defined.size(); ++t) defined[t] = !produced[t];
  for (const Operator& op : graph.operators) {
    std::vector<TensorId> reads = op.inputs;
    for (const EpilogueStep& step : op.epilogue) reads.push_back(step.operand);
    for (const TensorId t : reads) {
      if (t == kNoTensor) continue;
      if (t < 0 || t >= count) throw InternalError(op.name + ": reads an unknown tensor");
      if (!defined[static_cast<std::size_t>(t)]) {
        throw InternalError(op.name + ": reads " + graph.tensor(t).name + " before it is written");
      }
    }
    const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
    const std::vector<Shape> shapes = kind.infer(graph, op);
    if (shapes.size() < op.outputs.size()) {
      throw InternalError(op.name + ": has more outputs than its kind");
    }
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
      const Tensor& output = graph.tensor(op.outputs[i]);
      if (output.shape != shapes[i]) {
        throw InternalError(op.name + ": " + output.name + " is " + ShapeText(output.shape) +
                            ", but " + ShapeText(shapes[i]) + " follows from the inputs");
      }
      defined[static_cast<std::size_t>(op.outputs[i])] = true;
    }
  }
}

double OperatorMacs(const Graph& graph, const Operator& op) {
  const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
  return kind.macs == nullptr ? 0 : kind.macs(graph, op);
}

double OperatorFlops(const Graph& graph, const Operator& op) {
  const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
  double flops = 2 * OperatorMacs(graph, op);
  if (kind.operations != nullptr) flops += kind.operations(graph, op);
  const double elements = static_cast<double>(graph.tensor(op.outputs.front()).elements());
  for (const EpilogueStep& step : op.epilogue) {
    flops += elements * FunctionOperations(step.function);
  }
  return flops;
}

double GraphMacs(const Graph& graph) {
  double sum = 0;
  for (const Operator& op : graph.operators) sum += OperatorMacs(graph, op);
  return sum;
}

}  // namespace siliscope
