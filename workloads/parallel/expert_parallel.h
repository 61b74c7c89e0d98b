// SPDX-License-Identifier: Apache-2.0
// Expert parallelism: each rank has other tokens, and some of the experts. Rows go to the ranks of
// their experts and come back by all-to-all (Lepikhin et al., "GShard", 2020, section 3.2).
#pragma once

#include <cstdint>

#include "workloads/ir/graph.h"

namespace siliscope {

/// What one of `ranks` ranks runs, on its own tokens. Experts are what products with weights
/// [experts, in, out] are. Errors: UserError where there are none, or `ranks` does not divide them.
Graph ExpertParallel(const Graph& graph, std::int64_t ranks);

}  // namespace siliscope
