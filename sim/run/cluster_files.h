// SPDX-License-Identifier: Apache-2.0
// The files of a run on several chips: every column is documented in configs/schema/columns.yaml.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sim/run/cluster_simulation.h"
#include "sim/run/output_folder.h"

namespace siliscope {

/// Each direction of each link that was used.
std::string LinksCsv(const std::vector<LinkUse>& links, Tick total);
/// Where the time of each rank's channels went.
std::string LanesCsv(const ClusterResult& result);
nlohmann::ordered_json ClusterSummaryJson(const ClusterResult& result);

/// Everything that is needed to repeat a run.
std::string ClusterRunYaml(const ClusterSpec& cluster, const std::string& workload,
                           const std::string& command);

void WriteClusterFiles(const OutputFolder& out, const ClusterResult& result,
                       const std::string& command);

}  // namespace siliscope
