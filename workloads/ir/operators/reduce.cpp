// SPDX-License-Identifier: Apache-2.0
// reduce over axes (attribute `function`: sum, mean, max, min, prod, sum_square, l1, l2, log_sum,
// log_sum_exp; `axes`, `keepdims`), and softmax over one axis (`log` = 1: log softmax).
#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<bool> ReducedAxes(const Operator& op, std::size_t rank) {
  std::vector<bool> reduced(rank, false);
  const std::vector<std::int64_t> axes = op.Ints("axes");
  for (const std::int64_t axis : axes) reduced[static_cast<std::size_t>(Axis(axis, rank))] = true;
  if (axes.empty()) reduced.assign(rank, true);
  return reduced;
}

Shape ReducedShape(const Operator& op, const Shape& x) {
  const std::vector<bool> reduced = ReducedAxes(op, x.size());
  Shape y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!reduced[i]) {
      y.push_back(x[i]);
    } else if (op.Int("keepdims", 1) != 0) {
      y.push_back(1);
    }
  }
  return y;
}

std::vector<Shape> InferReduce(const Graph& graph, const Operator& op) {
  return {ReducedShape(op, InputShape(graph, op, 0))};
}

double InputElements(const Graph& graph, const Operator& op) {
  return static_cast<double>(graph.tensor(op.inputs.front()).elements());
}

double Finish(const std::string& function, double sum, double count) {
  if (function == "mean") return sum / count;
  if (function == "l2") return std::sqrt(sum);
  if (function == "log_sum" || function == "log_sum_exp") return std::log(sum);
  return sum;
}

double Combine(const std::string& function, double sum, double x) {
  if (function == "max") return std::max(sum, x);
  if (function == "min") return std::min(sum, x);
  if (function == "prod") return sum * x;
  if (function == "l1") return sum + std::fabs(x);
  if (function == "l2" || function == "sum_square") return sum + x * x;
  if (function == "log_sum_exp") return sum + std::exp(x);
  return sum + x;
}

std::vector<Value> EvaluateReduce(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value& x = *inputs[0];
  const std::string function = op.Text("function", "sum");
  const std::vector<bool> reduced = ReducedAxes(op, x.shape.size());
  Shape kept;  // the result's shape with ones where axes are gone
  for (std::size_t i = 0; i < x.shape.size(); ++i) kept.push_back(reduced[i] ? 1 : x.shape[i]);
  const double start = function == "max"    ? -std::numeric_limits<double>::infinity()
                       : function == "min"  ? std::numeric_limits<double>::infinity()
                       : function == "prod" ? 1
                                            : 0;
  Value y{ReducedShape(op, x.shape), {}};
  y.data.assign(static_cast<std::size_t>(ElementCount(kept)), start);
  const std::vector<std::int64_t> strides = Strides(kept);
  for (std::int64_t i = 0; i < ElementCount(x.shape); ++i) {
    std::int64_t rest = i, at = 0;
    for (std::size_t d = x.shape.size(); d-- > 0;) {
      if (!reduced[d]) at += rest % x.shape[d] * strides[d];
      rest /= x.shape[d];
    }
    double& sum = y.data[static_cast<std::size_t>(at)];
    sum = Combine(function, sum, x.data[static_cast<std::size_t>(i)]);
  }
  const double count = static_cast<double>(ElementCount(x.shape)) /
                       static_cast<double>(std::max<std::size_t>(y.data.size(), 1));
  for (double& value : y.data) value = Finish(function, value, count);
  return {y};
}

std::vector<Shape> InferSoftmax(const Graph& graph, const Operator& op) {
  const Shape& x = InputShape(graph, op, 0);
  Axis(op.Int("axis", -1), x.size());
  return {x};
}

double SoftmaxOperations(const Graph& graph, const Operator& op) {
  return 5 * InputElements(graph, op);  // maximum, subtraction, exponential, sum, division
}

std::vector<Value> EvaluateSoftmax(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value& x = *inputs[0];
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", -1), x.shape.size()));
  const std::int64_t length = x.shape.empty() ? 1 : x.shape[axis];
  const std::int64_t stride = x.shape.empty() ? 1 : Strides(x.shape)[axis];
  Value y = x;
  for (std::int64_t i = 0; i < ElementCount(x.shape); ++i) {
    if (i / stride % length != 0) continue;
    const auto at = [&](std::int64_t j) { return static_cast<std::size_t>(i + j * stride); };
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t j = 0; j < length; ++j) top = std::max(top, x.data[at(j)]);
    for (std::int64_t j = 0; j < length; ++j) sum += std::exp(x.data[at(j)] - top);
    for (std::int64_t j = 0; j < length; ++j) {
      const double shifted = x.data[at(j)] - top;
      y.data[at(j)] = op.Int("log", 0) != 0 ? shifted - std::log(sum) : std::exp(shifted) / sum;
    }
  }
  return {y};
}

const bool kReduce = OperatorRegistry::Instance().Add(
    "reduce", {"sum, mean, maximum, ... over axes (x)", &InferReduce, nullptr, &InputElements,
               &EvaluateReduce});
const bool kSoftmax = OperatorRegistry::Instance().Add(
    "softmax",
    {"softmax over one axis (x)", &InferSoftmax, nullptr, &SoftmaxOperations, &EvaluateSoftmax});

}  // namespace
}  // namespace siliscope
