// SPDX-License-Identifier: Apache-2.0
// What the compiler may ask of the hardware models: the price of one tile on one unit, as the cycle
// zoom of that unit measures it. Models answer; sim/run passes the answer to the compiler.
#pragma once

#include <cstdint>
#include <memory>

#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"

namespace siliscope {

class TileCost {
 public:
  virtual ~TileCost() = default;

  /// Cycles between the starts of two successive tiles that stream `rows` rows each.
  virtual double MatmulIntervalCycles(std::int64_t rows, double rate,
                                      bool output_stationary) const = 0;
  /// Cycles of one tile alone: weights pushed, rows streamed, results out.
  virtual double MatmulAloneCycles(std::int64_t rows, double rate,
                                   bool output_stationary) const = 0;
  /// Cycles of a vector command over rows x columns elements.
  virtual double VectorCycles(const VectorWork& work, std::int64_t rows,
                              std::int64_t columns) const = 0;
  /// Seconds that a long copy of `bytes` from or to a memory takes alone.
  virtual double CopySeconds(std::int64_t bytes, MemorySpace space) const = 0;
};

}  // namespace siliscope
