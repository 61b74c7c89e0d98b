// SPDX-License-Identifier: Apache-2.0
// Networks divided over ranks as Shoeybi et al., "Megatron-LM" (2019), section 3, and Korthikanti
// et al., "Reducing activation recomputation in large transformer models" (2022), section 4.2.2,
// do.
#include "workloads/parallel/tensor_parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::int64_t kHidden = 64, kInner = 256;

TensorId Product(Graph& graph, TensorId x, std::int64_t rows, std::int64_t columns) {
  Operator op;
  op.kind = "matmul";
  op.name = "product" + std::to_string(graph.operators.size());
  op.inputs = {
      x, graph.AddTensor(
             {op.name + ".weight", {rows, columns}, DataType::kFp16, Role::kWeight, nullptr})};
  return graph.AddOperator(op, DataType::kFp16);
}

/// Two products, a function between them, and one that makes `vocabulary` columns of the result.
Graph TwoProducts(std::int64_t vocabulary) {
  Graph graph;
  graph.name = "two";
  const TensorId x =
      graph.AddTensor({"x", {1, 32, kHidden}, DataType::kFp16, Role::kActivation, nullptr});
  graph.inputs = {x};
  Operator relu;
  relu.kind = "elementwise";
  relu.name = "relu";
  relu.attributes["function"] = std::string("relu");
  relu.inputs = {Product(graph, x, kHidden, kInner)};
  const TensorId inner = graph.AddOperator(relu, DataType::kFp16);
  TensorId y = Product(graph, inner, kInner, kHidden);
  if (vocabulary > 0) y = Product(graph, y, kHidden, vocabulary);
  graph.outputs = {y};
  return graph;
}

std::vector<std::string> KindsOf(const Graph& graph) {
  std::vector<std::string> kinds;
  for (const Operator& op : graph.operators) kinds.push_back(op.kind);
  return kinds;
}

TEST(TensorParallel, ColumnsThenRowsNeedOneSum) {
  const Graph rank = TensorParallel(TwoProducts(0), 4, false);
  EXPECT_EQ(KindsOf(rank),
            (std::vector<std::string>{"matmul", "elementwise", "matmul", "all_reduce"}));
  EXPECT_EQ(rank.tensor(rank.operators[0].inputs[1]).shape, (Shape{kHidden, kInner / 4}));
  EXPECT_EQ(rank.tensor(rank.operators[2].inputs[1]).shape, (Shape{kInner / 4, kHidden}));
  EXPECT_EQ(rank.tensor(rank.outputs.front()).shape, (Shape{1, 32, kHidden}));
  EXPECT_EQ(GraphMacs(rank) * 4, GraphMacs(TwoProducts(0)));
  VerifyGraph(rank);
}

TEST(TensorParallel, SequencesAreScatteredAndGathered) {
  const Graph rank = TensorParallel(TwoProducts(0), 4, true);
  EXPECT_EQ(KindsOf(rank), (std::vector<std::string>{"all_gather", "matmul", "elementwise",
                                                     "matmul", "reduce_scatter"}));
  EXPECT_EQ(rank.tensor(rank.outputs.front()).shape, (Shape{1, 8, kHidden}));
  VerifyGraph(rank);
}

TEST(TensorParallel, VocabulariesArePaddedButNotWhatLiesBetween) {
  const Graph rank = TensorParallel(TwoProducts(50257), 4, false);
  EXPECT_EQ(rank.tensor(rank.operators[4].inputs[1]).shape, (Shape{kHidden, 12565}));
  EXPECT_EQ(rank.operators.back().kind, "all_gather");
  EXPECT_EQ(rank.tensor(rank.outputs.front()).shape, (Shape{1, 32, 50260}));
  VerifyGraph(rank);
  EXPECT_THROW(TensorParallel(TwoProducts(0), 3, false), UserError);
}

}  // namespace
}  // namespace siliscope
