// SPDX-License-Identifier: Apache-2.0
#include "models/npu/peak.h"

namespace siliscope {

double NpuArrayPeak(const MachineSpec& machine, const std::string& dtype) {
  const auto as = machine.converted_dtypes.find(dtype);
  const std::string& runs_as = as == machine.converted_dtypes.end() ? dtype : as->second;
  const auto it = machine.npu.array.macs_per_cycle.find(runs_as);
  return it == machine.npu.array.macs_per_cycle.end() ? 0 : 2 * it->second * machine.clock_hz;
}

double NpuChipPeak(const MachineSpec& machine, const std::string& dtype) {
  return NpuArrayPeak(machine, dtype) *
         static_cast<double>(machine.npu.cores * machine.npu.array.count);
}

}  // namespace siliscope
