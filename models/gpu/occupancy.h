// SPDX-License-Identifier: Apache-2.0
// How many CTAs of a kernel an SM holds, and what limits them.
#pragma once

#include <cstdint>
#include <string_view>

#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

struct Occupancy {
  std::int64_t ctas = 0;     ///< resident on one SM; 0 = the kernel does not fit
  std::string_view limiter;  ///< "registers", "shared_memory", "warps", "ctas"
  double share = 0;          ///< resident warps / most warps
};

/// Source: CUDA C++ Programming Guide, "Compute Capabilities", and the occupancy calculator.
Occupancy OccupancyOf(const SmSpec& sm, const GpuKernel& kernel);

}  // namespace siliscope
