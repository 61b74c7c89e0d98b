// SPDX-License-Identifier: Apache-2.0
// The summary of a run, to be read in ten seconds.
#pragma once

#include <string>
#include <vector>

#include "sim/run/metrics.h"
#include "sim/run/would_help.h"

namespace siliscope {

std::string SummaryText(const SimulationResult& result, const Metrics& metrics,
                        const std::vector<Remedy>& remedies, const std::string& folder,
                        bool with_trace, bool with_waveform);

/// Simulated work a second: "9.8 M events/s".
std::string SimulationRate(const SimulationResult& result);

}  // namespace siliscope
