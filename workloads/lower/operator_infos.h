// SPDX-License-Identifier: Apache-2.0
// What every lowering says of a graph's operators: labels, nominal work, bytes, producers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/contract/program.h"
#include "workloads/ir/graph.h"

namespace siliscope {

using TensorBytesFunction = std::function<std::int64_t(TensorId)>;

std::vector<OperatorInfo> OperatorInfosOf(const Graph& graph, const TensorBytesFunction& bytes);

/// What must move at least: weights once (of tables only the rows that are taken), the network's
/// inputs and outputs in every invocation.
std::int64_t CompulsoryBytesOf(const Graph& graph, const TensorBytesFunction& bytes,
                               std::int64_t invocations);

}  // namespace siliscope
