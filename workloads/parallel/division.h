// SPDX-License-Identifier: Apache-2.0
// A network divided over ranks: the way of a graph to what one rank runs of it.
#pragma once

#include "sim/contract/compiler.h"
#include "workloads/ir/graph.h"

namespace siliscope {

/// Before epilogues are fused: experts, then weights. Errors: UserError where something does not
/// divide.
Graph DivideLayers(const Graph& graph, const Division& division);

/// After that: one of the stages. Errors: UserError where there are fewer operators than stages.
Graph DivideStages(const Graph& graph, const Division& division);

}  // namespace siliscope
