// SPDX-License-Identifier: Apache-2.0
// `--ideal` of a system: what the time would be if one of its resources cost nothing.
#pragma once

#include <string>
#include <vector>

#include "sim/contract/cluster_spec.h"

namespace siliscope {

/// "launch": calls, skew and set-up; "synchronisation": fences, flags and polls; "links": wires and
/// switches; "channels": the threads that move data. Errors: UserError for any other name.
void MakeIdeal(const std::vector<std::string>& names, ClusterSpec* spec);

}  // namespace siliscope
