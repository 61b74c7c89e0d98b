// SPDX-License-Identifier: Apache-2.0
// Collectives of some of a system's chips.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cluster_spec.h"

namespace siliscope {

/// The same system with the group's chips numbered first, in the group's order; links keep their
/// numbers. Errors: UserError for a chip that isn't there, or is named twice.
ClusterSpec WithGroupFirst(const ClusterSpec& cluster, const std::vector<std::int32_t>& group);

}  // namespace siliscope
