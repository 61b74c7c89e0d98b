// SPDX-License-Identifier: Apache-2.0
// On-chip scratchpad: banks x ports x width bytes a cycle, shared by the arrays, the vector unit and
// the DMA engines of a core in the order of their accesses. An access spreads over all banks.
#pragma once

#include <cmath>
#include <systemc>

#include "sim/contract/npu_spec.h"
#include "sim/core/timeline.h"

namespace siliscope {

/// What a scratchpad offers to the units of its core.
class ScratchpadPort : public sc_core::sc_interface {
 public:
  /// Moves `bytes`, not before `ready`; returns when the last has moved. Calls in order of time.
  virtual Tick Access(Tick ready, std::int64_t bytes) = 0;
};

class Scratchpad : public sc_core::sc_module, public ScratchpadPort {
 public:
  sc_core::sc_export<ScratchpadPort> port{"port"};

  Scratchpad(const sc_core::sc_module_name& name, const ScratchpadSpec& spec, Clock clock)
      : sc_core::sc_module(name), clock_(clock), bytes_per_cycle_(spec.BytesPerCycle()) {
    port.bind(*this);
  }

  Tick Access(Tick ready, std::int64_t bytes) override {
    bytes_ += bytes;
    if (bytes_per_cycle_ <= 0) return ready;
    const Tick duration = clock_.Cycles(static_cast<double>(bytes) / bytes_per_cycle_);
    return ports_.Reserve(ready, duration) + duration;
  }

  std::int64_t bytes() const { return bytes_; }
  Tick busy() const { return ports_.busy(); }
  double bytes_per_s() const { return bytes_per_cycle_ * clock_.hertz(); }

 private:
  Clock clock_;
  double bytes_per_cycle_;
  Timeline ports_;
  std::int64_t bytes_ = 0;
};

}  // namespace siliscope
