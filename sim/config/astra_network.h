// SPDX-License-Identifier: Apache-2.0
// ASTRA-sim's files of a network (analytical backend, YAML: topology, npus_count, bandwidth in GB/s
// and latency in ns of the links of each dimension) and of a system (JSON: algorithms of each
// dimension, splits, endpoint-delay in ns, roofline in TFLOP/s and GB/s).
#pragma once

#include <string>

#include "sim/config/yaml_document.h"
#include "sim/contract/cluster_spec.h"

namespace siliscope {

/// Whether a YAML is such a network.
bool IsAstraNetwork(const YamlDocument& document);

/// `system_file`: "" = rings, four splits. Links have no headers, agents no rates of their own, as
/// there. Errors: UserError with file, line and column.
ClusterSpec LoadAstraNetwork(const YamlDocument& network, const std::string& system_file);

}  // namespace siliscope
