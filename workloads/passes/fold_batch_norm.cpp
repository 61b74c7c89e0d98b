// SPDX-License-Identifier: Apache-2.0
// A batch normalisation right after a convolution scales and shifts its output channels: it becomes
// part of the weights and bias. Values are folded where they are known; otherwise new weights
// without values take their place.
#include <cmath>

#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

std::shared_ptr<const std::vector<double>> Known(const Graph& graph, TensorId t) {
  return t == kNoTensor ? nullptr : graph.tensor(t).values;
}

/// The scale a channel gets; null where the statistics are not known.
std::shared_ptr<std::vector<double>> ChannelScale(const Graph& graph, const Operator& norm) {
  const auto scale = Known(graph, norm.inputs[1]), variance = Known(graph, norm.inputs[4]);
  if (scale == nullptr || variance == nullptr) return nullptr;
  auto result = std::make_shared<std::vector<double>>();
  for (std::size_t c = 0; c < scale->size(); ++c) {
    result->push_back((*scale)[c] / std::sqrt((*variance)[c] + norm.Real("epsilon", 1e-5)));
  }
  return result;
}

TensorId FoldedWeight(Graph* graph, TensorId weight,
                      const std::shared_ptr<std::vector<double>>& scale) {
  Tensor folded = graph->tensor(weight);
  folded.name += ".folded";
  if (folded.values != nullptr && scale != nullptr) {
    std::vector<double> values = *folded.values;
    const std::size_t row = values.size() / scale->size();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= (*scale)[i / row];
    folded.values = std::make_shared<const std::vector<double>>(std::move(values));
  } else {
    folded.values = nullptr;
  }
  return graph->AddTensor(std::move(folded));
}

TensorId FoldedBias(Graph* graph, const Operator& conv, const Operator& norm,
                    const std::shared_ptr<std::vector<double>>& scale) {
  Tensor folded = graph->tensor(norm.inputs[2]);
  folded.name += ".folded";
  const auto shift = Known(*graph, norm.inputs[2]), mean = Known(*graph, norm.inputs[3]);
  const bool has_bias = conv.inputs.size() > 2 && conv.inputs[2] != kNoTensor;
  const auto bias = has_bias ? Known(*graph, conv.inputs[2]) : nullptr;
  folded.values = nullptr;
  if (scale != nullptr && shift != nullptr && mean != nullptr && (!has_bias || bias != nullptr)) {
    std::vector<double> values;
    for (std::size_t c = 0; c < scale->size(); ++c) {
      values.push_back(((bias != nullptr ? (*bias)[c] : 0) - (*mean)[c]) * (*scale)[c] +
                       (*shift)[c]);
    }
    folded.values = std::make_shared<const std::vector<double>>(std::move(values));
  }
  return graph->AddTensor(std::move(folded));
}

}  // namespace

void FoldBatchNorm(Graph* graph) {
  Pattern pattern(graph);
  const std::size_t count = graph->operators.size();
  for (std::size_t i = 0; i < count; ++i) {
    const Operator& norm = graph->operators[i];
    if (norm.kind != "batch_norm") continue;
    const Operator* conv = pattern.MadeOnce(norm.inputs[0], "conv");
    if (conv == nullptr) continue;
    Operator folded = *conv;
    const auto scale = ChannelScale(*graph, norm);
    const TensorId bias = FoldedBias(graph, *conv, norm, scale);
    folded.inputs = {conv->inputs[0], FoldedWeight(graph, conv->inputs[1], scale), bias};
    folded.source_nodes = SourcesOf({conv, &norm});
    pattern.Replace(norm.outputs[0], std::move(folded), {conv});
  }
  pattern.Apply();
}

}  // namespace siliscope
