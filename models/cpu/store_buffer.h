// SPDX-License-Identifier: Apache-2.0
// Stores between their execution and the L1: they leave in program order, and loads of the same
// place take their data from here.
#pragma once

#include <cstdint>
#include <vector>

#include "models/cpu/core_memory.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class StoreBuffer {
 public:
  StoreBuffer(const CpuSpec& spec, CoreMemory& memory, std::size_t places);

  /// The first cycle in which there is room for one more.
  std::uint64_t RoomFrom() const { return leaves_[at_]; }
  /// A store whose data is known in `executed` and that retires in `retired`.
  void Add(std::int64_t address, std::int64_t bytes, std::uint64_t executed, std::uint64_t retired);
  /// The same, of a store past the caches.
  void AddNonTemporal(std::int64_t address, std::int64_t bytes, std::uint64_t retired);

  struct Forward {
    bool found = false;
    bool whole = false;        ///< the store holds all that the load wants
    std::uint64_t ready = 0;   ///< the store's data
    std::uint64_t leaves = 0;  ///< the store is in L1
  };
  /// The youngest store that a load of `bytes` at `address` in `when` would read from.
  Forward Find(std::int64_t address, std::int64_t bytes, std::uint64_t when) const;

  std::uint64_t last_leaves() const { return last_; }

 private:
  static constexpr std::size_t kPlaces = 1024;
  struct Place {  ///< of 8 bytes
    std::int64_t granule = -1;
    std::int64_t address = 0, bytes = 0;
    std::uint64_t ready = 0, leaves = 0;
  };

  void Leave(std::uint64_t cycle);

  const CpuSpec& spec_;
  CoreMemory& memory_;
  std::vector<std::uint64_t> leaves_;  ///< ring: when each place of the queue is free
  std::size_t at_ = 0;
  std::uint64_t last_ = 0;
  std::int64_t last_line_ = -1, last_bytes_ = 0;
  std::vector<Place> places_ = std::vector<Place>(kPlaces);
};

}  // namespace siliscope
