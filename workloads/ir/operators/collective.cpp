// SPDX-License-Identifier: Apache-2.0
// What `ranks` ranks exchange. all_reduce (x): the sum of tensors alike. all_gather (x): the parts
// joined along `axis`. reduce_scatter (x): the sum's part along `axis`. all_to_all (x): a part of
// `split_axis` to each, joined along `join_axis`. A graph is what one rank runs; the interpreter,
// which knows one rank only, takes the others' tensors to be the same as its own.
#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::int64_t& LengthOf(Shape& shape, const Operator& op, const char* key) {
  return shape[static_cast<std::size_t>(Axis(op.Int(key, 0), shape.size()))];
}

void Divide(const Operator& op, std::int64_t* length) {
  const std::int64_t ranks = op.Int("ranks", 1);
  if (*length % ranks != 0) {
    throw UserError(op.name + ": " + std::to_string(*length) + " does not divide by " +
                    std::to_string(ranks) + " ranks");
  }
  *length /= ranks;
}

std::vector<Shape> InferReduce(const Graph& graph, const Operator& op) {
  return {InputShape(graph, op, 0)};
}

std::vector<Shape> InferGather(const Graph& graph, const Operator& op) {
  Shape shape = InputShape(graph, op, 0);
  LengthOf(shape, op, "axis") *= op.Int("ranks", 1);
  return {shape};
}

std::vector<Shape> InferScatter(const Graph& graph, const Operator& op) {
  Shape shape = InputShape(graph, op, 0);
  Divide(op, &LengthOf(shape, op, "axis"));
  return {shape};
}

std::vector<Shape> InferAllToAll(const Graph& graph, const Operator& op) {
  Shape shape = InputShape(graph, op, 0);
  Divide(op, &LengthOf(shape, op, "split_axis"));
  LengthOf(shape, op, "join_axis") *= op.Int("ranks", 1);
  return {shape};
}

std::vector<Value> EvaluateReduce(const Operator& op, const std::vector<const Value*>& inputs) {
  Value sum = *inputs.front();
  for (double& v : sum.data) v *= static_cast<double>(op.Int("ranks", 1));
  return {sum};
}

bool RegisterAll() {
  OperatorRegistry& registry = OperatorRegistry::Instance();
  registry.Add("all_reduce",
               {"the sum over ranks (x)", &InferReduce, nullptr, nullptr, &EvaluateReduce});
  registry.Add("all_gather", {"the parts of all ranks, joined along an axis (x)", &InferGather,
                              nullptr, nullptr, nullptr});
  registry.Add("reduce_scatter", {"a rank's part of the sum over ranks (x)", &InferScatter, nullptr,
                                  nullptr, nullptr});
  registry.Add("all_to_all", {"a part to each rank, one from each (x)", &InferAllToAll, nullptr,
                              nullptr, nullptr});
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
