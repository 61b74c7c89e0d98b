// SPDX-License-Identifier: Apache-2.0
// The summary of a run, to be read in ten seconds.
#pragma once

#include <string>
#include <vector>

#include "sim/run/metrics.h"
#include "sim/run/would_help.h"

namespace siliscope {

/// `changes`: what `--set` and `--ideal` changed. `more_files`: written beside the usual ones.
std::string SummaryText(const SimulationResult& result, const Metrics& metrics,
                        const Advice& advice, const std::vector<std::string>& changes,
                        const std::string& folder, const std::string& more_files);

/// Simulated work a second: "9.8 M events/s".
std::string SimulationRate(const SimulationResult& result);

}  // namespace siliscope
