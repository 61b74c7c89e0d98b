// SPDX-License-Identifier: Apache-2.0
// Cores of a CPU that work together: they run at the same time, wait for each other, share the
// memory and find each other's data.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "models/cpu/coherence_directory.h"
#include "sim/config/machine_loader.h"
#include "sim/contract/system_model.h"
#include "tests/unit/simulate.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr std::int64_t kTurn = 512;  ///< bytes of a turn of a loop over memory

CpuCode Reader() {
  MicroCodeBuilder b("reader");
  const std::int32_t again = b.Here();
  for (int i = 0; i < 8; ++i) {
    b.Load(32 + i, 0, i * 64, 64);
    b.Add(MicroOpClass::kFloatAdd, 64 + i, 64 + i, 32 + i);
  }
  b.Advance(0, kTurn);
  b.Loop(again, 0);
  return b.Finish();
}

CpuCode Writer() {
  MicroCodeBuilder b("writer");
  const std::int32_t again = b.Here();
  for (int i = 0; i < 8; ++i) b.Store(32, 0, i * 64, 64);
  b.Advance(0, kTurn);
  b.Loop(again, 0);
  return b.Finish();
}

/// Additions that each wait for the one before.
CpuCode Chain() {
  MicroCodeBuilder b("chain");
  const std::int32_t again = b.Here();
  for (int i = 0; i < 8; ++i) b.Add(MicroOpClass::kFloatAdd, 16, 16, 17);
  b.Loop(again, 0);
  return b.Finish();
}

constexpr std::uint32_t kReader = 0, kWriter = 1, kChain = 2;

CpuCall Over(std::uint32_t code, std::int64_t address, std::int64_t bytes) {
  CpuCall call;
  call.code = code;
  call.trips = {bytes / kTurn};
  call.pointers = {address};
  return call;
}

using Threads = std::vector<std::vector<CpuCall>>;

/// The record of regions that run cold on a chip with as many cores as are asked for.
Record RunRegions(const std::vector<Threads>& regions, std::vector<Override> overrides = {}) {
  const MachineSpec machine = LoadMachine("epyc-9654", overrides);
  Program program;
  program.dtype = "fp32";
  program.operators.resize(regions.size());
  program.cpu.codes = {Reader(), Writer(), Chain()};
  program.cpu.cold = true;
  for (std::size_t r = 0; r < regions.size(); ++r) {
    CpuRegion region;
    region.op = static_cast<std::uint32_t>(r);
    region.threads = regions[r];
    program.cpu.regions.push_back(region);
  }
  return SystemModelRegistry::Instance()
      .Get("kind of chip", "cpu")
      .make_model(machine)
      ->Run(program, {});
}

double Microseconds(const Record& record) { return ToMicroseconds(record.total); }

/// Each thread reads `bytes` of its own.
Threads Readers(std::int64_t threads, std::int64_t bytes) {
  Threads all;
  for (std::int64_t t = 0; t < threads; ++t) all.push_back({Over(kReader, (t + 1) << 26, bytes)});
  return all;
}

TEST(CpuTeam, ThreadsRunAtTheSameTime) {
  const auto time = [](std::int64_t threads) {
    return InChild([=] { return Microseconds(RunRegions({Readers(threads, 1 << 20)})); });
  };
  EXPECT_LT(time(2), 1.5 * time(1));  // the two share their chiplet's link
}

TEST(CpuTeam, AChipletReadsNoFasterThanItsLinkAndTheMemoryNoFasterThanItsChannels) {
  const auto gigabytes_per_s = [](std::int64_t threads) {
    const std::int64_t bytes = 4 << 20;
    return InChild([=] {
      return static_cast<double>(threads * bytes) / 1e3 /
             Microseconds(RunRegions({Readers(threads, bytes)}));
    });
  };
  const double chiplet = gigabytes_per_s(8);  // 57.6 GB/s a chiplet
  EXPECT_GT(chiplet, 35);
  EXPECT_LT(chiplet, 58);
  const double chip = gigabytes_per_s(96);  // 460.8 GB/s of memory
  EXPECT_GT(chip, 3 * chiplet);
  EXPECT_LT(chip, 461);
}

TEST(CpuTeam, ATeamWaitsForItsLastThread) {
  const Record record =
      RunRegions({{{Over(kReader, 1 << 26, 1 << 20)}, {Over(kReader, 1 << 27, 1 << 12)}}});
  const CauseTimes& early = record.units[1].times;
  EXPECT_GT(early[static_cast<std::size_t>(Cause::kSynchronisation)], record.total / 2);
  for (const UnitRecord& unit : record.units) {
    Tick sum = 0;
    for (const Tick t : unit.times) sum += t;
    EXPECT_EQ(sum, record.total) << unit.name;
  }
}

