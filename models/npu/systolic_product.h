// SPDX-License-Identifier: Apache-2.0
// A whole matrix product on one array at cycle zoom, tile by tile; what tests and the course's
// step-by-step figures use.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "models/npu/systolic_cycle.h"

namespace siliscope {

/// Multiplies a [m][k] by b [k][n] on the array, tile by tile, summing over k outside of it as the
/// accumulators do. Returns the product and the cycles until the last result left.
struct SystolicProduct {
  std::vector<float> values;
  std::uint64_t cycles = 0;
};
SystolicProduct MultiplyOnArray(const SystolicArraySpec& spec, const std::vector<float>& a,
                                const std::vector<float>& b, std::int64_t m, std::int64_t k,
                                std::int64_t n,
                                const std::function<void(const SystolicCycle&)>& watch = {});

}  // namespace siliscope
