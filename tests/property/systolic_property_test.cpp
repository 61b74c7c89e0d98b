// SPDX-License-Identifier: Apache-2.0
// The array at cycle zoom computes real products, and the tile zoom gives its cycles exactly.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "models/npu/systolic_product.h"
#include "models/npu/systolic_timing.h"

namespace siliscope {
namespace {

std::vector<float> SmallIntegers(std::int64_t count, std::uint32_t seed) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525U + 1013904223U;
    values.push_back(static_cast<float>(static_cast<int>(seed >> 24) - 128));
  }
  return values;
}

std::vector<float> Reference(const std::vector<float>& a, const std::vector<float>& b,
                             std::int64_t m, std::int64_t k, std::int64_t n) {
  std::vector<float> y(static_cast<std::size_t>(m * n), 0);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t t = 0; t < k; ++t) y[i * n + j] += a[i * k + t] * b[t * n + j];
    }
  }
  return y;
}

/// The tile zoom of the same tiles: time of the last result in cycles.
std::uint64_t TileZoomCycles(SystolicArraySpec spec, std::int64_t m, std::int64_t k,
                             std::int64_t n) {
  if (spec.dataflow == Dataflow::kInputStationary) {
    spec.dataflow = Dataflow::kWeightStationary;
    std::swap(m, n);
  }
  SystolicTiming timing(spec);
  const bool output = spec.dataflow == Dataflow::kOutputStationary;
  std::uint64_t end = 0, started = 0;
  const std::int64_t m_tiles = output ? (m + spec.rows - 1) / spec.rows : 1;
  const std::int64_t k_tiles = output ? 1 : (k + spec.rows - 1) / spec.rows;
  for (std::int64_t t = 0; t < m_tiles * k_tiles * ((n + spec.columns - 1) / spec.columns); ++t) {
    // The next push waits until the operand pushed before is in use.
    if (!output) timing.PushOperand(started, 0, 0);
    const auto matmul = timing.StreamRows(0, output ? k : m, 1.0, 0, output);
    started = matmul.start;
    end = std::max(end, matmul.complete);
  }
  return end;
}

SystolicArraySpec Spec(std::int64_t rows, std::int64_t columns, Dataflow dataflow, bool planes,
                       bool overlap, std::int64_t push_rows = 1, std::int64_t switch_cycles = 0) {
  SystolicArraySpec spec;
  spec.rows = rows;
  spec.columns = columns;
  spec.dataflow = dataflow;
  spec.weight_double_buffer = planes;
  spec.overlap_fill_drain = overlap;
  spec.weight_rows_per_cycle = push_rows;
  spec.weight_switch_cycles = switch_cycles;
  return spec;
}

TEST(SystolicCycle, ThreeByThreeTakesSevenCycles) {
  // 3N - 2 for N = 3: the classic hand-drawn example, output stationary.
  const auto spec = Spec(3, 3, Dataflow::kOutputStationary, false, false);
  const std::vector<float> a = {1, 2, 3, 4, 5, 6, 7, 8, 9}, b = {9, 8, 7, 6, 5, 4, 3, 2, 1};
  const SystolicProduct product = MultiplyOnArray(spec, a, b, 3, 3, 3);
  EXPECT_EQ(product.cycles, 7U);
  EXPECT_EQ(product.values, Reference(a, b, 3, 3, 3));
}

TEST(SystolicCycle, OperandsMoveInADiagonalWave) {
  SystolicCycle array(Spec(3, 3, Dataflow::kOutputStationary, false, false));
  array.Stream(3, std::vector<float>(9, 1), std::vector<float>(9, 1));
  std::vector<std::int64_t> active;
  while (!array.Empty()) {
    array.Step();
    active.push_back(array.ActiveCount());
  }
  EXPECT_EQ(active, (std::vector<std::int64_t>{1, 3, 6, 7, 6, 3, 1}));
}

RC_GTEST_PROP(SystolicProperty, ProductAndCyclesAreExact, ()) {
  const auto dataflow = static_cast<Dataflow>(*rc::gen::inRange(0, 3));
  const auto rows = *rc::gen::inRange<std::int64_t>(1, 10);
  const auto columns = *rc::gen::inRange<std::int64_t>(1, 10);
  const auto m = *rc::gen::inRange<std::int64_t>(1, 24), k = *rc::gen::inRange<std::int64_t>(1, 24);
  const auto n = *rc::gen::inRange<std::int64_t>(1, 24);
  const bool planes = *rc::gen::arbitrary<bool>(), overlap = *rc::gen::arbitrary<bool>();
  const auto push_rows = *rc::gen::inRange<std::int64_t>(1, 4);
  const auto switch_cycles = *rc::gen::inRange<std::int64_t>(0, 5);
  auto spec = Spec(rows, columns, dataflow, planes, overlap, push_rows, switch_cycles);
  spec.push_latency_cycles = *rc::gen::inRange<std::int64_t>(0, 12);
  const auto a = SmallIntegers(m * k, 1), b = SmallIntegers(k * n, 2);
  const SystolicProduct product = MultiplyOnArray(spec, a, b, m, k, n);
  RC_ASSERT(product.values == Reference(a, b, m, k, n));
  RC_ASSERT(product.cycles == TileZoomCycles(spec, m, k, n));
}

TEST(SystolicCycle, LargeArraysAgreeToo) {
  for (const Dataflow dataflow : {Dataflow::kWeightStationary, Dataflow::kOutputStationary}) {
    const auto spec = Spec(64, 48, dataflow, true, true, 2, 4);
    const auto a = SmallIntegers(100 * 130, 3), b = SmallIntegers(130 * 100, 4);
    const SystolicProduct product = MultiplyOnArray(spec, a, b, 100, 130, 100);
    EXPECT_EQ(product.values, Reference(a, b, 100, 130, 100));
    EXPECT_EQ(product.cycles, TileZoomCycles(spec, 100, 130, 100));
  }
}

}  // namespace
}  // namespace siliscope