TEST(CpuTeam, WhatAnotherCoreWroteComesFromItsCaches) {
  const std::int64_t bytes = 1 << 18;  // within the writer's second level
  const Threads writes = {{Over(kWriter, 1 << 26, bytes)}, {}};
  const Threads reads = {{}, {Over(kReader, 1 << 26, bytes)}};
  const auto read_from_memory = [](const std::vector<Threads>& regions) {
    return InChild(
        [&] { return static_cast<double>(RunRegions(regions).operators.back().dram_read_bytes); });
  };
  EXPECT_LT(read_from_memory({writes, reads}), static_cast<double>(bytes) / 50);
  EXPECT_GE(read_from_memory({reads}), static_cast<double>(bytes));
}

TEST(CpuTeam, ANeighbourIsAskedBeforeAnotherChiplet) {
  // A core, one of another chiplet, then the first one's neighbour read the same lines: they come
  // from the first core, however far the other chiplet is.
  const auto time_of = [](std::size_t region, const char* cycles) {
    return InChild([=] {
      const CpuCall read = Over(kReader, 1 << 26, 256 << 10);
      Threads first(1), other(9), neighbour(2);
      first[0] = other[8] = neighbour[1] = {read};
      const Record record =
          RunRegions({first, other, neighbour}, {{"cluster.remote_transfer", cycles}});
      return ToMicroseconds(record.operators[region].exclusive);
    });
  };
  const char *near = "260", *far = "2600";
  EXPECT_GT(time_of(1, far), 1.2 * time_of(1, near));
  EXPECT_NEAR(time_of(2, far), time_of(2, near), 0.02 * time_of(2, near));
}

TEST(CpuTeam, AWriteTakesTheLineFromOthers) {
  const std::int64_t bytes = 1 << 14;
  const Threads reads = {{}, {Over(kReader, 1 << 26, bytes)}};
  const Threads writes = {{Over(kWriter, 1 << 26, bytes)}, {}};
  const auto last = [&](const std::vector<Threads>& regions) {
    return InChild([&] {
      const Record record = RunRegions(regions);
      return ToMicroseconds(record.operators.back().exclusive);
    });
  };
  // Read again it is in the first level; after a write it comes from the writer.
  EXPECT_GT(last({reads, writes, reads}), 2 * last({reads, reads}));
}

/// Two nodes, all cores of the first: memory of the second is further by two ways over the link.
TEST(CpuTeam, MemoryOfAnotherNodeIsFurtherAndItsLinkHasALimit) {
  const auto time = [](const char* node, const char* link) {
    return InChild([=] {
      return Microseconds(RunRegions({Readers(8, 4 << 20)}, {{"numa.nodes", "2"},
                                                             {"numa.placement", node},
                                                             {"numa.link", link},
                                                             {"numa.link_latency", "100 ns"}}));
    });
  };
  // Without tensors, addresses are of the first node; interleaved, pages of 2 MiB are in turn.
  const double near = time("one_node", "1 TB/s");
  EXPECT_GT(time("interleave", "1 TB/s"), 1.05 * near);
  EXPECT_GT(time("interleave", "10 GB/s"), 2 * near);
}

TEST(CpuTeam, HardwareThreadsOverlapChainsAndShareTheRest) {
  const auto time = [](std::int64_t threads, std::uint32_t code, std::int64_t bytes) {
    return InChild([=] {
      Threads all;
      for (std::int64_t t = 0; t < threads; ++t) all.push_back({Over(code, (t + 1) << 26, bytes)});
      const std::string used = std::to_string(threads);
      return Microseconds(RunRegions({all}, {{"cores", "1"}, {"core.hardware_threads", used}}));
    });
  };
  // A chain leaves the ports to the other; streams have the same miss registers.
  EXPECT_LT(time(2, kChain, 1 << 20), 1.1 * time(1, kChain, 1 << 20));
  EXPECT_GT(time(2, kReader, 1 << 20), 1.6 * time(1, kReader, 1 << 20));
}

TEST(CoherenceDirectory, ForgetsTheOldest) {
  CoherenceDirectory directory(8);
  for (std::int64_t line = 0; line < 9; ++line) directory.At(line).last = 1;
  int known = 0;
  for (std::int64_t line = 1; line < 9; ++line) known += directory.At(line).last == 1 ? 1 : 0;
  EXPECT_EQ(known, 8);
}

}  // namespace
}  // namespace siliscope
