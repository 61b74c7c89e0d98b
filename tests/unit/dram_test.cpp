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
  // Refresh and row misses alone leave 88 to 97% of the peak; nothing else is taken off.
  const DramTiming t = Timing(GetParam());
  DramChannel channel(t);
  const std::int64_t bytes = 16 << 20;
  Tick end = 0;
  for (std::int64_t at = 0; at < bytes; at += 65536) end = channel.Access(0, at, 65536, false);
  const double share = static_cast<double>(bytes) / static_cast<double>(end) / PeakBytesPerTick(t);
  EXPECT_GT(share, 0.88);
  EXPECT_LT(share, 0.97);
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

}  // namespace
}  // namespace siliscope
