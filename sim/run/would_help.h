// SPDX-License-Identifier: Apache-2.0
// What would make this network faster on this chip: variants of the chip and of the batch, each
// simulated, not estimated.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sim/run/simulation.h"

namespace siliscope {

struct Remedy {
  std::string text;                  ///< "array 128x128 x4"
  double factor = 0;                 ///< samples a second, against the run itself
  std::vector<std::string> options;  ///< what to add to the command to run it
};

/// The same run on the chip as its file says, without `--set` and `--ideal`.
struct Baseline {
  double time_us = 0;
  double peak_tops = 0;
  std::array<double, kCauses> cause_pct{};  ///< of the arrays' time
};

struct Advice {
  std::vector<Remedy> remedies;
  std::optional<Baseline> baseline;  ///< where something was changed
};

/// Simulates the variants in worker processes; call it before the run's own simulation. Remedies
/// carry samples a second as their `factor`, to be divided by the run's own.
Advice SimulateAdvice(const SimulationRequest& request);

}  // namespace siliscope
