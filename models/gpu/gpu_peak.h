// SPDX-License-Identifier: Apache-2.0
// The dense peak of a GPU in a data type, from its own numbers.
#pragma once

#include <string>

#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Operations a second (2 a multiply-accumulate) of one SM at a clock: its Tensor Cores in the
/// types they know, else its pipes.
double SmPeak(const GpuSpec& gpu, const std::string& dtype, double clock_hz);
/// Without Tensor Cores.
double SmPipePeak(const GpuSpec& gpu, const std::string& dtype, double clock_hz);

/// Of the chip at its boost clock.
double GpuPeak(const MachineSpec& machine, const std::string& dtype);

}  // namespace siliscope
