// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/dot_product_unit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace siliscope {
namespace {

TEST(DotProductUnit, AddendsAreCutNotRounded) {
  // Fasi et al. 2021: on V100 what lies below the last bit of the largest addend is lost, from
  // Turing on one further bit is kept; results are cut towards zero.
  const double tiny = std::ldexp(1.0, -12);
  const auto sum = [&](std::int64_t generation, int exponent) {
    const DotProductUnit unit(generation, DataType::kFp16);
    std::vector<double> a(16, 0), b(16, 0);
    a[0] = a[1] = tiny;
    b[0] = b[1] = std::ldexp(1.0, exponent + 12);
    return unit.Add(1, a.data(), b.data()) - 1;
  };
  EXPECT_EQ(sum(1, -23), std::ldexp(2.0, -23));
  EXPECT_EQ(sum(1, -24), 0);                     // both are cut
  EXPECT_EQ(sum(3, -24), std::ldexp(1.0, -23));  // two halves of the last bit are one
  EXPECT_EQ(sum(3, -25), 0);
  EXPECT_EQ(sum(4, -25), 0);  // kept by Hopper's two bits, then cut from the result
  EXPECT_EQ(sum(4, -24), std::ldexp(1.0, -23));
}

TEST(DotProductUnit, ElementsOfAStepAreAddedTogether) {
  // 4 products at a time on Volta and Turing, 8 on Ampere, 16 on Hopper: -1 takes back what a
  // large accumulator would have cut from small products of the same step only.
  EXPECT_EQ(DotProductUnit(1, DataType::kFp16).length(), 4);
  EXPECT_EQ(DotProductUnit(3, DataType::kFp16).length(), 8);
  EXPECT_EQ(DotProductUnit(3, DataType::kTf32).length(), 4);
  EXPECT_EQ(DotProductUnit(4, DataType::kFp16).length(), 16);
  EXPECT_EQ(DotProductUnit(4, DataType::kFp8).extra_bits(), -10);  // 14 bits in all
}

TEST(DotProductUnit, ProductsEqualTheReferenceInTheirPrecision) {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> values(-2, 2);
  for (const std::int64_t generation : {1, 2, 3, 4}) {
    for (const DataType type :
         {DataType::kFp16, DataType::kBf16, DataType::kTf32, DataType::kFp8}) {
      const DotProductUnit unit(generation, type);
      for (int trial = 0; trial < 50; ++trial) {
        std::vector<double> row(1 + random() % 600), column(row.size());
        double exact = 0;
        for (std::size_t i = 0; i < row.size(); ++i) {
          row[i] = RoundToType(values(random), type);
          column[i] = RoundToType(values(random), type);
          exact += row[i] * column[i];
        }
        const double off = std::abs(unit.Product(row, column) - exact);
        EXPECT_LE(off, unit.ErrorBound(row, column)) << generation << " " << DataTypeName(type);
      }
    }
  }
}

TEST(DotProductUnit, SmallIntegersAreExact) {
  std::mt19937 random(1);
  const DotProductUnit unit(3, DataType::kFp16);
  std::vector<double> row(256), column(256);
  double exact = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] = static_cast<double>(random() % 17) - 8;
    column[i] = static_cast<double>(random() % 17) - 8;
    exact += row[i] * column[i];
  }
  EXPECT_EQ(unit.Product(row, column), exact);
}

TEST(DotProductUnit, IntegersWrapAtThirtyTwoBits) {
  // PTX ISA, mma: ".s32 accumulators ... wrap" where .satfinite is not given.
  const DotProductUnit unit(3, DataType::kInt8);
  std::vector<double> row(1 << 18, 127), column(1 << 18, 127);
  const std::int64_t sum = std::int64_t{127} * 127 * (1 << 18);
  EXPECT_EQ(unit.Product(row, column), static_cast<double>(sum - (std::int64_t{1} << 32)));
}

TEST(DotProductUnit, DoublePrecisionIsAChainOfFusedMultiplyAdds) {
  // Fasi et al. 2021: double precision of the A100 rounds to nearest after each product.
  const DotProductUnit unit(3, DataType::kFp64);
  const double tiny = std::ldexp(1.0, -53);
  EXPECT_EQ(unit.Product({1, tiny, tiny}, {1, 1, 1}), 1);  // each is lost alone
  EXPECT_EQ(unit.Product({tiny, tiny, 1}, {1, 1, 1}), 1 + 2 * tiny);
}

TEST(DotProductUnit, HalfPrecisionSumsAreRoundedEachStep) {
  // Fasi et al. 2021: results in half precision are rounded to nearest.
  std::vector<double> ones(4096, 1);
  const DotProductUnit half(1, DataType::kFp16, DataType::kFp16);
  EXPECT_EQ(half.Product(ones, ones), 4096);  // 4 at a time: 2048 + 4 is a value
  std::vector<double> spread(2048 * 4, 0);
  for (std::size_t i = 0; i < spread.size(); i += 4) spread[i] = 1;
  const std::vector<double> more(spread.size(), 1);
  EXPECT_EQ(half.Product(spread, more), 2048);
  spread.insert(spread.end(), {1, 0, 0, 0});
  EXPECT_EQ(half.Product(spread, std::vector<double>(spread.size(), 1)), 2048);  // a tie, to even
  EXPECT_EQ(
      DotProductUnit(1, DataType::kFp16).Product(spread, std::vector<double>(spread.size(), 1)),
      2049);
}

TEST(DotProductUnit, RoundsToItsTypes) {
  EXPECT_EQ(RoundToType(1.0009765625 + 0.0001, DataType::kFp16), 1.0009765625);
  EXPECT_EQ(RoundToType(1.00390625, DataType::kBf16), 1);  // a tie goes to the even
  EXPECT_EQ(RoundToType(1.3, DataType::kFp8), 1.25);
  EXPECT_EQ(RoundToType(-0.3, DataType::kFp32), static_cast<double>(-0.3F));
  EXPECT_EQ(RoundToType(-200.5, DataType::kInt8), -128);
}

TEST(DotProductUnit, TwoOfFourElementsAreKept) {
  // NVIDIA A100 whitepaper, "Fine-grained structured sparsity": two of four, with 2-bit places.
  const std::vector<double> row = {0, 3, 0, -5, 1, 0, 2, 0};
  const std::vector<double> column = {1, 2, 3, 4, 5, 6, 7, 8};
  const SparseRow sparse = Compress(row);
  EXPECT_EQ(sparse.values, (std::vector<double>{3, -5, 1, 2}));
  EXPECT_EQ(sparse.places, (std::vector<std::uint8_t>{1, 3, 0, 2}));
  const DotProductUnit unit(3, DataType::kFp16);
  EXPECT_EQ(unit.Product(sparse.values, Select(sparse, column)), unit.Product(row, column));
}

}  // namespace
}  // namespace siliscope
