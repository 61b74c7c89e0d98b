// SPDX-License-Identifier: Apache-2.0
#include "workloads/ir/interpreter.h"

#include <algorithm>

#include "sim/core/error.h"
#include "workloads/ir/elementwise_function.h"

namespace siliscope {

std::vector<Value> EvaluateOperator(const Operator& op, const std::vector<const Value*>& inputs,
                                    const std::vector<const Value*>& epilogue_operands) {
  const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
  std::vector<Value> outputs = kind.evaluate(op, inputs);
  const OperatorKind& elementwise = OperatorRegistry::Instance().Get("operator", "elementwise");
  for (std::size_t i = 0; i < op.epilogue.size(); ++i) {
    Operator step;
    step.name = op.name;
    step.attributes = op.epilogue[i].attributes;
    step.attributes["function"] = op.epilogue[i].function;
    std::vector<const Value*> operands = {&outputs[0]};
    if (epilogue_operands[i] != nullptr) operands.push_back(epilogue_operands[i]);
    if (step.Int("reversed", 0) != 0 && operands.size() == 2) std::swap(operands[0], operands[1]);
    outputs[0] = elementwise.evaluate(step, operands)[0];
  }
  return outputs;
}

std::vector<Value> Interpret(const Graph& graph, const std::map<TensorId, Value>& feeds) {
  std::vector<Value> values(graph.tensors.size());
  std::vector<bool> known(graph.tensors.size(), false);
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    if (graph.tensors[t].values != nullptr) {
      values[t] = {graph.tensors[t].shape, *graph.tensors[t].values};
      known[t] = true;
    }
  }
  for (const auto& [tensor, value] : feeds) {
    values[static_cast<std::size_t>(tensor)] = value;
    known[static_cast<std::size_t>(tensor)] = true;
  }
  const auto read = [&](TensorId t, const Operator& op) -> const Value* {
    if (t == kNoTensor) return nullptr;
    if (!known[static_cast<std::size_t>(t)]) {
      throw UserError(op.name + ": no value for " + graph.tensor(t).name);
    }
    return &values[static_cast<std::size_t>(t)];
  };
  for (const Operator& op : graph.operators) {
    std::vector<const Value*> inputs, epilogue;
    for (const TensorId t : op.inputs) inputs.push_back(read(t, op));
    for (const EpilogueStep& step : op.epilogue) epilogue.push_back(read(step.operand, op));
    std::vector<Value> outputs = EvaluateOperator(op, inputs, epilogue);
    for (std::size_t i = 0; i < op.outputs.size(); ++i) {
      values[static_cast<std::size_t>(op.outputs[i])] = std::move(outputs[i]);
      known[static_cast<std::size_t>(op.outputs[i])] = true;
    }
  }
  std::vector<Value> results;
  for (const TensorId t : graph.outputs) results.push_back(values[static_cast<std::size_t>(t)]);
  return results;
}

std::map<TensorId, Value> RandomFeeds(const Graph& graph, std::uint64_t seed) {
  const GraphUses uses(graph);
  std::map<TensorId, Value> feeds;
  std::uint64_t state = seed * 2 + 1;
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    const Tensor& tensor = graph.tensors[t];
    if (uses.producer[t] >= 0 || tensor.values != nullptr) continue;
    Value value{tensor.shape, {}};
    for (std::int64_t i = 0; i < tensor.elements(); ++i) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const double unit = static_cast<double>(state >> 11) / 9007199254740992.0;
      value.data.push_back(IsFloat(tensor.dtype) ? 2 * unit - 1 : 0);
    }
    feeds[static_cast<TensorId>(t)] = std::move(value);
  }
  return feeds;
}

}  // namespace siliscope
