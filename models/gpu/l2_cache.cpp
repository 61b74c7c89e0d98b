// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/l2_cache.h"

#include <algorithm>

#include "sim/core/ceil_divide.h"

namespace siliscope {
namespace {

/// A power of two, at most half a granule.
std::int64_t LinesPerStretch(std::int64_t channel_bytes, std::int64_t line_bytes) {
  std::int64_t lines = 1;
  while (2 * lines * line_bytes <= channel_bytes && 2 * lines < kLinesPerGranule) lines *= 2;
  return lines;
}

}  // namespace

L2Cache::L2Cache(const sc_core::sc_module_name& name, const L2Spec& spec, Clock clock,
                 const GpuProgram& program, std::int64_t channel_bytes)
    : sc_core::sc_module(name),
      spec_(spec),
      clock_(clock),
      partitions_(static_cast<std::size_t>(spec.partitions)),
      line_bytes_(spec.fetch_bytes),
      lines_per_stretch_(LinesPerStretch(channel_bytes, spec.fetch_bytes)),
      capacity_lines_(spec.size_bytes / spec.fetch_bytes / spec.partitions),
      tensors_(program.tensors) {
  port.bind(*this);
  std::uint32_t next = 1;
  const std::vector<std::int64_t> rows = GranuleRows(program, line_bytes_);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    const GpuTensor& t = tensors_[i];
    Layout layout;
    layout.first = next;
    layout.rows_per_granule = rows[i];
    layout.lines_per_granule_row = kLinesPerGranule / rows[i];
    const std::int64_t per_row =
        CeilDivide(CeilDivide(LineRowBytes(t), line_bytes_), layout.lines_per_granule_row);
    layout.granules_per_row = Divisor(std::max<std::int64_t>(1, per_row));
    layout.granules = per_row * CeilDivide(LineRows(t), rows[i]);
    next += static_cast<std::uint32_t>(layout.granules);
    layouts_.push_back(layout);
  }
  granules_.resize(next);
  for (std::size_t t = 0; partitions_ > 1 && t < layouts_.size(); ++t) {
    const Layout& layout = layouts_[t];
    for (std::int64_t i = 0; i < layout.granules; ++i) {
      const auto granule = layout.first + static_cast<std::uint32_t>(i);
      granules_[granule].home = HomeOf(granule, layout.lines_per_granule_row);
    }
  }
  for (std::size_t p = 0; p < partitions_; ++p) {
    state_[p].slices.assign(
        static_cast<std::size_t>(std::max<std::int64_t>(1, spec.slices / spec.partitions)), 0);
  }
  atomic_units_.assign(static_cast<std::size_t>(std::max<std::int64_t>(1, spec.slices)), 0);
  counters_.resize(std::max<std::size_t>(1, program.launches.size()));
  counted_ = &counters_.front();
  SetClock(clock);
}

void L2Cache::SetClock(Clock clock) {
  clock_ = spec_.clock_hz > 0 ? Clock(spec_.clock_hz) : clock;
  half_near_ = clock.Cycles(static_cast<std::uint64_t>(spec_.near_latency_cycles / 2));
  far_ = clock.Cycles(static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, spec_.far_latency_cycles - spec_.near_latency_cycles)));
}

double L2Cache::bytes_per_s() const {
  return static_cast<double>(spec_.slices * spec_.slice_bytes_per_cycle) * clock_.hertz();
}

Tick L2Cache::PassSlices(std::size_t partition, std::uint32_t granule, std::uint64_t lines,
                         std::int64_t bytes_per_line, Tick asked, Tick at_cache) {
  std::vector<Tick>& slices = state_[partition].slices;
  const Tick duration = clock_.Cycles(static_cast<double>(bytes_per_line) /
                                      static_cast<double>(spec_.slice_bytes_per_cycle));
  counted_->busy += duration * static_cast<Tick>(CountLines(lines));
  const auto count = static_cast<std::uint64_t>(slices.size());
  Tick end = at_cache;
  while (lines != 0) {
    const auto bit = static_cast<std::uint64_t>(__builtin_ctzll(lines));
    lines &= lines - 1;
    // Lines are spread over the slices by a hash of their address.
    std::uint64_t hash = (std::uint64_t{granule} * 64 + bit) * 0x9e3779b97f4a7c15ULL;
    Tick& slice = slices[((hash >> 32) * count) >> 32];
    // A request that comes later, as its page is walked for, holds up none that is there before it.
    slice = std::max(slice, asked + half_near_) + duration;
    end = std::max({end, slice, at_cache + duration});
  }
  return end;
}

