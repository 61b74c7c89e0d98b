// SPDX-License-Identifier: Apache-2.0
// A graph of one operator, from a row of an operator list: op and `key=value` pairs.
#pragma once

#include "sim/contract/compiler.h"
#include "workloads/ir/graph.h"

namespace siliscope {

/// The operators of lists, with the keys of their shapes.
std::vector<NamedText> ListSingleOperators();

/// Throws UserError for an unknown operator, a missing, unknown or senseless key.
Graph SingleOperatorGraph(const OperatorRequest& request);

}  // namespace siliscope
