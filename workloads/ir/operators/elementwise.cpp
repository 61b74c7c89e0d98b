// SPDX-License-Identifier: Apache-2.0
// elementwise: one function of FunctionNames() over broadcast operands.
#include "sim/core/error.h"
#include "workloads/ir/elementwise_function.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

const ElementwiseFunction& FunctionOf(const Operator& op) {
  const std::string name = op.Text("function", "");
  if (const ElementwiseFunction* function = FindFunction(name)) return *function;
  throw UserError(op.name + ": unknown function \"" + name + "\"" +
                  Suggestion(name, FunctionNames()));
}

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const ElementwiseFunction& function = FunctionOf(op);
  if (op.inputs.size() < static_cast<std::size_t>(function.operands)) {
    throw UserError(op.name + ": " + op.Text("function", "") + " needs more operands");
  }
  Shape shape = InputShape(graph, op, 0);
  for (std::size_t i = 1; i < op.inputs.size(); ++i) {
    shape = BroadcastShape(shape, InputShape(graph, op, i));
  }
  return {shape};
}

double Operations(const Graph& graph, const Operator& op) {
  // A function of two operands over more of them is applied again for each.
  const ElementwiseFunction& function = FunctionOf(op);
  const double times = function.operands == 2 ? static_cast<double>(op.inputs.size()) - 1 : 1;
  return function.operations * times *
         static_cast<double>(graph.tensor(op.outputs.front()).elements());
}

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  const ElementwiseFunction& function = FunctionOf(op);
  Value result;
  result.shape = inputs[0]->shape;
  for (const Value* input : inputs) result.shape = BroadcastShape(result.shape, input->shape);
  const std::int64_t count = ElementCount(result.shape);
  result.data.resize(static_cast<std::size_t>(count));
  std::vector<double> x(std::max<std::size_t>(inputs.size(), 3));
  for (std::int64_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < inputs.size(); ++j) x[j] = BroadcastAt(*inputs[j], result.shape, i);
    double y = function.evaluate(x.data(), op);
    for (std::size_t j = 2; j < inputs.size() && function.operands == 2; ++j) {
      const double pair[] = {y, x[j]};  // max and min of more than two
      y = function.evaluate(pair, op);
    }
    result.data[static_cast<std::size_t>(i)] = y;
  }
  return {result};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "elementwise", {"one function element by element, operands broadcast (x, ...)", &Infer, nullptr,
                    &Operations, &Evaluate});

}  // namespace
}  // namespace siliscope
