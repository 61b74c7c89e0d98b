// SPDX-License-Identifier: Apache-2.0
// What others than a program's kernels move in the chip's memory meanwhile, at a steady rate: the
// channels of a collective read what they send and write what has come. It queues at the memory's
// channels with everything else.
#pragma once

#include <systemc>

#include "models/memory/memory_port.h"
#include "sim/contract/gpu_spec.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class NeighbourTraffic : public sc_core::sc_module, private MemoryClient {
 public:
  sc_core::sc_port<MemoryPort> memory{"memory"};

  /// Its bytes lie from `address` on: first those that are read, then those that are written.
  NeighbourTraffic(const sc_core::sc_module_name& name, const GpuNeighbourSpec& spec,
                   std::int64_t address, EventQueue& events);

  /// From now on until it is stopped.
  void Start(Tick now);
  void Stop() { stopped_ = true; }

 private:
  struct Way {
    double bytes_per_s = 0;
    bool write = false;
    std::int64_t first = 0, at = 0;  ///< addresses
    double next = 0;                 ///< ticks, of the next request
  };

  void Move(Way* way);
  void Respond(std::uint64_t, const MemoryResponse&) override {}
  static void CallMove(void* self, std::uint64_t way) {
    auto* traffic = static_cast<NeighbourTraffic*>(self);
    traffic->Move(&traffic->ways_[way]);
  }

  EventQueue& events_;
  Way ways_[2];
  bool stopped_ = false;
};

}  // namespace siliscope
