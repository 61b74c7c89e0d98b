// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Operations a second of all cores at the chip's clock: ports that multiply and add, times lanes.
/// 0 = the type has no vector instructions.
double CpuPeak(const MachineSpec& machine, const std::string& dtype);

}  // namespace siliscope
