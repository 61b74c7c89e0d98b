// SPDX-License-Identifier: Apache-2.0
// Runs a graph on real values, in double: the meaning that every pass and lowering must keep.
#pragma once

#include <map>
#include <vector>

#include "workloads/ir/operator_kind.h"

namespace siliscope {

/// Values of the graph's outputs. `feeds` gives values by tensor; what is neither fed nor known nor
/// produced is an error. Throws UserError where values do not fit.
std::vector<Value> Interpret(const Graph& graph, const std::map<TensorId, Value>& feeds);

/// Runs one operator with its epilogue.
std::vector<Value> EvaluateOperator(const Operator& op, const std::vector<const Value*>& inputs,
                                    const std::vector<const Value*>& epilogue_operands);

/// Reproducible values in [-1, 1) for every tensor of a graph that has no producer and no values.
std::map<TensorId, Value> RandomFeeds(const Graph& graph, std::uint64_t seed);

}  // namespace siliscope
