// SPDX-License-Identifier: Apache-2.0
// For chips whose lowering prices nothing: who asks for a tile of an array has the wrong chip.
#pragma once

#include "sim/contract/tile_cost.h"
#include "sim/core/error.h"

namespace siliscope {

class NoTileCost : public TileCost {
 public:
  double MatmulIntervalCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double MatmulAloneCycles(std::int64_t, double, bool) const override { return NoArray(); }
  double VectorCycles(const VectorWork&, std::int64_t, std::int64_t) const override {
    return NoArray();
  }
  double CopySeconds(std::int64_t, MemorySpace) const override { return NoArray(); }

 private:
  [[noreturn]] static double NoArray() { throw InternalError("this chip has no array tiles"); }
};

}  // namespace siliscope