/// A line belongs to the partition of the memory channel that it lies in, so lines of one stretch
/// of a channel belong together: half of the stretches to each partition.
std::uint64_t L2Cache::HomeOf(std::uint32_t granule, std::int64_t lines_per_row) const {
  std::uint64_t hash = std::uint64_t{granule} * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 29;
  hash *= 0xbf58476d1ce4e5b9ULL;
  hash >>= 16;
  const auto stretch = static_cast<int>(std::min(lines_per_stretch_, lines_per_row));
  const int half = static_cast<int>(kLinesPerGranule) / stretch / 2;
  std::uint64_t home = 0;
  for (int i = 0; i < half; ++i) {  // a stretch and its opposite in the granule's other half
    const int at = (hash >> i & 1) != 0 ? i + half : i;
    home |= LowBits(stretch) << (at * stretch);
  }
  return home;
}

/// The lines of a rectangle that lie in one granule, as bits.
std::uint64_t L2Cache::Lines(const Layout& layout, const Rectangle& r, std::int64_t granule_row,
                             std::int64_t granule_column) const {
  const std::int64_t per_row = layout.lines_per_granule_row;
  const std::int64_t first_line =
      std::max(r.byte / line_bytes_ - granule_column * per_row, std::int64_t{0});
  const std::int64_t last_line =
      std::min((r.byte + r.bytes - 1) / line_bytes_ - granule_column * per_row, per_row - 1);
  const std::int64_t first_row =
      std::max(r.row - granule_row * layout.rows_per_granule, std::int64_t{0});
  const std::int64_t last_row = std::min(r.row + r.rows - 1 - granule_row * layout.rows_per_granule,
                                         layout.rows_per_granule - 1);
  if (per_row == 1) return LowBits(last_row + 1) & ~LowBits(first_row);
  const std::uint64_t row = LowBits(last_line + 1) & ~LowBits(first_line);
  if (layout.rows_per_granule == 1) return row;
  std::uint64_t lines = 0;
  for (std::int64_t i = first_row; i <= last_row; ++i) lines |= row << (i * per_row);
  return lines;
}

L2Counters L2Cache::counters() const {
  L2Counters sum;
  for (const L2Counters& launch : counters_) sum.Add(launch, 1, {});
  return sum;
}

L2Response L2Cache::Access(const L2Request& request) {
  counted_ = &counters_[request.launch];
  accepted_ = read_late_ = 0;
  const Rectangle& r = request.rectangle;
  L2Response response;
  response.asked = request.asked;
  response.first = response.end = request.when;
  if (r.rows <= 0) return response;
  const Layout& layout = layouts_[request.tensor];
  const Tick at_cache = request.when + half_near_;
  response.first = kNever;
  const std::int64_t bytes_per_line = BytesPerLine(r);
  ForEachGranule(layout, r, [&](std::uint32_t granule, std::uint64_t lines) {
    if (request.write) {
      WriteGranule(request, granule, lines, bytes_per_line, at_cache);
    } else {
      ReadGranule(request, granule, lines, bytes_per_line, at_cache, &response);
    }
  });
  if (request.write) {
    response.first = request.when + 2 * half_near_;
    response.end = std::max(response.first, accepted_ + half_near_);
  } else {
    const auto lines = static_cast<Tick>(r.rows * LinesOfRow(r));
    response.mean_data = std::min(at_cache + read_late_ / lines + half_near_, response.end);
  }
  if (request.atomics_on_one_address > 0) {
    response.end = PassAtomicUnit(request, at_cache) + half_near_;
  }
  return response;
}

std::int64_t L2Cache::BytesPerLine(const Rectangle& r) const {
  return CeilDivide(CeilDivide(r.bytes, LinesOfRow(r)), 32) * 32;
}

/// The slice's unit reads, operates and writes, one operation on an address after the other.
Tick L2Cache::PassAtomicUnit(const L2Request& request, Tick at_cache) {
  const GpuTensor& tensor = tensors_[request.tensor];
  const Rectangle& r = request.rectangle;
  const auto line = static_cast<std::uint64_t>(
      (tensor.address + r.row * LineRowBytes(tensor) + r.byte) / line_bytes_);
  Tick& unit = atomic_units_[(line * 0x9e3779b97f4a7c15ULL >> 32) % atomic_units_.size()];
  unit = std::max(unit, at_cache) +
         clock_.Cycles(static_cast<std::uint64_t>(request.atomics_on_one_address *
                                                  spec_.atomic_interval_cycles));
  return unit;
}

