// SPDX-License-Identifier: Apache-2.0
// Loads that meet in few sets of the first cache. Measured on a core of an EPYC 9004 (Zen 4, 32 KiB
// in 8 ways): loads of 64 bytes down the rows of a matrix that the second cache holds, columns of
// 64 bytes one after another. The order of the rows, prefetchers and pages make no difference.
#include <gtest/gtest.h>

#include <ostream>
#include <vector>

#include "sim/config/machine_loader.h"
#include "sim/contract/system_model.h"
#include "tests/unit/simulate.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

struct Walk {
  std::int64_t stride, rows, offset;  ///< bytes from row to row; of the first load
  double measured_cycles;             ///< of a load
};
void PrintTo(const Walk& w, std::ostream* out) {
  *out << w.rows << " rows " << w.stride << " B apart, at " << w.offset;
}

double CyclesOfLoad(const Walk& w, const std::vector<Override>& overrides = {}) {
  constexpr std::int64_t kColumns = 60, kRounds = 4;
  MicroCodeBuilder b("walk");
  const std::int32_t again = b.Here();
  b.Load(0, 0, 0, 64);
  b.Advance(0, w.stride);
  b.Loop(again, 0);
  b.Advance(0, 64 - w.rows * w.stride);
  b.Loop(again, 1);
  b.Advance(0, -64 * kColumns);
  b.Loop(again, 2);
  return InChild([&] {
    std::vector<Override> all = {{"cores", "1"}};
    all.insert(all.end(), overrides.begin(), overrides.end());
    const MachineSpec machine = LoadMachine("epyc-9654", all);
    SimulationOptions options;
    options.zoom.units = {"core0"};
    Program program;
    program.dtype = "fp32";
    program.operators.resize(1);
    program.cpu.codes = {b.Finish()};
    CpuCall call;
    call.trips = {w.rows, kColumns, kRounds};
    call.pointers = {(1 << 21) + w.offset};
    program.cpu.regions.resize(1);
    program.cpu.regions[0].threads = {{call}};
    const Record record = SystemModelRegistry::Instance()
                              .Get("kind of chip", "cpu")
                              .make_model(machine)
                              ->Run(program, options);
    return ToSeconds(record.total) * record.clock_hz /
           static_cast<double>(w.rows * kColumns * kRounds);
  });
}

class Sets : public testing::TestWithParam<Walk> {};

TEST_P(Sets, TakeWhatWasMeasured) {
  const Walk& w = GetParam();
  EXPECT_NEAR(CyclesOfLoad(w) / w.measured_cycles, 1, 0.25);
}

INSTANTIATE_TEST_SUITE_P(Zen4, Sets,
                         testing::Values(Walk{4160, 64, 0, 2.0}, Walk{4160, 64, 16, 2.4},
                                         Walk{4096, 128, 0, 9.3}, Walk{4096, 64, 16, 25.7},
                                         Walk{2048, 128, 16, 13.0}));

/// Of shorter columns more run side by side here than there.
class ShortSets : public Sets {};

TEST_P(ShortSets, TakeAtLeastHalfOfWhatWasMeasured) {
  const Walk& w = GetParam();
  const double ratio = CyclesOfLoad(w) / w.measured_cycles;
  EXPECT_GT(ratio, 0.5);
  EXPECT_LT(ratio, 1.25);
}

INSTANTIATE_TEST_SUITE_P(Zen4, ShortSets,
                         testing::Values(Walk{4096, 64, 0, 8.9}, Walk{2048, 128, 0, 6.4},
                                         Walk{1024, 128, 0, 3.1}));

/// What it costs comes from the loads that are on their way at a time, not from the stride.
TEST(FullSets, CostNothingWithoutOthersOnTheirWay) {
  const double many = CyclesOfLoad({4096, 64, 16, 0});
  const double few = CyclesOfLoad({4096, 64, 16, 0}, {{"core.load_queue", "4"}});
  const double apart = CyclesOfLoad({4160, 64, 16, 0}, {{"core.load_queue", "4"}});
  EXPECT_LT(few, many);
  EXPECT_LT(few / apart, 1.25);
}

/// Where lines wait in fill buffers and choose their place when they come, a set is never full.
TEST(FullSets, NeedNoPlaceBeforeTheirLinesCome) {
  const std::vector<Override> fill_buffers = {{"l1.retries_full_sets", "false"}};
  const double same = CyclesOfLoad({4096, 128, 0, 0}, fill_buffers);
  const double apart = CyclesOfLoad({4160, 128, 0, 0}, fill_buffers);
  EXPECT_LT(same / apart, 1.3);
  EXPECT_GT(CyclesOfLoad({4096, 128, 0, 0}) / same, 2);
}

}  // namespace
}  // namespace siliscope
