// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/cache_array.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/cpu/bandwidth_calendar.h"
#include "models/cpu/slot_calendar.h"
#include "models/cpu/stream_prefetcher.h"

namespace siliscope {
namespace {

CpuCacheSpec Cache(std::int64_t size, std::int64_t ways, bool random = false) {
  CpuCacheSpec spec;
  spec.size_bytes = size;
  spec.ways = ways;
  spec.random_replacement = random;
  return spec;
}

/// The share of hits of a walk over `lines`, again and again.
double HitsOfWalk(CacheArray&& cache, std::int64_t lines) {
  constexpr int kRounds = 60, kWarm = 20;
  std::int64_t hits = 0, all = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (std::int64_t i = 0; i < lines; ++i) {
      const bool hit = cache.Find(i) != nullptr;
      if (!hit) cache.Insert(i, 0, false);
      if (round >= kWarm) ++all, hits += hit ? 1 : 0;
    }
  }
  return static_cast<double>(hits) / static_cast<double>(all);
}

TEST(CacheArray, TheLeastRecentlyUsedLineGoesFirst) {
  CacheArray cache(Cache(4 * 64, 4), 64);
  for (const std::int64_t line : {0, 1, 2, 3}) EXPECT_FALSE(cache.Insert(line, 0, false).valid());
  EXPECT_NE(cache.Find(0), nullptr);
  EXPECT_EQ(cache.Insert(4, 0, false).line, 1);
  EXPECT_EQ(cache.Find(1), nullptr);
}

TEST(CacheArray, StridesOfAWayMeetInOneSet) {
  CacheArray cache(Cache(64 * 12 * 64, 12), 64);  // 64 sets of 12, an L1 of 48 KiB
  for (std::int64_t i = 0; i < 13; ++i) cache.Insert(i * 64, 0, false);  // 4 KiB apart
  EXPECT_EQ(cache.Find(0), nullptr);
  EXPECT_NE(cache.Find(12 * 64), nullptr);
}

TEST(CacheArray, AWalkLargerThanTheCacheFindsNothingUnlessLinesGoAtRandom) {
  EXPECT_EQ(HitsOfWalk(CacheArray(Cache(1 << 16, 16), 64), 2048), 0);
  // h = exp(-(1 - h) lines / size): what survives a round of random replacement.
  EXPECT_NEAR(HitsOfWalk(CacheArray(Cache(1 << 16, 16, true), 64), 2048), 0.203, 0.02);
  EXPECT_EQ(HitsOfWalk(CacheArray(Cache(1 << 16, 16), 64), 1024), 1);
}

TEST(SlotCalendar, ALaterRequestTakesAnEarlierGap) {
  SlotCalendar calendar;
  EXPECT_EQ(calendar.Take(10, 1), 10u);
  EXPECT_EQ(calendar.Take(5, 1), 5u);
  EXPECT_EQ(calendar.Take(5, 1), 6u);
  EXPECT_EQ(calendar.Take(9, 1, 2), 11u);  // two cycles don't fit before the one that is taken
  EXPECT_EQ(calendar.Take(10, 3), 10u);    // another port
}

TEST(BandwidthCalendar, MovesWhatFits) {
  BandwidthCalendar way(16);
  std::uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) last = way.Move(0, 64);
  EXPECT_NEAR(static_cast<double>(last), 4000, 40);
  EXPECT_EQ(way.Move(100'000, 64), 100'004u);
}

TEST(StreamPrefetcher, RunsAheadInsideOfAPage) {
  StreamPrefetcher streams(8, 4, 64);
  for (std::int64_t line = 0; line < 2; ++line) EXPECT_EQ(streams.Observe(line).count, 0);
  const StreamPrefetcher::Range range = streams.Observe(2);
  EXPECT_EQ(range.first, 3);
  EXPECT_EQ(range.count, 4);  // twice as far as the stream has come, then eight lines
  EXPECT_EQ(streams.Observe(3).count, 3);
  EXPECT_EQ(streams.Observe(4).count, 3);
  EXPECT_EQ(streams.Observe(5).count, 1);
  for (std::int64_t line = 6; line < 60; ++line) streams.Observe(line);
  EXPECT_EQ(streams.Observe(60).count, 0);    // the page ends with line 63, which is on its way
  EXPECT_EQ(streams.Observe(1000).count, 0);  // somewhere else
}

}  // namespace
}  // namespace siliscope
