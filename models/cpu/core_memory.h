// SPDX-License-Identifier: Apache-2.0
// The caches of one core, its prefetchers and its translations. Times are cycles of the core.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "models/cpu/bandwidth_calendar.h"
#include "models/cpu/cache_array.h"
#include "models/cpu/miss_registers.h"
#include "models/cpu/page_table_cache.h"
#include "models/cpu/shared_memory.h"
#include "models/cpu/stream_prefetcher.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class CoreMemory : public PrivateCaches {
 public:
  CoreMemory(const CpuSpec& spec, SharedMemory& shared);
  CoreMemory(const CoreMemory&) = delete;
  CoreMemory& operator=(const CoreMemory&) = delete;

  struct Result {
    std::uint64_t ready =
        0;                ///< cycle in which the data is in a register, or the line may be written
    bool missed = false;  ///< it was not in L1
    bool fresh = false;   ///< nothing had asked for it since it came into L1
  };
  /// An access to one line that begins in `when`.
  Result Access(std::uint64_t when, std::int64_t address, bool write);

  /// A load across lines, of which the first begins at `address`. Where lines come one after
  /// another as their set is full, so do those of a load, and stay until it has them all.
  Result LoadAcross(std::uint64_t when, std::int64_t address, std::int64_t lines);

  /// An instruction asks for a line into the first or second cache, with a register of its misses.
  void Prefetch(std::uint64_t when, std::int64_t address, int level);

  /// A store past the caches. Its line gathers what is stored until it is whole or another begins,
  /// then leaves for the memory through a register of the first level's misses. Returns the cycle
  /// in which the store has left the core's queue.
  std::uint64_t WriteAround(std::uint64_t when, std::int64_t address, std::int64_t bytes);

  struct Played {
    std::uint64_t waited = 0;  ///< cycles, for one of the lines that may be on their way at a time
    bool later = false;        ///< that is after `until`: nothing was done yet
  };
  /// What a turn that is played does with a line that it reads for the first time, and with one
  /// that it writes, in `when`. Reads pass the first level by, which is as the turn that was
  /// simulated found it; no prefetcher runs ahead, what it would bring is asked for in its turn.
  /// What has to wait beyond `until` is asked for then, as other cores may want lines before.
  Played PlayRead(std::uint64_t when, std::int64_t address, std::uint64_t until);
  Played PlayWrite(std::uint64_t when, std::int64_t address, std::uint64_t until);
  Played PlayWriteAround(std::uint64_t when, std::int64_t address, std::uint64_t until);
  /// PlayRead or PlayWrite of an address will come soon, and sooner: the host shall have at hand
  /// what they look up. Nothing that is simulated changes.
  void WillPlay(std::int64_t address) const;
  void WillPlaySoon(std::int64_t address) const;
  /// 1, 2: the cache that has a line; 3: none of this core.
  int LevelOf(std::int64_t address) const {
    const std::int64_t line = address / spec_.line_bytes;
    return l1_.Holds(line) ? 1 : l2_.Holds(line) ? 2 : 3;
  }
  /// Whether this core's caches or the last-level cache of its cluster has a line.
  bool IsCached(std::int64_t address) const {
    return LevelOf(address) < 3 || shared_.Holds(core_, address / spec_.line_bytes);
  }

  /// How much later lines came from beyond the private caches than from an idle memory.
  struct Lateness {
    double cycles = 0, lines = 0;
    double Mean() const { return lines > 0 ? cycles / lines : 0; }
  };
  const Lateness& lateness() const { return lateness_; }
  void ResetLateness() { lateness_ = {}; }

  /// Lines from beyond the private caches that were on their way at a time, at most, since this was
  /// asked last.
  std::uint64_t TakeMostInFlight() {
    return l2_.exists() ? l2_misses_.TakeMost() : l1_misses_.TakeMost();
  }
  /// So many may be when turns are played.
  void PlayWithin(std::uint64_t in_flight) {
    play_within_ = std::clamp<std::size_t>(in_flight, 1, arrivals_.size());
  }

  bool Holds(std::int64_t line) const override { return l2_.Holds(line) || l1_.Holds(line); }
  void Invalidate(std::int64_t line) override;

  const CacheTraffic& l1() const { return l1_traffic_; }
  const CacheTraffic& l2() const { return l2_traffic_; }
  void ResetCounters() { l1_traffic_ = l2_traffic_ = {}; }

 private:
  std::uint64_t FetchIntoL1(std::uint64_t when, std::int64_t line, bool write, bool prefetch);
  std::uint64_t& QueuedOf(std::int64_t line) {
    return set_queued_[static_cast<std::size_t>(line) % set_queued_.size()];
  }
  /// When a line that misses L1 finds room in its set, and whether it waits for others.
  struct SetTurn {
    std::uint64_t room = 0;
    bool waits = false;
  };
  SetTurn TurnIn(std::uint64_t when, std::int64_t line) {
    if (set_queued_.empty()) return {};  // lines choose their place when they come
    const std::uint64_t room = l1_.RoomFrom(line);
    return {room, room > when || QueuedOf(line) > when};
  }
  /// Cycles until a line of L2 comes that has missed L1 before.
  std::uint64_t L2Again() const {
    return static_cast<std::uint64_t>(spec_.l2.latency_cycles - spec_.l1.latency_cycles);
  }
  std::uint64_t TurnOfSet(const SetTurn& turn, std::int64_t line, std::uint64_t ready);
  std::uint64_t FetchFromL2(std::uint64_t when, std::int64_t line);
  std::uint64_t FetchIntoL2(std::uint64_t when, std::int64_t line, bool prefetch);
  void InsertIntoL2(std::int64_t line, std::uint64_t ready, bool prefetch);
  std::uint64_t FetchShared(std::uint64_t when, std::int64_t line);
  std::uint64_t FreeToPlay(std::uint64_t when) const {
    const std::size_t before = arrived_at_ + kMostInFlight - play_within_;
    return std::max(when, arrivals_[before % kMostInFlight]);
  }
  void NoteArrival(std::uint64_t cycle) {
    arrivals_[arrived_at_] = cycle;
    arrived_at_ = (arrived_at_ + 1) % kMostInFlight;
  }
  void DropFromL1(std::uint64_t when, const CacheLine& gone);
  std::uint64_t SendAround(std::uint64_t when);
  void PrefetchIntoL1(std::uint64_t when, std::int64_t line);
  void PrefetchIntoL2(std::uint64_t when, std::int64_t line);

  const CpuSpec& spec_;
  SharedMemory& shared_;
  std::uint32_t core_;
  CacheArray l1_, l2_;
  MissRegisters l1_misses_, l2_misses_;
  std::vector<std::uint64_t> set_queued_;  ///< by set of L1: when the last comes that has to wait
  bool waited_for_set_ = false;            ///< a line of the present access
  StreamPrefetcher l1_streams_, l2_streams_;
  PageTableCache pages_;
  BandwidthCalendar l2_fill_, l2_write_back_;
  CacheTraffic l1_traffic_, l2_traffic_;
  Lateness lateness_;
  std::int64_t gathering_ = -1;  ///< a line of stores past the caches
  std::int64_t gathered_bytes_ = 0;
  static constexpr std::size_t kMostInFlight = 256;
  std::vector<std::uint64_t> arrivals_ = std::vector<std::uint64_t>(kMostInFlight);  ///< ring
  std::size_t arrived_at_ = 0, play_within_ = kMostInFlight;
};

}  // namespace siliscope
