// SPDX-License-Identifier: Apache-2.0
#include "models/npu/peak.h"

namespace siliscope {

double NpuArrayPeak(const MachineSpec& machine, const std::string& dtype) {
  const auto as = machine.converted_dtypes.find(dtype);
  const std::string& runs_as = as == machine.converted_dtypes.end() ? dtype : as->second;
  const auto it = machine.npu.array.macs_per_element.find(runs_as);
  if (it == machine.npu.array.macs_per_element.end()) return 0;
  const std::int64_t elements = machine.npu.array.rows * machine.npu.array.columns;
  return 2 * it->second * static_cast<double>(elements) * machine.clock_hz;
}

double NpuChipPeak(const MachineSpec& machine, const std::string& dtype) {
  return NpuArrayPeak(machine, dtype) *
         static_cast<double>(machine.npu.cores * machine.npu.array.count);
}

}  // namespace siliscope
