// SPDX-License-Identifier: Apache-2.0
// What would make this network faster on this chip: variants of the chip and of the batch, each
// simulated, not estimated.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "sim/run/metrics.h"
#include "sim/run/simulation.h"
#include "sim/run/worker_pool.h"

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

/// Makes a request's advice. Its process starts here, before the run's own simulation.
class Advisor {
 public:
  explicit Advisor(const SimulationRequest& request);

  /// Simulates the variants that could save at least 5% of a run of `batch` samples and these
  /// `metrics`, by the causes that they shorten; a change of the batch, 15%.
  Advice Advise(std::int64_t batch, const Metrics& metrics);

 private:
  std::string SimulateVariants(const SimulationRequest& request, const std::string& input) const;

  MachineSpec machine_;
  bool changed_;  ///< by `--set` or `--ideal`
  WaitingJob job_;
};

}  // namespace siliscope
