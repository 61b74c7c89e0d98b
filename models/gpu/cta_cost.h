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

/// Bytes that a CTA moves between its registers and the L1 or the shared memory.
struct SmTraffic {
  double l1_read_bytes = 0, l1_write_bytes = 0;
  double shared_read_bytes = 0, shared_write_bytes = 0;

  static SmTraffic Of(const SmCounters& c) {
    return {32.0 * static_cast<double>(c.l1_hits + c.l1_misses),
            32.0 * static_cast<double>(c.l1_stores), static_cast<double>(c.shared_read_bytes),
            static_cast<double>(c.shared_write_bytes)};
  }

  void Add(const SmTraffic& other, double times) {
    l1_read_bytes += times * other.l1_read_bytes;
    l1_write_bytes += times * other.l1_write_bytes;
    shared_read_bytes += times * other.shared_read_bytes;
    shared_write_bytes += times * other.shared_write_bytes;
  }
};

struct PassCost {
  double alone_cycles = 0;         ///< a step of a CTA that has the SM to itself
  double chain_cycles = 0;         ///< what follows its loads before the next, where they take long
  double beside_loads_cycles = 0;  ///< from storing loads to registers until the next leave
  double interval_cycles = 0;      ///< the SM's time for a step, where enough CTAs fill it
  double precedence = 1;           ///< of the oldest CTA, as in PipeShare
  double fill_cycles = 0;          ///< once, up to the first step
  double drain_cycles = 0;         ///< once, after the last step: results, barriers, reductions
  double drain_interval_cycles = 0;  ///< the SM's time for it, where enough CTAs fill it
  SmTraffic traffic;                 ///< of a step
};

struct CtaCost {
  double start_cycles = 0;  ///< from the first instruction to the first pass
  /// The same of a CTA that finds the kernel's parameters in the SM.
  double later_start_cycles = 0;
  std::vector<PassCost> passes;
  SmTraffic once;                  ///< of a CTA, beside its steps
  std::uint64_t instructions = 0;  ///< warp instructions that were simulated to measure it
  SmCounters counters;             ///< of the run with all co-resident CTAs
};

/// Runs the kernel's warp programs on one SM, alone and with `co_resident` CTAs.
CtaCost MeasureCta(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident);

/// Of all CTAs of the kernel.
SmTraffic TrafficOf(const GpuKernel& kernel, const CtaCost& cost);

/// Everything the cost depends on, as text: two kernels with the same key cost the same.
std::string CtaCostKey(const GpuSpec& gpu, const GpuKernel& kernel, std::int64_t co_resident);

}  // namespace siliscope
