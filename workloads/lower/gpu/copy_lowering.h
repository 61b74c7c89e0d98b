// SPDX-License-Identifier: Apache-2.0
// Copies of tensors: concatenations, slices, rows that change places.
#pragma once

#include <cstdint>

#include "workloads/lower/gpu/gpu_lowering.h"

namespace siliscope {

/// Launches a kernel that passes the operands of an operator through, element by element.
void LaunchCopy(GpuLowering& lowering, std::uint32_t index);

}  // namespace siliscope
