// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cpu_peak.h"

#include "sim/contract/data_type.h"

namespace siliscope {

double CpuPeak(const MachineSpec& machine, const std::string& dtype) {
  DataType type{};
  if ((dtype != "fp32" && dtype != "fp64") || !ParseDataType(dtype, &type)) return 0;
  const CpuCoreSpec& core = machine.cpu.core;
  double ports = 0;
  for (const auto& [name, classes] : core.ports) {
    if ((" " + classes + " ").find(" fma ") != std::string::npos) ++ports;
  }
  const auto interval = core.interval.find("fma");
  if (interval != core.interval.end()) ports /= interval->second;
  const double lanes = static_cast<double>(core.vector_bytes) * 8 / BitsPerElement(type);
  return 2 * ports * lanes * static_cast<double>(machine.cpu.cores) * machine.clock_hz;
}

}  // namespace siliscope
