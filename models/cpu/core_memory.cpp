// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/core_memory.h"

#include <algorithm>

namespace siliscope {
CoreMemory::CoreMemory(const CpuSpec& spec, SharedMemory& shared)
    : spec_(spec),
      shared_(shared),
      core_(shared.AddCore(this)),
      l1_(spec.l1, spec.line_bytes),
      l2_(spec.l2, spec.line_bytes),
      l1_misses_(spec.l1.misses),
      l2_misses_(spec.l2.misses),
      l1_streams_(spec.l1.prefetch_lines, spec.l1.prefetch_streams,
                  spec.l1.prefetch_page_bytes / spec.line_bytes),
      l2_streams_(spec.l2.prefetch_lines, spec.l2.prefetch_streams,
                  spec.l2.prefetch_page_bytes / spec.line_bytes),
      pages_(spec.tlb),
      l2_fill_(spec.l2.fill_bytes_per_cycle),
      l2_write_back_(spec.l2.fill_bytes_per_cycle) {
  if (!spec.l1.retries_full_sets || !l2_.exists()) return;
  const std::int64_t sets = spec.l1.size_bytes / spec.line_bytes / spec.l1.ways;
  set_queued_.resize(static_cast<std::size_t>(std::max<std::int64_t>(1, sets)));
}

void CoreMemory::Invalidate(std::int64_t line) {
  l1_.Remove(line);
  l2_.Remove(line);
}

void CoreMemory::WillPlay(std::int64_t address) const {
  const std::int64_t line = address / spec_.line_bytes;
  l2_.WillLookFor(line);
}

void CoreMemory::WillPlaySoon(std::int64_t address) const {
  const std::int64_t line = address / spec_.line_bytes;
  if (!l2_.exists() || l2_.Holds(line)) return;
  shared_.WillLookFor(core_, line);
  const std::int64_t gone = l2_.NextToGo(line);
  if (gone >= 0) shared_.WillDrop(core_, gone);
}

CoreMemory::Played CoreMemory::PlayRead(std::uint64_t when, std::int64_t address,
                                        std::uint64_t until) {
  const std::int64_t line = address / spec_.line_bytes;
  const bool hit = l2_.Find(line) != nullptr;
  const std::uint64_t start = hit ? when : FreeToPlay(when);
  if (start > until) return {start - when, true};
  l1_traffic_.write_bytes += spec_.line_bytes;
  l2_traffic_.read_bytes += spec_.line_bytes;
  ++l1_traffic_.misses;
  ++(hit ? l2_traffic_.hits : l2_traffic_.misses);
  if (hit) return {};
  const std::uint64_t ready = FetchShared(start, line);
  NoteArrival(ready);
  if (l2_.exists()) InsertIntoL2(line, ready, false);
  return {start - when, false};
}

CoreMemory::Played CoreMemory::PlayWrite(std::uint64_t when, std::int64_t address,
                                         std::uint64_t until) {
  const std::int64_t line = address / spec_.line_bytes;
  CacheState* here = l1_.Find(line);
  if (here != nullptr && here->dirty != 0) return {};
  Played played;
  if (here == nullptr) {
    played = PlayRead(when, address, until);
    if (played.later) return played;
    const CacheLine gone = l1_.Insert(line, when + played.waited, true);
    if (gone.dirty) DropFromL1(when + played.waited, gone);
  } else {
    here->dirty = 1;
  }
  shared_.Own(core_, when + played.waited, line);
  return played;
}

CoreMemory::Played CoreMemory::PlayWriteAround(std::uint64_t when, std::int64_t address,
                                               std::uint64_t until) {
  const std::int64_t line = address / spec_.line_bytes;
  const std::uint64_t start = FreeToPlay(when);
  if (start > until) return {start - when, true};
  Invalidate(line);
  shared_.Own(core_, start, line);
  const SharedMemory::Arrival taken = shared_.WriteAround(core_, start, line);
  NoteArrival(taken.ready);
  lateness_.cycles += static_cast<double>(taken.ready) - static_cast<double>(taken.idle);
  lateness_.lines += 1;
  return {start - when, false};
}

std::uint64_t CoreMemory::WriteAround(std::uint64_t when, std::int64_t address,
                                      std::int64_t bytes) {
  const std::int64_t first = address / spec_.line_bytes;
  const std::int64_t last = (address + bytes - 1) / spec_.line_bytes;
  for (std::int64_t line = first; line <= last; ++line) {
    if (gathering_ >= 0 && gathering_ != line) when = SendAround(when);
    if (gathering_ != line) {
      gathering_ = line;
      gathered_bytes_ = 0;
    }
    const std::int64_t begin = std::max(address, line * spec_.line_bytes);
    gathered_bytes_ += std::min(address + bytes, (line + 1) * spec_.line_bytes) - begin;
    if (gathered_bytes_ >= spec_.line_bytes) when = SendAround(when);
  }
  return when;
}

/// The gathered line leaves once a register is free; no cache keeps it.
std::uint64_t CoreMemory::SendAround(std::uint64_t when) {
  const std::uint64_t start = l1_misses_.FreeFrom(when);
  Invalidate(gathering_);
  shared_.Own(core_, start, gathering_);
  l1_misses_.Take(start, shared_.WriteAround(core_, start, gathering_).ready);
  gathering_ = -1;
  return start;
}

CoreMemory::Result CoreMemory::Access(std::uint64_t when, std::int64_t address, bool write) {
  when += pages_.Translate(address);
  const std::int64_t line = address / spec_.line_bytes;
  const auto latency = static_cast<std::uint64_t>(spec_.l1.latency_cycles);
  if (CacheState* here = l1_.Find(line)) {
    const bool late = here->ready > when + latency;
    const bool fresh = here->prefetched != 0;
    if (fresh) {  // what runs ahead goes on
      here->prefetched = 0;
      PrefetchIntoL1(when, line);
      PrefetchIntoL2(when, line);
    }
    std::uint64_t ready = std::max(when + latency, std::uint64_t{here->ready});
    ++(late ? l1_traffic_.misses : l1_traffic_.hits);
    if (write && here->dirty == 0) {
      here->dirty = 1;
      const std::uint64_t owned = shared_.Own(core_, when, line);
      if (owned > when) return {std::max(ready, owned), true, fresh};
    }
    return {ready, late, fresh};
  }
  ++l1_traffic_.misses;
  PrefetchIntoL1(when, line);
  std::uint64_t ready = FetchIntoL1(when, line, write, false);
  if (write) ready = std::max(ready, shared_.Own(core_, when, line));
  PrefetchIntoL2(when, line);
  return {ready, true, true};
}

CoreMemory::Result CoreMemory::LoadAcross(std::uint64_t when, std::int64_t address,
                                          std::int64_t lines) {
  Result all;
  waited_for_set_ = false;
  for (std::int64_t i = 0; i < lines; ++i) {
    const Result one = Access(when, address + i * spec_.line_bytes, false);
    const bool second = all.missed && one.missed && waited_for_set_;
    all.ready = std::max(second ? all.ready + L2Again() : all.ready, one.ready);
    all.missed = all.missed || one.missed;
    all.fresh = all.fresh || one.fresh;
  }
  for (std::int64_t i = 0; waited_for_set_ && i < lines; ++i) {
    std::uint64_t& queued = QueuedOf(address / spec_.line_bytes + i);
    queued = std::max(queued, all.ready);
  }
  return all;
}

void CoreMemory::Prefetch(std::uint64_t when, std::int64_t address, int level) {
  if (level == 1 || !l2_.exists()) {
    Access(when, address, false);
    return;
  }
  const std::uint64_t translated = when + pages_.Translate(address);
  const std::int64_t line = address / spec_.line_bytes;
  if (l2_.Find(line) != nullptr) return;
  ++l2_traffic_.prefetches;
  FetchIntoL2(translated, line, true);
}

std::uint64_t CoreMemory::FetchIntoL1(std::uint64_t when, std::int64_t line, bool write,
                                      bool prefetch) {
  const SetTurn turn = TurnIn(when, line);
  const std::uint64_t start = l1_misses_.FreeFrom(when);
  const std::uint64_t ready = TurnOfSet(turn, line, FetchFromL2(start, line));
  l1_misses_.Take(start, ready);
  l1_traffic_.write_bytes += spec_.line_bytes;
  const CacheLine gone = l1_.Insert(line, ready, write, prefetch);
  if (gone.dirty) DropFromL1(ready, gone);
  return ready;
}

/// A miss that finds all lines of its set on their way, or others that did so before it, has its
/// line brought to L2, and asks there again when the one before it has come.
std::uint64_t CoreMemory::TurnOfSet(const SetTurn& turn, std::int64_t line, std::uint64_t ready) {
  if (!turn.waits) return ready;
  waited_for_set_ = true;
  std::uint64_t& queued = QueuedOf(line);
  queued = std::max(ready, std::max(queued, turn.room) + L2Again());
  return queued;
}

void CoreMemory::DropFromL1(std::uint64_t when, const CacheLine& gone) {
  l2_traffic_.write_bytes += spec_.line_bytes;
  l2_write_back_.Move(when, spec_.line_bytes);
  if (CacheState* below = l2_.Find(gone.line)) {
    below->dirty = 1;
  } else if (l2_.exists()) {
    const CacheLine dropped = l2_.Insert(gone.line, when, true);
    if (dropped.valid()) shared_.Drop(core_, when, dropped);
  } else {
    shared_.Drop(core_, when, gone);
  }
}

std::uint64_t CoreMemory::FetchFromL2(std::uint64_t when, std::int64_t line) {
  if (!l2_.exists()) return FetchShared(when, line);
  const auto latency = static_cast<std::uint64_t>(spec_.l2.latency_cycles);
  std::uint64_t ready = when + latency;
  if (CacheState* here = l2_.Find(line)) {
    ++l2_traffic_.hits;
    ready = std::max(ready, std::uint64_t{here->ready});
    here->prefetched = 0;
  } else {
    ++l2_traffic_.misses;
    ready = std::max(ready, FetchIntoL2(when, line, false));
  }
  l2_traffic_.read_bytes += spec_.line_bytes;
  return l2_fill_.Move(ready, spec_.line_bytes);
}

std::uint64_t CoreMemory::FetchShared(std::uint64_t when, std::int64_t line) {
  const std::int64_t missed = shared_.traffic().misses;
  const SharedMemory::Arrival arrival = shared_.Fetch(core_, when, line);
  l2_traffic_.far += shared_.traffic().misses - missed;
  lateness_.cycles += static_cast<double>(arrival.ready) - static_cast<double>(arrival.idle);
  lateness_.lines += 1;
  return arrival.ready;
}

std::uint64_t CoreMemory::FetchIntoL2(std::uint64_t when, std::int64_t line, bool prefetch) {
  const std::uint64_t start = l2_misses_.FreeFrom(when);
  const std::uint64_t ready = FetchShared(start, line);
  l2_misses_.Take(start, ready);
  InsertIntoL2(line, ready, prefetch);
  return ready;
}

void CoreMemory::InsertIntoL2(std::int64_t line, std::uint64_t ready, bool prefetch) {
  const CacheLine dropped = l2_.Insert(line, ready, false, prefetch);
  const bool kept_below = !spec_.l3.victim && !dropped.dirty;
  if (dropped.valid() && !kept_below) shared_.Drop(core_, ready, dropped);
}

/// Prefetches wait where no register is free.
void CoreMemory::PrefetchIntoL1(std::uint64_t when, std::int64_t line) {
  StreamPrefetcher::Range range = l1_streams_.Observe(line);
  for (; range.count > 0; --range.count, range.first += range.step) {
    if (!l1_misses_.IsFree(when)) {
      l1_streams_.Postpone(range);
      return;
    }
    if (l1_.Find(range.first) != nullptr) continue;
    ++l1_traffic_.prefetches;
    FetchIntoL1(when, range.first, false, true);
  }
}

void CoreMemory::PrefetchIntoL2(std::uint64_t when, std::int64_t line) {
  if (!l2_.exists()) return;
  StreamPrefetcher::Range range = l2_streams_.Observe(line);
  for (; range.count > 0; --range.count, range.first += range.step) {
    if (!l2_misses_.IsFree(when)) {
      l2_streams_.Postpone(range);
      return;
    }
    if (l2_.Find(range.first) != nullptr) continue;
    ++l2_traffic_.prefetches;
    FetchIntoL2(when, range.first, true);
  }
}

}  // namespace siliscope
