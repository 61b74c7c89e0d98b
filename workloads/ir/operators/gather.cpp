// SPDX-License-Identifier: Apache-2.0
// gather: rows of x [..] along `axis` by integer indices (an embedding is axis 0 of a weight).
#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const Shape& x = InputShape(graph, op, 0);
  const Shape& indices = InputShape(graph, op, 1);
  if (x.empty()) throw UserError(op.name + ": gather from a scalar");
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", 0), x.size()));
  Shape y(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(axis));
  y.insert(y.end(), indices.begin(), indices.end());
  y.insert(y.end(), x.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.end());
  return {y};
}

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value &x = *inputs[0], &indices = *inputs[1];
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", 0), x.shape.size()));
  const std::int64_t extent = x.shape[axis];
  const std::int64_t inner = Strides(x.shape)[axis];
  const std::int64_t outer = ElementCount(x.shape) / std::max<std::int64_t>(1, extent * inner);
  Value y;
  y.shape.assign(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  y.shape.insert(y.shape.end(), indices.shape.begin(), indices.shape.end());
  y.shape.insert(y.shape.end(), x.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
                 x.shape.end());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const double raw : indices.data) {
      auto index = static_cast<std::int64_t>(raw);
      if (index < 0) index += extent;
      if (index < 0 || index >= extent) {
        throw UserError(op.name + ": index " + std::to_string(index) + " is outside of 0 to " +
                        std::to_string(extent - 1));
      }
      const double* from = x.data.data() + (o * extent + index) * inner;
      y.data.insert(y.data.end(), from, from + inner);
    }
  }
  return {y};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "gather", {"rows by index, embeddings (x, indices)", &Infer, nullptr, nullptr, &Evaluate});

}  // namespace
}  // namespace siliscope
