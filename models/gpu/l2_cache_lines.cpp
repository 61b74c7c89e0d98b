// SPDX-License-Identifier: Apache-2.0
// Lines that come into the L2, that it drops and writes back, and their way from and to memory.
#include <algorithm>

#include "models/gpu/l2_cache.h"

namespace siliscope {

void L2Cache::Remove(std::uint32_t granule, std::size_t partition) {
  Granule& g = granules_[granule];
  Partition& p = state_[partition];
  p.lines -= CountLines(g.valid[partition]);
  g.valid[partition] = 0;
  const std::uint32_t last = p.residents.back();
  p.residents[g.place[partition]] = last;
  granules_[last].place[partition] = g.place[partition];
  p.residents.pop_back();
  g.place[partition] = kNowhere;
}

void L2Cache::Touch(std::uint32_t granule, std::size_t partition) {
  granules_[granule].used[partition] = ++state_[partition].uses;
}

void L2Cache::Insert(std::uint32_t granule, std::size_t partition, std::uint64_t lines, Tick when) {
  Granule& g = granules_[granule];
  Partition& p = state_[partition];
  p.lines += CountLines(lines & ~g.valid[partition]);
  g.valid[partition] |= lines;
  if (g.place[partition] == kNowhere) {
    g.place[partition] = static_cast<std::uint32_t>(p.residents.size());
    p.residents.push_back(granule);
  }
  Touch(granule, partition);
  while (p.lines > capacity_lines_ && p.residents.size() > 1) DropOne(partition, granule, when);
}

void L2Cache::DropOne(std::size_t partition, std::uint32_t keep, Tick when) {
  Partition& p = state_[partition];
  std::uint32_t victim = keep, age = 0;
  for (std::int64_t i = 0; i < spec_.candidates || victim == keep; ++i) {
    random_ = random_ * 6364136223846793005ULL + 1442695040888963407ULL;
    const std::uint32_t granule = p.residents[((random_ >> 32) * p.residents.size()) >> 32];
    if (granule == keep || (victim != keep && p.uses - granules_[granule].used[partition] <= age)) {
      continue;
    }
    victim = granule;
    age = p.uses - granules_[granule].used[partition];
  }
  if (granules_[victim].dirty != 0) CleanRows(partition, victim, when);
  Remove(victim, partition);
}

/// Writes back a granule and what lies beside it in the same rows of the memory, so that a row that
/// is opened takes more than one line (Lee et al., DRAM-aware last-level cache writeback, 2010).
void L2Cache::CleanRows(std::size_t partition, std::uint32_t granule, Tick when) {
  constexpr std::int64_t kRowLines = 8;
  const Layout& layout = layouts_[TensorOf(granule)];
  const std::int64_t width = std::max<std::int64_t>(1, kRowLines / layout.lines_per_granule_row);
  const std::int64_t index = granule - layout.first;
  const std::int64_t column = layout.granules_per_row.Remainder(index);
  const std::int64_t first = index - column % width;
  const std::int64_t last =
      std::min(first + width, index - column + layout.granules_per_row.value());
  for (std::int64_t i = first; i < last; ++i) {
    const auto g = static_cast<std::uint32_t>(layout.first + i);
    if (granules_[g].dirty == 0) continue;
    const std::uint64_t one = granules_[g].home;
    WriteBack(g, granules_[g].dirty & (partition == 0 ? ~one : one), when);
  }
}

void L2Cache::WriteBack(std::uint32_t granule, std::uint64_t lines, Tick when) {
  if (lines == 0) return;
  granules_[granule].dirty &= ~lines;
  if (follows_) {
    written_back_ += CountLines(lines) * line_bytes_;
    return;
  }
  // The place is free once the memory's controller has taken what it holds.
  accepted_ = std::max(accepted_, MoveLines(TensorOf(granule), granule, lines, when, true));
}

L2Arrivals L2Cache::Follow(const L2Request& request) {
  L2Arrivals sum;
  const Rectangle& r = request.rectangle;
  if (r.rows <= 0) return sum;
  follows_ = true;
  written_back_ = 0;
  const std::int64_t bytes_per_line = BytesPerLine(r);
  ForEachGranule(layouts_[request.tensor], r, [&](std::uint32_t granule, std::uint64_t lines) {
    sum.Add(FollowGranule(request.partition, granule, lines, bytes_per_line));
  });
  follows_ = false;
  sum.memory_written = written_back_;
  return sum;
}

void L2Cache::RepeatCounters(std::uint32_t launch, const L2Counters& before, std::int64_t times,
                             const L2Arrivals& followed) {
  L2Counters& c = counters_[launch];
  const L2Counters now = c;
  c.Add(now, times, before);
  c.miss_bytes = now.miss_bytes + followed.from_memory;
  c.link_bytes = now.link_bytes + followed.over_link;
  c.dram_read_bytes = now.dram_read_bytes + followed.memory_read;
  c.dram_write_bytes = now.dram_write_bytes + followed.memory_written;
}

L2Arrivals L2Cache::FollowGranule(std::size_t here, std::uint32_t granule, std::uint64_t lines,
                                  std::int64_t bytes_per_line) {
  const Granule& g = granules_[granule];
  const std::uint64_t home_here = here == 0 ? ~g.home : g.home;
  const std::uint64_t absent = lines & ~g.valid[here];
  if (absent != lines) Touch(granule, here);
  if (absent == 0) return {};
  const std::uint64_t far = absent & ~home_here;
  std::uint64_t missing = absent & home_here;
  if (far != 0) {
    const std::size_t there = 1 - here;
    const std::uint64_t far_missing = far & ~g.valid[there];
    missing |= far_missing;
    if (far_missing != 0) {
      Insert(granule, there, far_missing, 0);
    } else {
      Touch(granule, there);
    }
  }
  Insert(granule, here, absent, 0);
  L2Arrivals came;
  came.read = CountLines(lines) * bytes_per_line;
  came.from_memory = CountLines(missing) * bytes_per_line;
  came.over_link = CountLines(far) * bytes_per_line;
  came.memory_read = CountLines(missing) * line_bytes_;
  return came;
}

void L2Cache::Evict(std::uint32_t tensor, Tick when) {
  const Layout& layout = layouts_[tensor];
  for (std::int64_t i = 0; i < layout.granules; ++i) {
    const auto granule = static_cast<std::uint32_t>(layout.first + i);
    Granule& g = granules_[granule];
    WriteBack(granule, g.dirty, when);
    for (std::size_t p = 0; p < partitions_; ++p) {
      if (g.valid[p] != 0) Remove(granule, p);
    }
  }
}

std::size_t L2Cache::TensorOf(std::uint32_t granule) const {
  std::size_t low = 0, high = layouts_.size();
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (layouts_[middle].first <= granule ? low : high) = middle;
  }
  return low;
}

