// SPDX-License-Identifier: Apache-2.0
// What the passes of a CTA take on an SM, measured at cycle zoom: once for each kernel and number
// of CTAs that share the SM. The memory behind the SM is left out (a fixed, short latency without
// limit): the chip plays it.
#pragma once

#include <cstdint>
#include <vector>

#include "models/gpu/sm_cycle.h"
#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

struct PassCost {
  double alone_cycles = 0;     ///< a step of a CTA that has the SM to itself
  double chain_cycles = 0;     ///< what follows its loads before the next, where they take long
  double interval_cycles = 0;  ///< the SM's time for a step, where enough CTAs fill it
  double fill_cycles = 0;      ///< once, up to the first step
  double drain_cycles = 0;     ///< once, after the last step: results, barriers, reductions
  double drain_interval_cycles = 0;  ///< the SM's time for it, where enough CTAs fill it
};

struct CtaCost {
  double start_cycles = 0;  ///< from the first instruction to the first pass
  std::vector<PassCost> passes;
  std::uint64_t instructions = 0;  ///< warp instructions that were simulated to measure it
  SmCounters counters;             ///< of the run with all co-resident CTAs
};

/// Runs the kernel's warp programs on one SM, alone and with `co_resident` CTAs.
CtaCost MeasureCta(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident);

/// Everything the cost depends on, as text: two kernels with the same key cost the same.
std::string CtaCostKey(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident);

}  // namespace siliscope