void L2Cache::ReadGranule(const L2Request& request, std::uint32_t granule, std::uint64_t lines,
                          std::int64_t bytes_per_line, Tick at_cache, L2Response* response) {
  Granule& g = granules_[granule];
  const std::size_t here = request.partition;
  const std::uint64_t home_here = here == 0 ? ~g.home : g.home;
  const std::uint64_t present = lines & g.valid[here];
  const std::uint64_t absent = lines & ~present;
  const std::int64_t bytes = CountLines(lines) * bytes_per_line;
  counted_->read_bytes += bytes;
  Partition& p = state_[here];
  Tick available = PassSlices(here, granule, lines, bytes_per_line, request.asked, at_cache);
  Tick latency_only = at_cache, first_data = kNever;
  if (present != 0) {
    const Tick there = ReadyAt(g, here, present);
    available = std::max(available, there);
    first_data = std::max(at_cache, there);
    read_late_ += static_cast<Tick>(CountLines(present)) * (first_data - at_cache);
    Touch(granule, here);
  }
  if (absent != 0) {
    Tick ready = at_cache;
    const std::uint64_t near = absent & home_here, far = absent & ~home_here;
    std::uint64_t missing = near;
    if (far != 0) {
      const std::size_t there = 1 - here;
      const std::uint64_t far_present = far & g.valid[there];
      Tick arrives = at_cache + far_ / 2;
      if (far_present != 0) arrives = std::max(arrives, ReadyAt(g, there, far_present));
      const std::uint64_t far_missing = far & ~far_present;
      read_late_ += static_cast<Tick>(CountLines(far_present)) * (arrives + far_ / 2 - at_cache) +
                    static_cast<Tick>(CountLines(far_missing)) * far_;
      if (far_missing != 0) {
        const Tick loaded =
            MoveLines(request.tensor, granule, far_missing, at_cache + far_ / 2, false);
        first_data = std::min(first_data, response_first_ + far_ - far_ / 2);
        read_late_ += response_late_;
        Insert(granule, there, far_missing, at_cache);
        Await(&g, there, far_missing, at_cache, loaded);
        arrives = std::max(arrives, loaded);
        response->from_dram = true;
      } else {
        first_data = std::min(first_data, arrives + far_ - far_ / 2);
        Touch(granule, there);
      }
      const std::int64_t far_bytes = CountLines(far) * bytes_per_line;
      counted_->link_bytes += far_bytes;
      if (spec_.link_bytes_per_cycle > 0) {
        const Tick on_link =
            clock_.Cycles(static_cast<double>(far_bytes) / spec_.link_bytes_per_cycle);
        arrives = p.link.Reserve(arrives, on_link) + on_link;
      }
      ready = std::max(ready, arrives + far_ - far_ / 2);
      latency_only += far_;
      counted_->miss_bytes += CountLines(far_missing) * bytes_per_line;
    }
    if (missing != 0) {
      ready = std::max(ready, MoveLines(request.tensor, granule, missing, at_cache, false));
      first_data = std::min(first_data, response_first_);
      read_late_ += response_late_;
      counted_->miss_bytes += CountLines(missing) * bytes_per_line;
      response->from_dram = true;
    }
    Insert(granule, here, absent, at_cache);
    Await(&g, here, absent, at_cache, ready);
    available = std::max(available, ready);
  }
  if (response->from_dram) latency_only += memory->IdleLatency();
  response->first = std::min(response->first, at_cache + half_near_);
  response->first_data = std::min(response->first_data, first_data + half_near_);
  if (available + half_near_ > response->end) {
    response->end = available + half_near_;
    response->queued = available > latency_only ? available - latency_only : 0;
  }
}

void L2Cache::WriteGranule(const L2Request& request, std::uint32_t granule, std::uint64_t lines,
                           std::int64_t bytes_per_line, Tick at_cache) {
  Granule& g = granules_[granule];
  const std::int64_t bytes = CountLines(lines) * bytes_per_line;
  counted_->write_bytes += bytes;
  const std::uint64_t one = g.home;
  for (std::size_t p = 0; p < partitions_; ++p) {
    const std::uint64_t home = lines & (p == 0 ? ~one : one);
    if (home == 0) continue;
    const Tick passed = PassSlices(p, granule, home, bytes_per_line, request.asked, at_cache);
    accepted_ = std::max(accepted_, passed);
    if (p != request.partition) counted_->link_bytes += CountLines(home) * bytes_per_line;
    const std::uint64_t absent = home & ~g.valid[p];
    if (absent != 0) {
      Insert(granule, p, absent, at_cache);
    } else {
      Touch(granule, p);
    }
    g.dirty |= home;
    // Copies in the other partition are out of date.
    const std::size_t other = 1 - p;
    if (partitions_ > 1 && (g.valid[other] & home) != 0) {
      const std::uint64_t stale = g.valid[other] & home;
      if (stale == g.valid[other]) {
        Remove(granule, other);
      } else {
        state_[other].lines -= CountLines(stale);
        g.valid[other] &= ~stale;
      }
    }
  }
}

}  // namespace siliscope