Tick L2Cache::MoveLines(std::size_t t, std::uint32_t granule, std::uint64_t lines, Tick when,
                        bool write) {
  const Layout& layout = layouts_[t];
  const GpuTensor& tensor = tensors_[t];
  const std::int64_t index = granule - layout.first;
  const std::int64_t granule_row = layout.granules_per_row.Quotient(index);
  const std::int64_t row0 = granule_row * layout.rows_per_granule;
  const std::int64_t line0 =
      (index - granule_row * layout.granules_per_row.value()) * layout.lines_per_granule_row;
  const std::int64_t pitch = LineRowBytes(tensor);
  const std::int64_t bytes = CountLines(lines) * line_bytes_;
  (write ? counted_->dram_write_bytes : counted_->dram_read_bytes) += bytes;
  response_first_ = kNever;
  response_end_ = when;
  response_late_ = 0;
  asked_memory_ = when;
  const int in_row = static_cast<int>(layout.lines_per_granule_row);
  const int row_shift = __builtin_ctz(static_cast<unsigned>(in_row));
  const bool rows_touch = in_row * line_bytes_ == pitch;
  while (lines != 0) {
    const int bit = __builtin_ctzll(lines);
    const int row = bit >> row_shift, in_line = bit & (in_row - 1);
    // Lines beside each other go as one request.
    const std::uint64_t beyond = ~(lines >> bit);
    const int wanted = beyond == 0 ? static_cast<int>(kLinesPerGranule) : __builtin_ctzll(beyond);
    const int run = rows_touch ? wanted : std::min(wanted, in_row - in_line);
    lines &= ~(LowBits(bit + run) & ~LowBits(bit));
    MemoryRequest request;
    request.when = when;
    request.address = tensor.address + (row0 + row) * pitch + (line0 + in_line) * line_bytes_;
    request.bytes = run * line_bytes_;
    request.write = write;
    memory->Request(request, *this, static_cast<std::uint64_t>(run));  // told by its lines
  }
  return response_end_;
}

void L2Cache::Respond(std::uint64_t lines, const MemoryResponse& response) {
  response_first_ = std::min(response_first_, response.first);
  response_end_ = std::max(response_end_, response.end);
  response_late_ += lines * ((response.mean == 0 ? response.end : response.mean) - asked_memory_);
}

}  // namespace siliscope
