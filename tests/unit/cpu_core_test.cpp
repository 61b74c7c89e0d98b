// SPDX-License-Identifier: Apache-2.0
// A CPU core on small loops whose time textbooks give: chains take latencies, independent work
// takes ports, and every slot goes to one place.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "sim/config/machine_loader.h"
#include "sim/contract/system_model.h"
#include "tests/unit/simulate.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

using Write = std::function<void(MicroCodeBuilder&)>;
constexpr std::int64_t kTrips = 2000;

/// The record of a code that is run warm; its loops take `trips`.
Record RunCode(CpuCode code, decltype(CpuCall::trips) trips, const std::vector<Override>& overrides,
               std::int64_t walk_bytes = 0) {
  const MachineSpec machine = LoadMachine("zen5-avx512-1core", overrides);
  Program program;
  program.dtype = "fp32";
  program.operators.resize(1);
  program.cpu.codes = {std::move(code)};
  CpuCall call;
  call.trips = trips;
  call.pointers = {1 << 20, 1 << 28};
  call.walk_bytes = walk_bytes;
  program.cpu.regions.resize(1);
  program.cpu.regions[0].threads = {{call}};
  return SystemModelRegistry::Instance()
      .Get("kind of chip", "cpu")
      .make_model(machine)
      ->Run(program, {});
}

Record RunLoop(const Write& body, const std::vector<Override>& overrides = {},
               std::int64_t trips = kTrips, std::int64_t walk_bytes = 0) {
  MicroCodeBuilder b("loop");
  const std::int32_t again = b.Here();
  body(b);
  b.Loop(again, 0);
  return RunCode(b.Finish(), {trips}, overrides, walk_bytes);
}

double Cycles(const Record& record) { return ToSeconds(record.total) * record.clock_hz; }

double CyclesOfTrip(const Write& body, const std::vector<Override>& overrides = {},
                    std::int64_t trips = kTrips, std::int64_t walk_bytes = 0) {
  return InChild([&] { return Cycles(RunLoop(body, overrides, trips, walk_bytes)); }) /
         static_cast<double>(trips);
}

/// The share of a core's time that a cause has.
double Share(const Record& record, Cause cause) {
  return static_cast<double>(record.units[0].times[static_cast<std::size_t>(cause)]) /
         static_cast<double>(record.total);
}

void Chain(MicroCodeBuilder& b) {
  for (int i = 0; i < 8; ++i) b.Add(MicroOpClass::kFma, 16, 16, 17, 18);
}
void Independent(MicroCodeBuilder& b) {
  for (int i = 0; i < 24; ++i) b.Add(MicroOpClass::kFma, 32 + i, 32 + i, 17, 18);
}

TEST(CpuCore, AChainOfFmasTakesTheirLatency) {
  EXPECT_NEAR(CyclesOfTrip(Chain), 8 * 4, 0.5);  // 4.04 cycles measured on Zen 5
}

TEST(CpuCore, ANarrowFrontEndIsNamed) {
  const auto integers = [](MicroCodeBuilder& b) {
    for (int i = 0; i < 30; ++i) b.Add(MicroOpClass::kInteger, 32 + i);
  };
  const std::vector<Override> narrow = {{"core.decode", "2"}};
  EXPECT_NEAR(CyclesOfTrip(integers, narrow), 16, 0.2);  // 30 and a loop's two
  EXPECT_LT(CyclesOfTrip(integers), 10);
  EXPECT_GT(InChild([&] { return Share(RunLoop(integers, narrow), Cause::kOperand); }), 0.7);
}

TEST(CpuCore, IndependentFmasTakeTheirPorts) {
  EXPECT_NEAR(CyclesOfTrip(Independent), 12, 0.2);
  EXPECT_NEAR(CyclesOfTrip(Independent, {{"core.ports.fp1", "float_multiply divide"}}), 24, 0.2);
}

TEST(CpuCore, TwelveAccumulatorsHideTwoPortsOfLatencyFour) {
  const auto with = [](int accumulators) {
    return CyclesOfTrip([=](MicroCodeBuilder& b) {
      for (int i = 0; i < 24; ++i) {
        const int sum = 32 + i % accumulators;
        b.Add(MicroOpClass::kFma, sum, sum, 17, 18);
      }
    });
  };
  EXPECT_NEAR(with(12), 12, 0.2);
  EXPECT_NEAR(with(8), 12, 0.2);  // latency x ports
  EXPECT_NEAR(with(4), 24, 0.5);  // half of them
}

TEST(CpuCore, TwoLoadsACycleComeFromL1) {
  const Write loads = [](MicroCodeBuilder& b) {
    for (int i = 0; i < 16; ++i) b.Load(32 + i, 0, i * 64, 64);
  };
  EXPECT_NEAR(CyclesOfTrip(loads), 8, 0.2);  // 124 bytes a cycle measured
  const Write split = [](MicroCodeBuilder& b) {
    for (int i = 0; i < 16; ++i) b.Load(32 + i, 0, i * 64 + 32, 64);
  };
  EXPECT_NEAR(CyclesOfTrip(split), 16, 0.4);  // each in two lines
}

TEST(CpuCore, ALoadTakesWhatAStoreHolds) {
  const Write through_memory = [](MicroCodeBuilder& b) {
    b.Store(16, 0, 0, 8);
    b.Load(16, 0, 0, 8);
  };
  EXPECT_NEAR(CyclesOfTrip(through_memory), 7 + 1, 1.0);
  EXPECT_NEAR(CyclesOfTrip(through_memory, {{"core.forward", "20"}}), 20 + 1, 1.0);
}

