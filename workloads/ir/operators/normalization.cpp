// SPDX-License-Identifier: Apache-2.0
// layer_norm and rms_norm over the axes from `axis` on (x, scale, bias); batch_norm per channel
// (x, scale, bias, mean, variance); instance_norm per image and channel (x, scale, bias); lrn
// across channels (x).
#include <algorithm>
#include <cmath>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<Shape> SameShape(const Graph& graph, const Operator& op) {
  return {InputShape(graph, op, 0)};
}

double TimesElements(const Graph& graph, const Operator& op, double operations) {
  return operations * static_cast<double>(graph.tensor(op.inputs.front()).elements());
}
double LayerNormOperations(const Graph& graph, const Operator& op) {
  return TimesElements(graph, op, 8);
}
double RmsNormOperations(const Graph& graph, const Operator& op) {
  return TimesElements(graph, op, 4);
}
double BatchNormOperations(const Graph& graph, const Operator& op) {
  return TimesElements(graph, op, 2);
}
double LrnOperations(const Graph& graph, const Operator& op) {
  return TimesElements(graph, op, 5 + static_cast<double>(op.Int("size", 1)));
}

/// Normalises each run of `length` elements: subtracts the mean (unless rms), divides by the
/// deviation.
void NormaliseRuns(std::vector<double>* data, std::int64_t length, double epsilon, bool rms) {
  for (std::size_t begin = 0; begin < data->size(); begin += static_cast<std::size_t>(length)) {
    double mean = 0, square = 0;
    double* run = data->data() + begin;
    for (std::int64_t i = 0; i < length; ++i) mean += run[i];
    mean = rms ? 0 : mean / static_cast<double>(length);
    for (std::int64_t i = 0; i < length; ++i) square += (run[i] - mean) * (run[i] - mean);
    const double deviation = std::sqrt(square / static_cast<double>(length) + epsilon);
    for (std::int64_t i = 0; i < length; ++i) run[i] = (run[i] - mean) / deviation;
  }
}

std::vector<Value> EvaluateRows(const Operator& op, const std::vector<const Value*>& inputs,
                                bool rms) {
  Value y = *inputs[0];
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", -1), y.shape.size()));
  const Shape row(y.shape.begin() + static_cast<std::ptrdiff_t>(axis), y.shape.end());
  const std::int64_t length = ElementCount(row);
  NormaliseRuns(&y.data, length, op.Real("epsilon", 1e-5), rms);
  for (std::size_t i = 0; i < y.data.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i) % length;
    if (inputs.size() > 1 && inputs[1] != nullptr) y.data[i] *= BroadcastAt(*inputs[1], row, at);
    if (inputs.size() > 2 && inputs[2] != nullptr) y.data[i] += BroadcastAt(*inputs[2], row, at);
  }
  return {y};
}

std::vector<Value> EvaluateLayerNorm(const Operator& op, const std::vector<const Value*>& inputs) {
  return EvaluateRows(op, inputs, false);
}
std::vector<Value> EvaluateRmsNorm(const Operator& op, const std::vector<const Value*>& inputs) {
  return EvaluateRows(op, inputs, true);
}

std::size_t ChannelOf(const Shape& shape, std::size_t index) {
  const auto plane = static_cast<std::size_t>(
      shape.size() > 2 ? ElementCount(Shape(shape.begin() + 2, shape.end())) : 1);
  return index / plane % static_cast<std::size_t>(shape[1]);
}

std::vector<Value> EvaluateBatchNorm(const Operator& op, const std::vector<const Value*>& inputs) {
  Value y = *inputs[0];
  for (std::size_t i = 0; i < y.data.size(); ++i) {
    const std::size_t c = ChannelOf(y.shape, i);
    const double deviation = std::sqrt(inputs[4]->data[c] + op.Real("epsilon", 1e-5));
    y.data[i] =
        (y.data[i] - inputs[3]->data[c]) / deviation * inputs[1]->data[c] + inputs[2]->data[c];
  }
  return {y};
}

std::vector<Value> EvaluateInstanceNorm(const Operator& op,
                                        const std::vector<const Value*>& inputs) {
  Value y = *inputs[0];
  NormaliseRuns(&y.data, ElementCount(Shape(y.shape.begin() + 2, y.shape.end())),
                op.Real("epsilon", 1e-5), false);
  for (std::size_t i = 0; i < y.data.size(); ++i) {
    const std::size_t c = ChannelOf(y.shape, i);
    y.data[i] = y.data[i] * inputs[1]->data[c] + inputs[2]->data[c];
  }
  return {y};
}

std::vector<Value> EvaluateLrn(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value& x = *inputs[0];
  Value y = x;
  const std::int64_t size = op.Int("size", 1), channels = x.shape[1];
  const std::int64_t plane = ElementCount(Shape(x.shape.begin() + 2, x.shape.end()));
  for (std::int64_t i = 0; i < ElementCount(x.shape); ++i) {
    const std::int64_t c = i / plane % channels;
    double square = 0;
    for (std::int64_t j = std::max<std::int64_t>(0, c - (size - 1) / 2);
         j <= std::min(channels - 1, c + size / 2); ++j) {
      const double value = x.data[static_cast<std::size_t>(i + (j - c) * plane)];
      square += value * value;
    }
    y.data[static_cast<std::size_t>(i)] /=
        std::pow(op.Real("bias", 1.0) + op.Real("alpha", 1e-4) / static_cast<double>(size) * square,
                 op.Real("beta", 0.75));
  }
  return {y};
}

auto& registry = OperatorRegistry::Instance();
const bool kLayerNorm =
    registry.Add("layer_norm", {"layer normalisation (x, scale, bias)", &SameShape, nullptr,
                                &LayerNormOperations, &EvaluateLayerNorm});
const bool kRmsNorm =
    registry.Add("rms_norm", {"root mean square normalisation (x, scale)", &SameShape, nullptr,
                              &RmsNormOperations, &EvaluateRmsNorm});
const bool kBatchNorm = registry.Add(
    "batch_norm", {"batch normalisation with known statistics (x, scale, bias, mean, variance)",
                   &SameShape, nullptr, &BatchNormOperations, &EvaluateBatchNorm});
const bool kInstanceNorm =
    registry.Add("instance_norm", {"instance normalisation (x, scale, bias)", &SameShape, nullptr,
                                   &LayerNormOperations, &EvaluateInstanceNorm});
const bool kLrn = registry.Add(
    "lrn", {"local response normalisation (x)", &SameShape, nullptr, &LrnOperations, &EvaluateLrn});

}  // namespace
}  // namespace siliscope
