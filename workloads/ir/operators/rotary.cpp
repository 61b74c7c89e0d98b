// SPDX-License-Identifier: Apache-2.0
// rotary: positions as rotations of pairs of elements, half a row apart (Su et al., "RoFormer",
// 2021): x cos + (the halves of x exchanged, the first negated) sin. x [..., length, depth], cos
// and sin [length, depth].
#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const Shape& x = InputShape(graph, op, 0);
  const Shape& cosine = InputShape(graph, op, 1);
  const Shape& sine = InputShape(graph, op, 2);
  if (x.size() < 2 || x.back() % 2 != 0 || cosine != sine ||
      cosine != Shape(x.end() - 2, x.end())) {
    throw UserError(op.name + ": rotary of " + ShapeText(x) + " by " + ShapeText(cosine) + " and " +
                    ShapeText(sine));
  }
  return {x};
}

double Operations(const Graph& graph, const Operator& op) {
  return 3.0 * static_cast<double>(graph.tensor(op.inputs.front()).elements());
}

std::vector<Value> Evaluate(const Operator&, const std::vector<const Value*>& inputs) {
  const Value &x = *inputs[0], &cosine = *inputs[1], &sine = *inputs[2];
  const auto depth = static_cast<std::size_t>(x.shape.back());
  const std::size_t table = cosine.data.size();
  Value y = x;
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    const std::size_t at = i % depth, row = i - at;
    const bool low = at < depth / 2;
    const double turned = low ? -x.data[row + at + depth / 2] : x.data[row + at - depth / 2];
    y.data[i] = x.data[i] * cosine.data[i % table] + turned * sine.data[i % table];
  }
  return {y};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "rotary", {"positions as rotations of pairs of elements (x, cos, sin)", &Infer, nullptr,
               &Operations, &Evaluate});

}  // namespace
}  // namespace siliscope
