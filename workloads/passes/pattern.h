// SPDX-License-Identifier: Apache-2.0
// What recognising passes ask of a graph: who made a tensor, is it used once, is it a constant; and
// how they replace what they found.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "workloads/ir/graph.h"

namespace siliscope {

class Pattern {
 public:
  explicit Pattern(Graph* graph) : graph_(graph), uses_(*graph) {}

  Graph& graph() { return *graph_; }

  /// The operator that made `t` if it is of that kind (elementwise: that function), else null.
  const Operator* Made(TensorId t, const std::string& kind_or_function) const;
  /// The same, and nobody else reads `t`.
  const Operator* MadeOnce(TensorId t, const std::string& kind_or_function) const;
  bool UsedOnce(TensorId t) const;
  /// The value of a constant of one element.
  std::optional<double> Scalar(TensorId t) const;
  /// Splits the operands of a two-operand function into a scalar constant and the other one.
  bool WithScalar(const Operator& op, TensorId* other, double* scalar) const;
  /// The only reader of `t` if it is of that kind or function, else null.
  Operator* OnlyReader(TensorId t, const std::string& kind_or_function);

  int IndexOf(const Operator& op) const { return static_cast<int>(&op - graph_->operators.data()); }

  /// Puts `op` where the operator that made `result` stood; those in `gone` go away. Call Apply to
  /// carry all replacements out; the pattern is used up then.
  void Replace(TensorId result, Operator op, const std::vector<const Operator*>& gone);
  bool IsGone(const Operator& op) const { return gone_.count(IndexOf(op)) != 0; }
  void Apply();

 private:
  Graph* graph_;
  GraphUses uses_;
  std::vector<std::pair<int, Operator>> replacements_;
  std::set<int> gone_;
};

/// ONNX nodes of several operators, without repetition.
std::vector<std::string> SourcesOf(const std::vector<const Operator*>& ops);

/// An elementwise operator.
Operator MakeElementwise(const std::string& name, const std::string& function,
                         std::vector<TensorId> inputs);

}  // namespace siliscope
