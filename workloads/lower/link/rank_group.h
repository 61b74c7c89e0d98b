// SPDX-License-Identifier: Apache-2.0
// Collectives of some of a system's chips.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cluster_spec.h"
#include "sim/contract/compiler.h"

namespace siliscope {

/// The chips of a collective with so many ranks in each node. Errors: UserError where nodes have
/// fewer chips, or there are too few nodes.
std::vector<std::int32_t> GroupOfEachNode(const CollectiveRequest& request,
                                          const ClusterSpec& cluster);

/// The same system with the group's chips numbered first, in the group's order; links keep their
/// numbers. Errors: UserError for a chip that isn't there, or is named twice.
ClusterSpec WithGroupFirst(const ClusterSpec& cluster, const std::vector<std::int32_t>& group);

}  // namespace siliscope
