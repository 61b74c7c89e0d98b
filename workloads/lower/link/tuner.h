// SPDX-License-Identifier: Apache-2.0
// What a collective library expects of its algorithms and protocols before it chooses one: not
// what they take.
#pragma once

#include <cstdint>

#include "sim/contract/cluster_spec.h"
#include "workloads/lower/link/collective_plan.h"

namespace siliscope {

/// Nodes that the ranks of a collective lie in.
std::int64_t NodesOf(const CollectivePlan& plan, const ClusterSpec& cluster);

/// A latency and a bandwidth, as NCCL's tuner has them (src/graph/tuning.cc: ncclTopoTuneModel,
/// ncclTopoGetAlgoTime).
double ExpectedSeconds(const CollectivePlan& plan, const ClusterSpec& cluster);

}  // namespace siliscope
