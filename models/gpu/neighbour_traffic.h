// SPDX-License-Identifier: Apache-2.0
// What others than a program's kernels move in the chip's memory meanwhile, at a steady rate: the
// channels of a collective read what they send and write what has come. It queues at the memory's
// channels with everything else, and waits for its requests where these are too slow for its rate.
#pragma once

#include <array>
#include <cstddef>
#include <systemc>
#include <vector>

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

  /// From now on, as long as the queue holds anything else.
  void Start(Tick now);

 private:
  struct Way {
    double bytes_per_s = 0;
    bool write = false;
    std::int64_t first = 0, at = 0;  ///< addresses
    double next = 0;                 ///< ticks, of the next request
    std::vector<Tick> under_way{};   ///< ring: when the last requests are done
    std::size_t oldest = 0;
  };

  void Move(std::uint64_t number);
  void Respond(std::uint64_t way, const MemoryResponse& response) override;
  static void CallMove(void* self, std::uint64_t way) {
    static_cast<NeighbourTraffic*>(self)->Move(way);
  }

  EventQueue& events_;
  std::array<Way, 2> ways_;
  std::size_t moving_ = 0;  ///< ways with a rate
};

}  // namespace siliscope
