// SPDX-License-Identifier: Apache-2.0
// Kernels that work on rows: softmax and normalisations. Short rows: a warp keeps a row in
// registers and passes it through once. Long rows: a CTA a row, which it reads again for every
// further pass; whether the caches still hold it is a question of what came in between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/gpu_program.h"
#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Instructions of an element in one pass.
struct ElementWork {
  int fp32 = 0, integer = 0, special = 0;
  int divisions = 0;  ///< one after another
  ElementWork operator+(const ElementWork& o) const {
    return {fp32 + o.fp32, integer + o.integer, special + o.special, divisions + o.divisions};
  }
};

struct RowWork {
  std::string name;
  std::int64_t rows = 0, columns = 0;
  double bytes = 4;
  std::vector<ElementWork> passes;  ///< over the row
  std::int64_t threads = 128;
  std::int64_t vector = 4;  ///< elements of a load
  int ring = 1;
  bool welford = false;
  bool past_l1 = false;             ///< loads are cached in L2 only
  bool first_warp_reduces = false;  ///< over all warps' values; else each warp its own, then all
  std::vector<std::uint32_t> parameters;  ///< tensors of a value a column, for the last pass
  double parameter_bytes = 4;             ///< of a value
  bool scalar_tail = false;  ///< what is no whole vector of all threads goes element by element
};

RowWork SoftmaxWork(std::int64_t rows, std::int64_t columns, double bytes);
/// From x to y.
GpuKernel MakeRowKernel(RowWork work, std::uint32_t x, std::uint32_t y);

}  // namespace siliscope
