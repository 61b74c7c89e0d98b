// SPDX-License-Identifier: Apache-2.0
// Pipeline parallelism: the operators in stretches, each on other chips; results go from stage to
// stage (Huang et al., "GPipe", NeurIPS 2019).
#pragma once

#include <cstdint>

#include "workloads/ir/graph.h"

namespace siliscope {

/// Operators of one of `stages`, with what it receives as inputs and what the next ones need as
/// outputs. Cuts lie where the fewest tensors cross, and such that the longest stage, in
/// floating-point operations, is short. Errors: UserError where there are fewer operators.
Graph PipelineStage(const Graph& graph, std::int64_t stage, std::int64_t stages);

}  // namespace siliscope
