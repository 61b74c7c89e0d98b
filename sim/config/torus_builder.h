// SPDX-License-Identifier: Apache-2.0
// Meshes and tori of chips, wrapped or not, with broken links, or twisted.
#pragma once

#include <cstdint>
#include <string>

#include "sim/config/topology_fields.h"

namespace siliscope {

/// Links between `chips` chips from `first` on. `place` begins messages. Errors: UserError where
/// the shape, the twist or the links that failed don't fit.
void AddTorus(const TopologyFields& fields, std::int32_t first, std::int64_t chips,
              std::int32_t link, const std::string& place, Topology* topology);

}  // namespace siliscope
