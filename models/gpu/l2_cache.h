// SPDX-License-Identifier: Apache-2.0
// The second-level cache of a GPU at tile zoom. It holds the tensors' real lines: granules of 64
// lines of 128 bytes, each line with its own valid and dirty bit, least recently used granule out.
// In two partitions a line has its home in one of them; an SM of the other partition fetches it
// over the link and leaves a copy in its own. Hits, misses, copies and write-backs follow from
// addresses.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <systemc>
#include <vector>

#include "models/gpu/cta_geometry.h"
#include "models/gpu/granule_shape.h"
#include "models/memory/memory_port.h"
#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"
#include "sim/core/divisor.h"
#include "sim/core/time.h"
#include "sim/core/timeline.h"

namespace siliscope {

struct L2Request {
  Tick asked = 0;  ///< the present
  Tick when = 0;   ///< leaves the SM, translated and past what is queued there
  std::uint32_t launch = 0;
  std::uint32_t tensor = 0;
  Rectangle rectangle;        ///< in lines
  std::size_t partition = 0;  ///< of the SM
  bool write = false;
  std::int64_t atomics_on_one_address = 0;  ///< operations that follow each other; 0 = plain
};

struct L2Response {
  Tick asked = 0;
  Tick first = 0;            ///< the SM's port is free for it from here on
  Tick end = 0;              ///< last data
  Tick first_data = kNever;  ///< of the first line that arrives
  Tick mean_data = 0;        ///< over the lines, when they arrive
  Tick queued = 0;           ///< of the way to the last data: waiting for bandwidth, not latency
  bool from_dram = false;
};

struct L2Arrivals {
  std::int64_t read = 0, from_memory = 0, over_link = 0;  ///< bytes that SMs asked for
  std::int64_t memory_read = 0, memory_written = 0;       ///< bytes of whole lines

  void Add(const L2Arrivals& other) {
    read += other.read;
    from_memory += other.from_memory;
    over_link += other.over_link;
    memory_read += other.memory_read;
    memory_written += other.memory_written;
  }
};

/// What the L2 offers to SMs.
class L2Port : public sc_core::sc_interface {
 public:
  virtual L2Response Access(const L2Request& request) = 0;
  /// What a read that is not played leaves in the cache: its lines are there at once, what has to
  /// go goes. Returns the bytes that had to come.
  virtual L2Arrivals Follow(const L2Request& request) = 0;
};

struct L2Counters {
  std::int64_t read_bytes = 0, write_bytes = 0;  ///< of the SMs
  std::int64_t miss_bytes = 0;                   ///< of the reads
  std::int64_t link_bytes = 0;
  std::int64_t dram_read_bytes = 0, dram_write_bytes = 0;
  Tick busy = 0;

  /// Adds `times` times what `other` has more than `less`.
  void Add(const L2Counters& other, std::int64_t times, const L2Counters& less) {
    read_bytes += times * (other.read_bytes - less.read_bytes);
    write_bytes += times * (other.write_bytes - less.write_bytes);
    miss_bytes += times * (other.miss_bytes - less.miss_bytes);
    link_bytes += times * (other.link_bytes - less.link_bytes);
    dram_read_bytes += times * (other.dram_read_bytes - less.dram_read_bytes);
    dram_write_bytes += times * (other.dram_write_bytes - less.dram_write_bytes);
    busy += static_cast<Tick>(times) * (other.busy - less.busy);
  }
};

class L2Cache : public sc_core::sc_module, public L2Port, private MemoryClient {
 public:
  sc_core::sc_export<L2Port> port{"port"};
  sc_core::sc_port<MemoryPort> memory{"memory"};

  /// `channel_bytes` of consecutive addresses lie in one channel of the memory.
  L2Cache(const sc_core::sc_module_name& name, const L2Spec& spec, Clock clock,
          const GpuProgram& program, std::int64_t channel_bytes);

  L2Response Access(const L2Request& request) override;
  L2Arrivals Follow(const L2Request& request) override;

  /// Drops the lines of a tensor, written back first.
  void Evict(std::uint32_t tensor, Tick when);
  void SetClock(Clock clock);
  L2Counters counters() const;
  /// Of one launch; write-backs count for the launch whose lines take their place.
  const L2Counters& counters(std::uint32_t launch) const { return counters_[launch]; }
  void ResetCounters() { counters_.assign(counters_.size(), {}); }
  void RepeatCounters(std::uint32_t launch, const L2Counters& before, std::int64_t times) {
    counters_[launch].Add(counters_[launch], times, before);
  }
  /// The same, but for what was followed of the loads that were not played.
  void RepeatCounters(std::uint32_t launch, const L2Counters& before, std::int64_t times,
                      const L2Arrivals& followed);
  double bytes_per_s() const;

 private:
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};
  struct Granule {
    std::array<std::uint64_t, 2> valid{};   ///< in each partition
    std::uint64_t dirty = 0;                ///< at home
    std::uint64_t home = 0;                 ///< bits: partition that a line belongs to
    std::array<std::uint64_t, 2> coming{};  ///< lines that may still be on their way
    std::array<Tick, 2> ready{};            ///< when the last of them is there
    std::array<std::uint32_t, 2> used{};    ///< when it was used last, of each partition
    std::array<std::uint32_t, 2> place = {kNowhere, kNowhere};  ///< among the residents
  };
  struct Layout {             ///< of a tensor
    std::uint32_t first = 0;  ///< granule
    std::int64_t rows_per_granule = 1, lines_per_granule_row = 64;
    Divisor granules_per_row;
    std::int64_t granules = 0;
  };
  struct Partition {
    std::vector<Tick> slices;              ///< when each is free
    Timeline link;                         ///< inward
    std::vector<std::uint32_t> residents;  ///< granules with lines here
    std::uint32_t uses = 0;
    std::int64_t lines = 0;
  };

