// SPDX-License-Identifier: Apache-2.0
// What the cores of a chip share: the last-level cache and the way to the off-chip memory.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <systemc>
#include <utility>
#include <vector>

#include "models/cpu/bandwidth_calendar.h"
#include "models/cpu/cache_array.h"
#include "models/cpu/miss_registers.h"
#include "models/memory/memory_port.h"
#include "sim/contract/cpu_spec.h"
#include "sim/core/time.h"

namespace siliscope {

/// Bytes through a level, both ways.
struct CacheTraffic {
  std::int64_t read_bytes = 0, write_bytes = 0;
  std::int64_t hits = 0, misses = 0;  ///< lines that the level above asked for
  std::int64_t prefetches = 0;        ///< lines that it fetched ahead
};

class SharedMemory : public sc_core::sc_module, private MemoryClient {
 public:
  sc_core::sc_port<MemoryPort> memory{"memory"};

  SharedMemory(const sc_core::sc_module_name& name, const CpuSpec& spec, Clock clock);

  /// A line for a core's L2; returns the cycle in which it is there. `when`: the cycle in which the
  /// core asked its first level.
  std::uint64_t Fetch(std::uint64_t when, std::int64_t line);
  /// A line that a core's L2 has dropped.
  void Drop(std::uint64_t when, const CacheLine& line);
  /// Forgets all lines.
  void Clear();

  const CacheTraffic& traffic() const { return traffic_; }
  std::int64_t dram_read_bytes() const { return dram_read_bytes_; }
  std::int64_t dram_write_bytes() const { return dram_write_bytes_; }
  void ResetCounters() {
    traffic_ = {};
    dram_read_bytes_ = dram_write_bytes_ = 0;
  }

 private:
  void Respond(std::uint64_t tag, const MemoryResponse& response) override;
  std::uint64_t FromDram(std::uint64_t when, std::int64_t line);
  void ToDram(std::uint64_t when, std::int64_t line);
  void SendWrites(std::uint64_t until);

  const CpuSpec& spec_;
  Clock clock_;
  CacheArray lines_;
  MissRegisters misses_;
  BandwidthCalendar fill_;
  using Write = std::pair<std::uint64_t, std::int64_t>;  ///< cycle, line
  std::priority_queue<Write, std::vector<Write>, std::greater<>> writes_;
  Tick arrived_ = 0;
  CacheTraffic traffic_;
  std::int64_t dram_read_bytes_ = 0, dram_write_bytes_ = 0;
};

}  // namespace siliscope
