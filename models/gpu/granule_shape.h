// SPDX-License-Identifier: Apache-2.0
// How the L2 model groups a tensor's lines into granules: 64 lines of one row, or of several rows
// beside each other. A granule has one time at which its latest lines came, and costs one look-up.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/gpu_program.h"

namespace siliscope {

inline constexpr std::int64_t kLinesPerGranule = 64;

/// Rows of a granule of each tensor (a power of two up to 64): of the shapes, the one with which
/// the program's kernels touch the fewest granules.
std::vector<std::int64_t> GranuleRows(const GpuProgram& program, std::int64_t line_bytes);

}  // namespace siliscope
