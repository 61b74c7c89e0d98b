// SPDX-License-Identifier: Apache-2.0
// The files of a run: every column is fixed and documented in configs/schema/columns.yaml.
#pragma once

#include <string>

#include "sim/run/metrics.h"
#include "sim/run/output_folder.h"
#include "sim/run/simulation.h"

namespace siliscope {

std::string OperatorsCsv(const SimulationResult& result);
std::string UnitsCsv(const SimulationResult& result);
std::string MemoryCsv(const SimulationResult& result);
std::string TensorsCsv(const SimulationResult& result);
std::string LinksCsv(const SimulationResult& result);
std::string KernelsCsv(const SimulationResult& result);
std::string RooflineCsv(const SimulationResult& result);

/// Everything that is needed to repeat a run.
std::string RunYaml(const SimulationResult& result, const std::string& command);

/// Writes all of the above and summary.json below `folder` of an output folder ("" = its top).
void WriteResultFiles(const OutputFolder& out, const std::string& folder,
                      const SimulationResult& result, const nlohmann::ordered_json& summary,
                      const std::string& command);

}  // namespace siliscope
