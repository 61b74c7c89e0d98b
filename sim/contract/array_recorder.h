// SPDX-License-Identifier: Apache-2.0
// The cycle zoom of a processing array, recorded for pictures: which elements worked in which cycle
// and what sums they held.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/machine_spec.h"
#include "sim/core/registry.h"

namespace siliscope {

struct ArrayFrame {
  std::vector<std::vector<int>> active;  ///< [row][column]: 1 = holds a valid operand
  std::vector<std::vector<float>> sums;
};

struct ArrayRecording {
  std::uint64_t cycles = 0;
  std::vector<ArrayFrame> frames;  ///< a cycle each
  std::vector<float> a, b;         ///< operands, [m][k] and [k][n]
  std::vector<float> product;      ///< [m][n]
  std::vector<float> reference;    ///< the same product, computed without the array
};

/// Multiplies small integers, a [m][k] counting up by b [k][n] counting down, on one array.
using ArrayRecorder = ArrayRecording (*)(const MachineSpec& machine, std::int64_t m, std::int64_t k,
                                         std::int64_t n);
using ArrayRecorderRegistry = Registry<ArrayRecorder>;

}  // namespace siliscope
