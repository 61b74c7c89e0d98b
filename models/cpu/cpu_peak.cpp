// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cpu_peak.h"

#include <algorithm>

#include "sim/contract/data_type.h"

namespace siliscope {

namespace {

/// Operations a second of one core, with the unit's ports, interval and operations.
double RateOf(const CpuCoreSpec& core, const std::string& unit, double operations, double clock) {
  double ports = 0;
  for (const auto& [name, classes] : core.ports) {
    if ((" " + classes + " ").find(" " + unit + " ") != std::string::npos) ++ports;
  }
  const auto interval = core.interval.find(unit);
  if (interval != core.interval.end()) ports /= interval->second;
  return ports * operations * clock;
}

}  // namespace

double CpuPeak(const MachineSpec& machine, const std::string& dtype) {
  const CpuSpec& cpu = machine.cpu;
  const double clock = machine.clock_hz;
  const double lanes = static_cast<double>(cpu.core.vector_bytes) / 4;
  double rate = RateOf(cpu.core, "fma", 2 * lanes * cpu.MacsPerLane(dtype), clock);
  if (cpu.MatrixMultiplies(dtype)) {
    DataType type{};
    ParseDataType(dtype, &type);
    const double depth =
        static_cast<double>(cpu.matrix.row_bytes) * 8 / static_cast<double>(BitsPerElement(type));
    const auto rows = static_cast<double>(cpu.matrix.rows);
    rate = std::max(rate, RateOf(cpu.core, "matrix", 2 * rows * rows * depth, clock));
  }
  return rate * static_cast<double>(cpu.cores);
}

}  // namespace siliscope