TEST(CpuCore, AMispredictedBranchCostsItsPenalty) {
  // An inner loop of four turns: two bits miss its end, a predictor of loops doesn't.
  const auto with = [](const char* predictor) {
    return InChild([&] {
      MicroCodeBuilder b("loops");
      const std::int32_t again = b.Here();
      b.Add(MicroOpClass::kInteger, 16, 16);
      b.Loop(again, 0);
      b.Loop(again, 1);
      return Cycles(RunCode(b.Finish(), {4, kTrips}, {{"core.predictor", predictor}}));
    });
  };
  const double missed = (with("two_bit") - with("loop")) / kTrips;
  EXPECT_GT(missed, 13);
  EXPECT_LT(missed, 22);  // the branch itself has to end first
}

TEST(CpuCore, SlotsSumToTheTime) {
  const Record record = RunLoop(Chain);
  Tick sum = 0;
  for (const Tick t : record.units[0].times) sum += t;
  EXPECT_EQ(sum, record.total);
  EXPECT_GT(Share(record, Cause::kDependency), 0.8);
}

TEST(CpuCore, IndependentWorkRetires) {
  const Record record = RunLoop([](MicroCodeBuilder& b) {
    for (int i = 0; i < 4; ++i) b.Add(MicroOpClass::kInteger, 32 + i, 32 + i);
    for (int i = 0; i < 2; ++i) b.Load(48 + i, 0, i * 64, 8);
  });
  EXPECT_GT(Share(record, Cause::kCompute), 0.9);
}

// The top-down method's textbook loops: each names its limiter (Yasin, ISPASS 2014, section 6).
TEST(CpuCore, IndependentFmasWaitForTheirPorts) {
  EXPECT_GT(Share(RunLoop(Independent), Cause::kDependency), 0.5);
}

TEST(CpuCore, AStreamFromMemoryWaitsForIt) {
  const Record record = RunLoop(
      [](MicroCodeBuilder& b) {
        for (int i = 0; i < 8; ++i) {
          b.Load(32 + i, 0, i * 64, 64);
          b.Add(MicroOpClass::kFloatAdd, 64 + i, 64 + i, 32 + i);
        }
        b.Advance(0, 512);
      },
      {}, (64 << 20) / 512);
  EXPECT_GT(Share(record, Cause::kMemoryLatency), 0.5);
  EXPECT_LT(Share(record, Cause::kDependency), 0.2);
}

TEST(CpuCore, AWalkBeyondTheCachesWaitsForMemory) {
  const Record record = RunLoop(
      [](MicroCodeBuilder& b) {
        MicroOp& load = b.Load(16, 0, 0, 8);
        load.sources = {16, kNoCpuRegister, kNoCpuRegister};
        load.walks = true;
      },
      {}, 1 << 20, 64 << 20);
  EXPECT_GT(Share(record, Cause::kMemoryLatency), 0.9);
  EXPECT_NEAR(Cycles(record) / (1 << 20), 622, 62);  // measured
}

TEST(CpuCore, MoreIsUnderWayWithMoreMissRegistersAndALargerWindow) {
  const Write walk = [](MicroCodeBuilder& b) { b.Load(16, 0, 0, 8).walks = true; };
  const auto cycles = [&](const std::vector<Override>& overrides) {
    return CyclesOfTrip(walk, overrides, 1 << 19, 64 << 20);
  };
  const double many = cycles({});
  EXPECT_GT(cycles({{"l1.misses", "1"}}), 15 * many);
  EXPECT_GT(cycles({{"core.reorder_window", "8"}}), 4 * many);
  EXPECT_GT(cycles({{"core.in_order", "true"}}), 0.99 * many);  // loads don't wait for each other
}

TEST(CpuCore, AnInOrderCoreWaitsWhereAWindowGoesOn) {
  const Write body = [](MicroCodeBuilder& b) {
    b.Load(16, 0, 0, 8);
    b.Add(MicroOpClass::kFma, 17, 16, 18, 18);  // waits for it
    for (int i = 0; i < 12; ++i) b.Add(MicroOpClass::kFma, 32 + i, 32 + i, 20, 21);
  };
  EXPECT_LT(CyclesOfTrip(body), 7.5);
  EXPECT_GT(CyclesOfTrip(body, {{"core.in_order", "true"}}), 9);
}

TEST(CpuCore, PrefetchersHideTheMemoryFromAStream) {
  const Write stream = [](MicroCodeBuilder& b) {
    for (int i = 0; i < 8; ++i) {
      b.Load(32 + i, 0, i * 64, 64);
      b.Add(MicroOpClass::kFloatAdd, 64 + i, 64 + i, 32 + i);
    }
    b.Advance(0, 512);
  };
  const auto bytes_per_cycle = [&](const std::vector<Override>& overrides) {
    return 512 / CyclesOfTrip(stream, overrides, (64 << 20) / 512);
  };
  const double with = bytes_per_cycle({});
  EXPECT_GT(with, 8);  // 10 to 12 measured
  EXPECT_LT(with, 14);
  EXPECT_LT(bytes_per_cycle({{"l1.prefetch_lines", "0"}, {"l2.prefetch_lines", "0"}}), 0.5 * with);
}

}  // namespace
}  // namespace siliscope
