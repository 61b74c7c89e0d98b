// SPDX-License-Identifier: Apache-2.0
// Peaks that follow from an NPU's own numbers: processing elements x rate x clock.
#pragma once

#include <string>

#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Operations a second (2 a multiply-accumulate) of one array; 0 where it has no such data type.
double NpuArrayPeak(const MachineSpec& machine, const std::string& dtype);
/// Of the whole chip.
double NpuChipPeak(const MachineSpec& machine, const std::string& dtype);

}  // namespace siliscope
