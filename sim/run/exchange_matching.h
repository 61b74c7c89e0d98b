// SPDX-License-Identifier: Apache-2.0
// Which nodes of an execution graph's ranks are one collective or one message.
#pragma once

#include <string>

#include "sim/contract/cluster_spec.h"
#include "sim/contract/execution_graph.h"

namespace siliscope {

/// Fills the graph's exchanges and programs. The k-th collective of a group on one rank is the k-th
/// on all of them; the k-th send to a rank with a tag is its k-th receive. A collective of one rank
/// becomes a computation without duration. `place` begins messages. Errors: UserError where nodes
/// wait for each other in a circle, where ranks of a group disagree, or a message has one end only.
void MatchExchanges(const ClusterSpec& cluster, const std::string& place, ExecutionGraph* graph);

}  // namespace siliscope
