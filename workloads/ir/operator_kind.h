// SPDX-License-Identifier: Apache-2.0
// What the IR knows of each kind of operator: shapes, work and meaning. One file a family in
// workloads/ir/operators, each registering its kinds.
#pragma once

#include <string>
#include <vector>

#include "sim/core/registry.h"
#include "workloads/ir/graph.h"

namespace siliscope {

/// Values of the reference interpreter: row-major, in double.
struct Value {
  Shape shape;
  std::vector<double> data;
};

struct OperatorKind {
  std::string meaning;  ///< one line, inputs included
  /// Output shapes from inputs and attributes. Throws UserError on shapes that do not fit.
  std::vector<Shape> (*infer)(const Graph& graph, const Operator& op);
  /// Multiply-accumulates; null = none.
  double (*macs)(const Graph& graph, const Operator& op);
  /// Elementwise operations beside them; null = none.
  double (*operations)(const Graph& graph, const Operator& op);
  /// Real values, for small shapes.
  std::vector<Value> (*evaluate)(const Operator& op, const std::vector<const Value*>& inputs);
};

using OperatorRegistry = Registry<OperatorKind>;

/// The shape of input i of an operator.
inline const Shape& InputShape(const Graph& graph, const Operator& op, std::size_t i) {
  return graph.tensor(op.inputs.at(i)).shape;
}
inline bool HasInput(const Operator& op, std::size_t i) {
  return i < op.inputs.size() && op.inputs[i] != kNoTensor;
}

/// A negative axis counted from the end; throws UserError outside of the rank.
std::int64_t Axis(std::int64_t axis, std::size_t rank);
/// NumPy broadcasting; throws UserError where shapes do not fit.
Shape BroadcastShape(const Shape& a, const Shape& b);
/// Strides of a row-major shape.
std::vector<std::int64_t> Strides(const Shape& shape);
/// Reads `value` at the position `index` of the broadcast shape `shape`.
double BroadcastAt(const Value& value, const Shape& shape, std::int64_t flat_index);

}  // namespace siliscope
