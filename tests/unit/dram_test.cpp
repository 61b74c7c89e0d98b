// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "models/memory/dram_channel.h"
#include "models/memory/dram_cycle.h"
#include "sim/config/machine_loader.h"

namespace siliscope {
namespace {

const char* const kKinds[] = {"ddr3-2133",    "ddr4-3200",  "ddr5-4800",   "lpddr4-4266",
                              "lpddr5x-8533", "gddr5-7000", "gddr6-14000", "hbm2-2000",
                              "hbm2e-3200",   "hbm3-5200",  "hbm3e-8000",  "mcdram"};

DramTiming Timing(const std::string& kind) {
  return LoadMachine("tpu-v1", {{"memory.kind", kind}}).memory.timing;
}

double PeakBytesPerTick(const DramTiming& t) {
  return t.data_rate_t_per_s * static_cast<double>(t.bus_bits) / 8 / 1e12;
}

class DramKinds : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(All, DramKinds, ::testing::ValuesIn(kKinds));

TEST_P(DramKinds, LongStreamsAttainTheirShareOfThePeak) {
  // Refresh takes tRFC of every tREFI, row misses hardly anything; nothing else is taken off.
  const DramTiming t = Timing(GetParam());
  DramChannel channel(t);
  const std::int64_t bytes = 16 << 20;
  Tick end = 0;
  for (std::int64_t at = 0; at < bytes; at += 65536) end = channel.Access(0, at, 65536, false);
  const double share = static_cast<double>(bytes) / static_cast<double>(end) / PeakBytesPerTick(t);
  const double left = 1 - t.trfc_ns / t.trefi_ns;
  EXPECT_GT(share, left - 0.02);
  EXPECT_LT(share, left + 0.002);
}

/// The same requests at both zooms.
void CompareZooms(const DramTiming& t, const std::vector<std::pair<std::int64_t, bool>>& requests,
                  std::int64_t bytes, double tolerance) {
  DramChannel tile(t);
  DramCycle cycle(t);
  Tick tile_end = 0;
  for (const auto& [address, write] : requests) {
    tile_end = std::max(tile_end, tile.Access(0, address, bytes, write));
    cycle.Enqueue(0, address, bytes, write);
  }
  const auto cycle_end = static_cast<double>(cycle.Run());
  EXPECT_NEAR(static_cast<double>(tile_end), cycle_end, tolerance * cycle_end);
}

TEST_P(DramKinds, BothZoomsAgreeOnStreams) {
  std::vector<std::pair<std::int64_t, bool>> requests;
  for (std::int64_t i = 0; i < 64; ++i) requests.emplace_back(i * 4096, false);
  CompareZooms(Timing(GetParam()), requests, 4096, 0.03);
}

TEST_P(DramKinds, BothZoomsAgreeOnBlocksOfReadsAndWrites) {
  std::vector<std::pair<std::int64_t, bool>> requests;
  for (std::int64_t i = 0; i < 32; ++i) requests.emplace_back(i * 16384, i % 4 == 3);
  CompareZooms(Timing(GetParam()), requests, 16384, 0.03);
}

TEST(Dram, FewerBanksAreSlowerOnScatteredRows) {
  DramTiming t = Timing("ddr3-2133");
  const auto scattered = [](const DramTiming& timing) {
    DramChannel channel(timing);
    Tick end = 0;
    for (std::int64_t i = 0; i < 256; ++i) {
      end = channel.Access(0, i * 7919 % 4096 * timing.row_bytes, 256, false);
    }
    return end;
  };
  const Tick eight = scattered(t);
  t.banks = 1;
  EXPECT_GT(scattered(t), 2 * eight);
}

TEST(Dram, TurningTheBusAroundCosts) {
  const DramTiming t = Timing("hbm2-2000");
  DramChannel same(t), mixed(t);
  Tick same_end = 0, mixed_end = 0;
  for (std::int64_t i = 0; i < 256; ++i) {
    same_end = same.Access(0, i * 256, 256, false);
    mixed_end = mixed.Access(0, i * 256, 256, i % 2 == 1);
  }
  EXPECT_GT(mixed_end, same_end + same_end / 4);
}

TEST(Dram, RefreshTakesItsShareAndNoMore) {
  DramTiming t = Timing("ddr3-2133");
  const auto stream = [](const DramTiming& timing) {
    DramChannel channel(timing);
    Tick end = 0;
    for (std::int64_t i = 0; i < 1024; ++i) end = channel.Access(0, i * 65536, 65536, false);
    return static_cast<double>(end);
  };
  const double with = stream(t);
  const double share = t.trfc_ns / t.trefi_ns;
  t.trefi_ns = 0;
  EXPECT_NEAR(stream(t) / with, 1 - share, 0.01);
}

/// Grains of 256 bytes, each in one bank, with gathered writes: as GPUs are configured.
DramMapping Gathered(std::int64_t write_batch_bytes) {
  DramMapping mapping;
  mapping.bank_interleave_bytes = 256;
  mapping.write_batch_bytes = write_batch_bytes;
  return mapping;
}

/// What pieces of 256 bytes take that come one after another at a share of the peak.
struct Paced {
  double waited = 0;  ///< of a read, on average
  Tick end = 0;       ///< of the last read
};
Paced RunPaced(const DramTiming& t, const DramMapping& mapping, double load, std::int64_t apart,
               bool writes) {
  DramChannel channel(t, mapping);
  Paced result;
  constexpr std::int64_t kPieces = 1 << 15;
  std::int64_t reads = 0;
  for (std::int64_t i = 0; i < kPieces; ++i) {
    const auto when = static_cast<Tick>(static_cast<double>(i * 256) / PeakBytesPerTick(t) / load);
    const bool write = writes && i % 2 == 1;
    const Tick done = channel.Access(when, i * apart, 256, write);
    if (write) continue;
    ++reads;
    result.end = done;
    result.waited += static_cast<double>(done - when);
  }
  result.waited /= static_cast<double>(reads);
  return result;
}

TEST(Dram, RefreshOfSingleBanksLeavesTheOthersAtWork) {
  // V100 reads at 98% of its peak (RRZE-HPC/gpu-benches), which a refresh of all banks, 9% of the
  // time, would not allow.
  const DramTiming t = Timing("hbm2-2000");
  const auto share = [&](bool single) {
    DramMapping mapping = Gathered(0);
    mapping.bank_refresh = single;
    const auto end = static_cast<double>(RunPaced(t, mapping, 1, 256, false).end);
    return 256.0 * (1 << 15) / end / PeakBytesPerTick(t);
  };
  EXPECT_GT(share(true), 0.97);
  EXPECT_LT(share(false), 1 - 0.9 * t.trfc_ns / t.trefi_ns);
}

TEST(Dram, ReadsAmongGatheredWritesWaitTheLongerTheMoreAreGathered) {
  // A read that comes while writes leave waits for the rest of them; each turn closes all rows, so
  // few writes a turn cost bandwidth.
  const DramTiming t = Timing("hbm2-2000");
  const auto run = [&](std::int64_t batch, double load) {
    return RunPaced(t, Gathered(batch), load, 4352, true);
  };
  EXPECT_GT(run(16384, 0.3).waited, 1.5 * run(2048, 0.3).waited);
  EXPECT_LT(run(16384, 1.0).end, run(2048, 1.0).end);
}

/// FR-FCFS (Rixner et al., ISCA 2000): two streams whose rows lie in the same banks.
TEST(Dram, RequestsThatHitARowGoBeforeTheOneThatClosesIt) {
  const DramTiming t = Timing("ddr4-3200");
  const auto run = [&t](bool first_ready) {
    DramMapping mapping;
    mapping.bank_interleave_bytes = 256;
    mapping.first_ready = first_ready;
    DramChannel channel(t, mapping);
    const std::int64_t rows_apart = std::int64_t{64} << 20;
    Tick end = 0;
    for (std::int64_t at = 0; at < 1 << 16; at += 64) {
      for (const std::int64_t stream : {std::int64_t{0}, rows_apart}) {
        end = std::max(end, channel.Access(0, stream + at, 64, false));
      }
    }
    return std::make_pair(end, channel.state().counters.row_misses);
  };
  const auto [slow, many_misses] = run(false);
  const auto [fast, few_misses] = run(true);
  EXPECT_GT(static_cast<double>(slow), 1.5 * static_cast<double>(fast));
  EXPECT_GT(many_misses, 3 * few_misses);
}

TEST(Dram, RowsOutlastWritesWhereHitsGoFirst) {
  // A controller that looks for hits leaves rows open while it writes to other banks.
  const DramTiming t = Timing("ddr4-3200");
  const auto misses = [&t](bool first_ready) {
    DramMapping mapping = Gathered(256);
    mapping.first_ready = first_ready;
    DramChannel channel(t, mapping);
    channel.Access(0, 0, 64, false);
    for (std::int64_t at = 0; at < 256; at += 64) channel.Access(0, 256 + at, 64, true);
    channel.Access(500'000, 64, 64, false);
    return channel.state().counters.row_misses;
  };
  EXPECT_EQ(misses(true), 2);  // one of each bank
  EXPECT_EQ(misses(false), 3);
}

TEST(Dram, AnIdleRowIsClosedBeforeTheNextRequest) {
  const DramTiming t = Timing("hbm2-2000");
  const auto second = [&](double timeout_s) {
    DramMapping mapping = Gathered(0);
    mapping.row_timeout_s = timeout_s;
    DramChannel channel(t, mapping);
    channel.Access(0, 0, 32, false);
    // Another row of the same bank, a microsecond later.
    const std::int64_t row = t.row_bytes * t.banks;
    return channel.Access(1'000'000, row, 32, false) - 1'000'000;
  };
  EXPECT_EQ(second(0) - second(100e-9), static_cast<Tick>(t.trp_ns * 1000));
}

/// Cores are simulated one after another, a little apart in time.
TEST(Dram, ARequestThatIsSimulatedLateFindsTheMemoryAsItWas) {
  const DramTiming t = Timing("hbm2-2000");
  DramMapping mapping = Gathered(0);
  mapping.scattered = true;
  constexpr Tick kSoon = 1'000'000, kLater = 2'000'000;  // before the first refresh
  const std::int64_t other_row = t.row_bytes * t.banks;
  DramChannel alone(t, mapping);
  const Tick idle = alone.Access(kSoon, other_row, 32, false) - kSoon;
  DramChannel channel(t, mapping);
  channel.Access(kLater, 0, 32, false);
  EXPECT_EQ(channel.Access(kSoon, other_row, 32, false) - kSoon, idle);
  // The later one's row is still open.
  const Tick hit = channel.Access(kLater + kSoon, 32, 32, false) - kLater - kSoon;
  EXPECT_LT(hit, idle);
  // What is full stays full: requests don't pass each other in time that no one has left.
  const auto end_of = [&](bool backwards) {
    DramChannel full(t, mapping);
    Tick end = 0;
    for (std::int64_t i = 0; i < 512; ++i) {
      const std::int64_t row = (backwards ? 511 - i : i) * t.row_bytes * t.banks;
      end = std::max(end, full.Access(kSoon, row, 32, false));
    }
    return end;
  };
  EXPECT_EQ(end_of(true), end_of(false));
}

TEST(Dram, RanksHaveBanksOfTheirOwn) {
  const DramTiming t = Timing("hbm3-5200");
  const auto scattered = [&](std::int64_t ranks) {
    DramMapping mapping = Gathered(0);
    mapping.ranks = ranks;
    DramChannel channel(t, mapping);
    Tick end = 0;
    for (std::int64_t i = 0; i < 4096; ++i) {
      end = std::max(end, channel.Access(0, i * 7919 % 65536 * 256, 128, false));
    }
    return end;
  };
  EXPECT_GT(scattered(1), scattered(2) + scattered(2) / 10);
}

}  // namespace
}  // namespace siliscope
