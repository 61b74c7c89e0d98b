// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/operator_infos.h"

#include <algorithm>

namespace siliscope {
namespace {

std::string ShapesText(const Graph& graph, const Operator& op) {
  std::string text;
  for (const TensorId t : op.inputs) {
    if (t != kNoTensor) text += (text.empty() ? "" : ", ") + ShapeText(graph.tensor(t).shape);
  }
  return text + " -> " + ShapeText(graph.tensor(op.outputs.front()).shape);
}

}  // namespace

std::vector<OperatorInfo> OperatorInfosOf(const Graph& graph, const TensorBytesFunction& bytes) {
  std::vector<OperatorInfo> infos;
  const GraphUses uses(graph);
  for (const Operator& op : graph.operators) {
    OperatorInfo info;
    info.name = op.name;
    info.kind = op.kind;
    info.call = op.Text("function", op.kind);
    info.source_nodes = op.source_nodes;
    info.shape = ShapesText(graph, op);
    info.macs = OperatorMacs(graph, op);
    info.nominal_flops = OperatorFlops(graph, op);
    std::vector<TensorId> reads = op.inputs;
    for (const EpilogueStep& step : op.epilogue) reads.push_back(step.operand);
    for (const TensorId t : reads) {
      if (t == kNoTensor) continue;
      // Of a table only the rows that are taken are read.
      const bool table = op.kind == "gather" && t == op.inputs[0];
      const std::int64_t read = table ? std::min(bytes(t), bytes(op.outputs[0])) : bytes(t);
      (graph.tensor(t).role == Role::kWeight ? info.weight_bytes : info.input_bytes) += read;
      const int producer = uses.producer[static_cast<std::size_t>(t)];
      if (producer < 0) continue;
      const auto id = static_cast<std::uint32_t>(producer);
      if (std::find(info.producers.begin(), info.producers.end(), id) == info.producers.end()) {
        info.producers.push_back(id);
      }
    }
    for (const TensorId t : op.outputs) info.output_bytes += bytes(t);
    infos.push_back(std::move(info));
  }
  return infos;
}

std::int64_t CompulsoryBytesOf(const Graph& graph, const TensorBytesFunction& bytes,
                               std::int64_t invocations) {
  std::int64_t sum = 0;
  std::vector<std::int64_t> weights(graph.tensors.size(), 0);
  for (const Operator& op : graph.operators) {
    for (const TensorId t : op.inputs) {
      if (t == kNoTensor || graph.tensor(t).role != Role::kWeight) continue;
      const std::int64_t most = op.kind == "gather" ? bytes(op.outputs[0]) : bytes(t);
      std::int64_t& read = weights[static_cast<std::size_t>(t)];
      read = std::min(bytes(t), read + most);
    }
  }
  for (const std::int64_t read : weights) sum += read;
  for (const std::vector<TensorId>* ends : {&graph.inputs, &graph.outputs}) {
    for (const TensorId t : *ends) sum += invocations * bytes(t);
  }
  return sum;
}

}  // namespace siliscope
