// SPDX-License-Identifier: Apache-2.0
// On-chip scratchpad: banks x ports x width bytes a cycle, reads and writes apart, shared by the
// arrays, the vector unit and the DMA engines of a core in the order of their accesses. An access
// spreads over all banks.
#pragma once

#include <algorithm>
#include <cmath>
#include <systemc>

#include "sim/contract/npu_spec.h"
#include "sim/core/timeline.h"

namespace siliscope {

/// What a scratchpad offers to the units of its core.
class ScratchpadPort : public sc_core::sc_interface {
 public:
  /// Moves bytes out and in, not before `ready`; returns when the last has moved. Calls in order of
  /// time.
  virtual Tick Access(Tick ready, std::int64_t read_bytes, std::int64_t write_bytes) = 0;
};

class Scratchpad : public sc_core::sc_module, public ScratchpadPort {
 public:
  sc_core::sc_export<ScratchpadPort> port{"port"};

  Scratchpad(const sc_core::sc_module_name& name, const ScratchpadSpec& spec, Clock clock)
      : sc_core::sc_module(name),
        clock_(clock),
        read_bytes_per_cycle_(spec.ReadBytesPerCycle()),
        write_bytes_per_cycle_(spec.WriteBytesPerCycle()) {
    port.bind(*this);
  }

  Tick Access(Tick ready, std::int64_t read_bytes, std::int64_t write_bytes) override {
    read_bytes_ += read_bytes;
    write_bytes_ += write_bytes;
    return std::max(Move(&reads_, ready, read_bytes, read_bytes_per_cycle_),
                    Move(&writes_, ready, write_bytes, write_bytes_per_cycle_));
  }

  std::int64_t read_bytes() const { return read_bytes_; }
  std::int64_t write_bytes() const { return write_bytes_; }
  Tick busy() const { return reads_.busy() + writes_.busy(); }
  /// Of reads and writes together.
  double bytes_per_s() const {
    return (read_bytes_per_cycle_ + write_bytes_per_cycle_) * clock_.hertz();
  }

 private:
  Tick Move(Timeline* ports, Tick ready, std::int64_t bytes, double bytes_per_cycle) const {
    if (bytes_per_cycle <= 0 || bytes <= 0) return ready;
    const Tick duration = clock_.Cycles(static_cast<double>(bytes) / bytes_per_cycle);
    return ports->Reserve(ready, duration) + duration;
  }

  Clock clock_;
  double read_bytes_per_cycle_;
  double write_bytes_per_cycle_;
  Timeline reads_;
  Timeline writes_;
  std::int64_t read_bytes_ = 0;
  std::int64_t write_bytes_ = 0;
};

}  // namespace siliscope
