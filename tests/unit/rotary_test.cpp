// SPDX-License-Identifier: Apache-2.0
// Rotary positions: values, and what is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/core/error.h"
#include "workloads/ir/interpreter.h"

namespace siliscope {
namespace {

TEST(Rotary, TurnsPairsHalfARowApart) {
  // Su et al., "RoFormer", 2021, equation 34: position p turns pair i by p / 10000^(2 i / depth).
  constexpr std::int64_t kLength = 3, kDepth = 4;
  Value x{{2, kLength, kDepth}, {}}, cosine{{kLength, kDepth}, {}}, sine{{kLength, kDepth}, {}};
  for (std::int64_t i = 0; i < 2 * kLength * kDepth; ++i) {
    x.data.push_back(0.25 * static_cast<double>(i) - 1);
  }
  for (std::int64_t p = 0; p < kLength; ++p) {
    for (std::int64_t d = 0; d < kDepth; ++d) {
      const double pair = 2.0 * static_cast<double>(d % (kDepth / 2)) / kDepth;
      const double angle = static_cast<double>(p) / std::pow(10000.0, pair);
      cosine.data.push_back(std::cos(angle));
      sine.data.push_back(std::sin(angle));
    }
  }
  Operator op;
  op.name = op.kind = "rotary";
  const Value y = EvaluateOperator(op, {&x, &cosine, &sine}, {}).front();
  for (std::size_t row = 0; row < 2 * kLength; ++row) {
    for (std::size_t i = 0; i < kDepth / 2; ++i) {
      const std::size_t low = row * kDepth + i, high = low + kDepth / 2;
      const std::size_t at = row % kLength * kDepth + i;
      EXPECT_DOUBLE_EQ(y.data[low], x.data[low] * cosine.data[at] - x.data[high] * sine.data[at]);
      EXPECT_NEAR(std::hypot(y.data[low], y.data[high]), std::hypot(x.data[low], x.data[high]),
                  1e-12);
      if (row % kLength != 0) continue;
      EXPECT_EQ(y.data[low], x.data[low]);  // nothing turns at position 0
    }
  }
}

TEST(Rotary, RefusesTablesThatDoNotFit) {
  Graph graph;
  const auto tensor = [&](const char* name, const Shape& shape) {
    return graph.AddTensor({name, shape, DataType::kFp32, Role::kActivation, nullptr});
  };
  Operator op;
  op.name = "r";
  op.kind = "rotary";
  op.inputs = {tensor("x", {2, 3, 4}), tensor("cos", {3, 2}), tensor("sin", {3, 2})};
  EXPECT_THROW(graph.AddOperator(op, DataType::kFp32), UserError);
  op.inputs = {tensor("y", {2, 3, 5}), tensor("c", {3, 5}), tensor("s", {3, 5})};
  EXPECT_THROW(graph.AddOperator(op, DataType::kFp32), UserError);
}

}  // namespace
}  // namespace siliscope