  static std::int64_t CountLines(std::uint64_t lines) { return __builtin_popcountll(lines); }
  /// The lowest n bits.
  static std::uint64_t LowBits(std::int64_t n) {
    return n >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
  }
  /// The slices deliver or take lines of a granule; returns when the last has passed.
  Tick PassSlices(std::size_t partition, std::uint32_t granule, std::uint64_t lines,
                  std::int64_t bytes_per_line, Tick asked, Tick at_cache);
  Tick PassAtomicUnit(const L2Request& request, Tick at_cache);
  std::uint64_t Lines(const Layout& layout, const Rectangle& r, std::int64_t granule_row,
                      std::int64_t granule_column) const;
  std::uint64_t HomeOf(std::uint32_t granule, std::int64_t lines_per_row) const;
  /// Lines that come in are there at `ready`; those that came before `now` are.
  static void Await(Granule* g, std::size_t partition, std::uint64_t lines, Tick now, Tick ready) {
    if (g->ready[partition] <= now) g->coming[partition] = 0;
    g->coming[partition] |= lines;
    g->ready[partition] = std::max(g->ready[partition], ready);
  }
  /// When all of `lines` are there.
  static Tick ReadyAt(const Granule& g, std::size_t partition, std::uint64_t lines) {
    return (g.coming[partition] & lines) != 0 ? g.ready[partition] : 0;
  }
  void Touch(std::uint32_t granule, std::size_t partition);
  void Remove(std::uint32_t granule, std::size_t partition);
  void Insert(std::uint32_t granule, std::size_t partition, std::uint64_t lines, Tick when);
  /// Makes room: of a few residents taken at random, the one not used for longest goes.
  void DropOne(std::size_t partition, std::uint32_t keep, Tick when);
  void CleanRows(std::size_t partition, std::uint32_t granule, Tick when);
  void WriteBack(std::uint32_t granule, std::uint64_t lines, Tick when);
  /// Moves lines of a granule from or to memory; returns when the last is there.
  Tick MoveLines(std::size_t tensor, std::uint32_t granule, std::uint64_t lines, Tick when,
                 bool write);
  void Respond(std::uint64_t tag, const MemoryResponse& response) override;
  void ReadGranule(const L2Request& request, std::uint32_t granule, std::uint64_t lines,
                   std::int64_t bytes_per_line, Tick at_cache, L2Response* response);
  void WriteGranule(const L2Request& request, std::uint32_t granule, std::uint64_t lines,
                    std::int64_t bytes_per_line, Tick at_cache);
  L2Arrivals FollowGranule(std::size_t here, std::uint32_t granule, std::uint64_t lines,
                           std::int64_t bytes_per_line);
  /// Calls granule(index, lines as bits) for each granule of a rectangle.
  template <class Call>
  void ForEachGranule(const Layout& layout, const Rectangle& r, const Call& granule) const {
    const std::int64_t row0 = r.row / layout.rows_per_granule;
    const std::int64_t row1 = (r.row + r.rows - 1) / layout.rows_per_granule;
    const std::int64_t column0 = r.byte / line_bytes_ / layout.lines_per_granule_row;
    const std::int64_t column1 =
        (r.byte + r.bytes - 1) / line_bytes_ / layout.lines_per_granule_row;
    for (std::int64_t row = row0; row <= row1; ++row) {
      for (std::int64_t column = column0; column <= column1; ++column) {
        granule(static_cast<std::uint32_t>(layout.first + row * layout.granules_per_row.value() +
                                           column),
                Lines(layout, r, row, column));
      }
    }
  }
  std::int64_t LinesOfRow(const Rectangle& r) const {
    return (r.byte + r.bytes - 1) / line_bytes_ - r.byte / line_bytes_ + 1;
  }
  /// Of what is asked of each line, in sectors.
  std::int64_t BytesPerLine(const Rectangle& r) const;
  std::size_t TensorOf(std::uint32_t granule) const;

  L2Spec spec_;
  Clock clock_;
  std::size_t partitions_;
  std::int64_t line_bytes_, lines_per_stretch_;  ///< what a miss fetches
  std::int64_t capacity_lines_;                  ///< of a partition
  Tick half_near_ = 0, far_ = 0;
  std::vector<GpuTensor> tensors_;
  std::vector<Layout> layouts_;
  std::vector<Granule> granules_;
  std::array<Partition, 2> state_;
  std::vector<Tick> atomic_units_;                ///< of each slice, when it is free
  std::uint64_t random_ = 0x9e3779b97f4a7c15ULL;  ///< of the replacement
  std::vector<L2Counters> counters_;              ///< by launch
  Tick accepted_ = 0;              ///< what the present access writes, and writes back for it
  bool follows_ = false;           ///< what goes takes no time
  std::int64_t written_back_ = 0;  ///< of it, bytes
  L2Counters* counted_ = nullptr;  ///< of the launch of the present access
  Tick response_first_ = 0, response_end_ = 0;
  Tick asked_memory_ = 0;
  Tick response_late_ = 0;  ///< line-ticks after `asked_memory_`
  Tick read_late_ = 0;      ///< of the present access, after it came to the cache
};

}  // namespace siliscope
