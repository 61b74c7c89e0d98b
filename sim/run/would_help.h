// SPDX-License-Identifier: Apache-2.0
// What would make this network faster on this chip: variants of the chip and of the batch, each
// simulated, not estimated.
#pragma once

#include <string>
#include <vector>

#include "sim/run/simulation.h"

namespace siliscope {

struct Remedy {
  std::string text;                  ///< "array 128x128 x4"
  double factor = 0;                 ///< samples a second, against the run itself
  std::vector<std::string> options;  ///< what to add to the command to run it
};

/// Simulates the variants in worker processes; call it before the run's own simulation. Returns
/// them with `factor` as samples a second, to be divided by the run's own.
std::vector<Remedy> SimulateRemedies(const SimulationRequest& request);

}  // namespace siliscope
