// SPDX-License-Identifier: Apache-2.0
// Kernels that pass tensors through once, a few elements a thread: elementwise functions, copies,
// conversions, sums of partial products.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/contract/gpu_program.h"
#include "sim/contract/machine_spec.h"

namespace siliscope {

struct StreamOperand {
  std::uint32_t tensor = 0;
  double bytes = 2;  ///< for an element of a row of the shape
  double rows = 1;   ///< of this tensor, for a row of the shape
};

struct StreamWork {
  std::string name;
  std::vector<StreamOperand> loads, stores;
  int operations = 1;           ///< of an element, on the single-precision pipe
  int special = 0;              ///< of an element, special functions
  std::int64_t per_thread = 4;  ///< elements
  double elements_bytes = 4;    ///< of an element in the tensor that gives the grid
  std::int64_t threads = 128;
  /// CTAs that walk the tensor in turns, with a stride of all of them; 0 = each takes one stretch.
  std::int64_t ctas = 0;
  /// The CTA's elements become one value, which joins the first of this tensor by an atomic.
  std::optional<std::uint32_t> reduces_to;
};

/// `shape` gives the grid: CTAs take stretches of its rows.
GpuKernel MakeStreamKernel(const MachineSpec& machine, const GpuTensor& shape,
                           const StreamWork& work);

/// Adds `splits` partial products of m rows of sums in fp32.
GpuKernel MakeReductionKernel(const MachineSpec& machine, const GpuTensor& sums_layout,
                              std::uint32_t sums, std::uint32_t result, std::int64_t splits,
                              std::int64_t m, double result_bytes);

}  // namespace siliscope
