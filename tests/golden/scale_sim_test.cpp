// SPDX-License-Identifier: Apache-2.0
// Cycles of a systolic array with nothing hidden, against every row of SCALE-Sim's tables: push,
// fill, stream and drain of each fold, one after another. SCALE-Sim prints the index of the last
// cycle, one less than the count.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <tuple>

#include "models/npu/systolic_cycle.h"
#include "sim/config/machine_loader.h"
#include "sim/run/csv.h"
#include "tests/reference_folder.h"

namespace siliscope {
namespace {

/// Cycles of one fold at cycle zoom, remembered by what it depends on.
std::uint64_t FoldCycles(std::int64_t rows, std::int64_t columns, Dataflow dataflow,
                         std::int64_t length) {
  static std::map<std::tuple<std::int64_t, std::int64_t, int, std::int64_t>, std::uint64_t> known;
  auto& cycles = known[{rows, columns, static_cast<int>(dataflow), length}];
  if (cycles > 0) return cycles;
  SystolicArraySpec spec;
  spec.rows = rows;
  spec.columns = columns;
  spec.dataflow = dataflow;
  spec.weight_double_buffer = false;
  spec.overlap_fill_drain = false;
  SystolicCycle array(spec);
  const auto ones = [](std::int64_t count) {
    return std::vector<float>(static_cast<std::size_t>(count), 1);
  };
  const bool output_stationary = dataflow == Dataflow::kOutputStationary;
  if (!output_stationary) array.Push(ones(rows * columns));
  while (!array.CanStream(output_stationary)) array.Step();
  array.Stream(length, ones(length * rows), ones(output_stationary ? length * columns : 0));
  while (!array.Empty()) array.Step();
  return cycles = array.cycle();
}

/// Every row: folds one after another, nothing hidden. Returns how many were compared.
std::size_t CompareRows(const std::string& file) {
  const CsvTable table = ReadCsv(file);
  const auto number = [&](std::size_t row, const char* column) {
    return std::strtoll(table.rows[row][static_cast<std::size_t>(table.Column(column))].c_str(),
                        nullptr, 10);
  };
  std::size_t compared = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const std::string flow = table.rows[i][static_cast<std::size_t>(table.Column("dataflow"))];
    const std::int64_t r = number(i, "array_r"), c = number(i, "array_c");
    const std::int64_t m = number(i, "M"), n = number(i, "N"), k = number(i, "K");
    // What lies along the rows and columns of the array, and what streams through it.
    const std::int64_t down = flow == "os" ? m : k;
    const std::int64_t across = flow == "is" ? m : n;
    const std::int64_t streamed = flow == "os" ? k : flow == "ws" ? m : n;
    const Dataflow dataflow = flow == "os"   ? Dataflow::kOutputStationary
                              : flow == "ws" ? Dataflow::kWeightStationary
                                             : Dataflow::kInputStationary;
    const auto folds = static_cast<std::uint64_t>(((down + r - 1) / r) * ((across + c - 1) / c));
    EXPECT_EQ(folds * FoldCycles(r, c, dataflow, streamed) - 1,
              static_cast<std::uint64_t>(number(i, "total_cycles")))
        << "row " << i + 2;
    ++compared;
  }
  return compared;
}

TEST(ScaleSim, OurRowsAreEqualToTheCycle) {
  EXPECT_GE(CompareRows(RootFolder() + "/configs/measurements/scale_sim_layers.csv"), 20U);
}

TEST(ScaleSim, EveryRowIsEqualToTheCycle) {
  const std::string file = ReferenceFile("reference/scalesim/layers.csv");
  if (!std::filesystem::exists(file)) {
    GTEST_SKIP() << "the reference tables are not beside the project";
  }
  EXPECT_EQ(CompareRows(file), 230U);
}

}  // namespace
}  // namespace siliscope
