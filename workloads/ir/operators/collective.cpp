// SPDX-License-Identifier: Apache-2.0
// all_reduce (x): the sum over ranks of tensors alike. all_gather (x): the parts of `ranks` ranks
// joined along `axis`. A graph is what one rank runs; the interpreter, which knows one rank only,
// takes the others' tensors to be the same as its own.
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<Shape> InferReduce(const Graph& graph, const Operator& op) {
  return {InputShape(graph, op, 0)};
}

std::vector<Shape> InferGather(const Graph& graph, const Operator& op) {
  Shape shape = InputShape(graph, op, 0);
  shape[static_cast<std::size_t>(Axis(op.Int("axis", 0), shape.size()))] *= op.Int("ranks", 1);
  return {shape};
}

std::vector<Value> EvaluateReduce(const Operator& op, const std::vector<const Value*>& inputs) {
  Value sum = *inputs.front();
  for (double& v : sum.data) v *= static_cast<double>(op.Int("ranks", 1));
  return {sum};
}

auto& registry = OperatorRegistry::Instance();
const bool kAllReduce = registry.Add(
    "all_reduce", {"the sum over ranks (x)", &InferReduce, nullptr, nullptr, &EvaluateReduce});
const bool kAllGather = registry.Add(
    "all_gather",
    {"the parts of all ranks, joined along an axis (x)", &InferGather, nullptr, nullptr, nullptr});

}  // namespace
}  // namespace siliscope
