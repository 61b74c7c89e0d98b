// SPDX-License-Identifier: Apache-2.0
// What a run amounts to: the numbers of the summary and of summary.json, one definition each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/contract/record.h"
#include "sim/run/simulation.h"

namespace siliscope {

/// A metric's name, unit and meaning, for `siliscope explain`.
struct MetricMeaning {
  std::string name;
  std::string meaning;
};
const std::vector<MetricMeaning>& MetricMeanings();

struct Metrics {
  double time_us = 0;
  double samples_per_s = 0;  ///< batch / time
  double nominal_tops = 0;   ///< nominal operations / time
  double peak_tops = 0;
  double compute_util_pct = 0;              ///< nominal_tops / peak_tops
  double array_active_pct = 0;              ///< arrays streaming, tile edges included
  std::array<double, kCauses> cause_pct{};  ///< of all arrays; sums to 100
  double weight_stall_pct = 0;
  double dram_bytes = 0;
  double dram_gb_per_s = 0;
  double dram_peak_gb_per_s = 0;  ///< 0 = without limit
  double macs_per_weight_byte = 0;
  double ridge_macs_per_byte = 0;  ///< peak MAC rate / DRAM peak
  double roofline_us = 0;          ///< max(nominal / peak, compulsory bytes / DRAM peak)
  Cause bound = Cause::kCompute;   ///< the largest cause
};

Metrics ComputeMetrics(const SimulationResult& result);

/// The ideal roofline time of one operator or of a whole program, in microseconds.
double RooflineMicroseconds(const MachineSpec& machine, const std::string& dtype, double flops,
                            double compulsory_bytes);

/// Indices of the operators by time, longest first, those without time left out.
std::vector<std::size_t> OperatorsByTime(const Record& record);

/// The largest cause of an operator; kIdle where it took no time.
Cause BoundOf(const OperatorRecord& op);

/// Throws InternalError where an operator's executed rate lies above the roof of its level, or a
/// unit's times do not sum to the whole.
void CheckRecord(const SimulationResult& result);

/// summary.json.
nlohmann::ordered_json SummaryJson(const SimulationResult& result, const Metrics& metrics);

}  // namespace siliscope
