// SPDX-License-Identifier: Apache-2.0
// What the cores of a chip share: the last-level caches of its clusters, the fabric between them,
// who has which line, and the way to the off-chip memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <systemc>
#include <utility>
#include <vector>

#include "models/cpu/bandwidth_calendar.h"
#include "models/cpu/cache_array.h"
#include "models/cpu/coherence_directory.h"
#include "models/cpu/miss_registers.h"
#include "models/cpu/numa_map.h"
#include "models/memory/memory_port.h"
#include "sim/contract/cpu_spec.h"
#include "sim/core/time.h"

namespace siliscope {

/// Bytes through a level, both ways.
struct CacheTraffic {
  std::int64_t read_bytes = 0, write_bytes = 0;
  std::int64_t hits = 0, misses = 0;  ///< lines that the level above asked for
  std::int64_t prefetches = 0;        ///< lines that it fetched ahead
  std::int64_t far = 0;               ///< of these, lines that the last-level cache did not have
};

/// The caches of one core, as the others see them.
class PrivateCaches {
 public:
  virtual ~PrivateCaches() = default;
  virtual bool Holds(std::int64_t line) const = 0;
  virtual void Invalidate(std::int64_t line) = 0;
};

class SharedMemory : public sc_core::sc_module, private MemoryClient {
 public:
  sc_core::sc_vector<sc_core::sc_port<MemoryPort>> memory;  ///< of each node

  SharedMemory(const sc_core::sc_module_name& name, const CpuSpec& spec, Clock clock,
               const NumaMap& numa);

  /// Cores are numbered in the order in which they are added.
  std::uint32_t AddCore(PrivateCaches* caches);
  struct Arrival {
    std::uint64_t ready = 0;  ///< cycle in which the line is there
    std::uint64_t idle = 0;   ///< in which it would be if nobody else wanted anything
  };
  /// A line for a core's private caches. `when`: the cycle in which the core asked its first level.
  Arrival Fetch(std::uint32_t core, std::uint64_t when, std::int64_t line);
  /// Whether the last-level cache of a core's cluster has a line.
  bool Holds(std::uint32_t core, std::int64_t line) const {
    return clusters_[core / cores_of_cluster_].lines.Holds(line);
  }
  /// A line will be fetched, or dropped: the host shall have at hand what is looked up then.
  void WillLookFor(std::uint32_t core, std::int64_t line) const {
    clusters_[core / cores_of_cluster_].lines.WillLookFor(line);
    if (directory_ != nullptr) directory_->WillLookFor(line);
  }
  void WillDrop(std::uint32_t core, std::int64_t line) const {
    clusters_[core / cores_of_cluster_].lines.WillLookFor(line);
  }
  /// A core is about to write a line that it has: no other may keep it. Returns the cycle in which
  /// that is so.
  std::uint64_t Own(std::uint32_t core, std::uint64_t when, std::int64_t line);
  /// A line that a core writes past all caches; the arrival is the memory's taking it.
  Arrival WriteAround(std::uint32_t core, std::uint64_t when, std::int64_t line);
  /// A line that a core's last private cache has dropped.
  void Drop(std::uint32_t core, std::uint64_t when, const CacheLine& line);

  /// While caches are warmed, lines come into them and go as ever, but all from an idle memory:
  /// nothing waits for anything else.
  void Warm(bool warms) { warms_ = warms; }

  const CacheTraffic& traffic() const { return traffic_; }
  std::int64_t dram_read_bytes() const { return dram_read_bytes_; }
  std::int64_t dram_write_bytes() const { return dram_write_bytes_; }
  void ResetCounters() {
    traffic_ = {};
    dram_read_bytes_ = dram_write_bytes_ = 0;
  }

 private:
  struct Cluster {
    CacheArray lines;
    MissRegisters misses;
    BandwidthCalendar read, write;  ///< the fabric's, both ways
    std::size_t node = 0;
  };

  void Respond(std::uint64_t tag, const MemoryResponse& response) override;
  Cluster& ClusterOf(std::uint32_t core) { return clusters_[core / cores_of_cluster_]; }
  bool NeighbourHolds(const CoherenceDirectory::Entry& entry, std::uint32_t core,
                      std::int64_t line) const;
  std::uint64_t FromOtherCore(const CoherenceDirectory::Entry& entry, std::uint32_t core,
                              std::uint64_t when, std::int64_t line);
  /// Latency of an idle memory for a line that a node's core wants.
  std::uint64_t IdleCycles(std::size_t node, std::int64_t line);
  std::uint64_t FromDram(Cluster& cluster, std::uint64_t when, std::int64_t line);
  /// Asks a node's memory; returns the cycle of its answer.
  std::uint64_t Ask(std::size_t node, std::uint64_t when, std::int64_t line, bool write);
  BandwidthCalendar& Link(std::size_t from, std::size_t to) {
    return links_[from * static_cast<std::size_t>(spec_.numa.nodes) + to];
  }
  std::uint64_t LinkCycles(std::size_t from, std::size_t to) const {
    return from == to ? 0 : link_cycles_;
  }
  std::uint64_t ToNode(Cluster& cluster, std::uint64_t when, std::int64_t line);
  void ToDram(Cluster& cluster, std::uint64_t when, std::int64_t line);
  void SendWrites(std::uint64_t until);

  const CpuSpec& spec_;
  Clock clock_;
  std::uint32_t cores_of_cluster_;
  std::vector<Cluster> clusters_;
  std::vector<BandwidthCalendar> fill_;   ///< of each core
  std::vector<BandwidthCalendar> links_;  ///< from each node to each
  std::uint64_t link_cycles_ = 0;         ///< one way
  const NumaMap& numa_;
  std::uint64_t dram_idle_cycles_ = 0;  ///< latency of the memory; 0 = not asked yet
  std::vector<PrivateCaches*> cores_;
  std::unique_ptr<CoherenceDirectory> directory_;        ///< null where there is one core
  using Write = std::pair<std::uint64_t, std::int64_t>;  ///< cycle at the memory, line
  std::priority_queue<Write, std::vector<Write>, std::greater<>> writes_;
  Tick arrived_ = 0;
  bool warms_ = false;
  CacheTraffic traffic_;
  std::int64_t dram_read_bytes_ = 0, dram_write_bytes_ = 0;
};

}  // namespace siliscope
