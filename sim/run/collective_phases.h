// SPDX-License-Identifier: Apache-2.0
// Hierarchical collectives: one dimension of the ranks after another, such as the chips of a node
// and then the nodes. An all-reduce scatters along each, sums along the last, and gathers back
// (Cho et al., "BlueConnect", MLSys 2019). The data is cut into parts that follow each other
// through the phases.
#pragma once

#include <string>

#include "sim/contract/cluster_spec.h"
#include "sim/contract/execution_graph.h"

namespace siliscope {

/// Replaces each collective of all of a graph's ranks by its phases. What waited for a collective
/// waits for its last phases. `place` begins messages. Errors: UserError where the dimensions are
/// not the ranks, or an operation has no phases.
void DivideIntoPhases(const CollectivePhases& phases, const std::string& place,
                      ExecutionGraph* graph);

}  // namespace siliscope
