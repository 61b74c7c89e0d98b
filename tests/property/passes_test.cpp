// SPDX-License-Identifier: Apache-2.0
// Every pass keeps the meaning of a graph: the interpreter gives the same values before and after.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "sim/config/machine_loader.h"
#include "workloads/import/onnx_import.h"
#include "workloads/ir/interpreter.h"
#include "workloads/ir/printer.h"
#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

/// Adds operators by name and inputs.
class Builder {
 public:
  Graph graph;
  TensorId Tensor(const Shape& shape, Role role) {
    const TensorId id = graph.AddTensor(
        {"t" + std::to_string(graph.tensors.size()), shape, DataType::kFp32, role, nullptr});
    if (role == Role::kActivation) graph.inputs.push_back(id);
    return id;
  }
  TensorId Scalar(double value) {
    return graph.AddTensor({"c" + std::to_string(graph.tensors.size()),
                            {},
                            DataType::kFp32,
                            Role::kWeight,
                            std::make_shared<const std::vector<double>>(1, value)});
  }
  TensorId Fn(const std::string& function, std::vector<TensorId> inputs) {
    return Add(MakeElementwise(Next(), function, std::move(inputs)));
  }
  TensorId Op(const std::string& kind, std::vector<TensorId> inputs,
              std::map<std::string, Attribute> attributes = {}) {
    Operator op;
    op.name = Next();
    op.kind = kind;
    op.inputs = std::move(inputs);
    op.attributes = std::move(attributes);
    return Add(std::move(op));
  }

 private:
  std::string Next() { return "op" + std::to_string(graph.operators.size()); }
  TensorId Add(Operator op) {
    op.source_nodes = {op.name};
    return graph.AddOperator(std::move(op), DataType::kFp32);
  }
};

/// Runs the passes and checks that values stay; returns the kinds that are left.
std::vector<std::string> CheckMeaning(Graph graph, TensorId output) {
  graph.outputs = {output};
  const auto feeds = RandomFeeds(graph, 7);
  const std::vector<Value> before = Interpret(graph, feeds);
  RunPasses(&graph);
  VerifyGraph(graph);
  const std::vector<Value> after = Interpret(graph, feeds);
  EXPECT_EQ(before[0].shape, after[0].shape);
  for (std::size_t i = 0; i < before[0].data.size(); ++i) {
    EXPECT_NEAR(before[0].data[i], after[0].data[i], 1e-5 * (1 + std::fabs(before[0].data[i])));
  }
  std::vector<std::string> kinds;
  for (const Operator& op : graph.operators) {
    kinds.push_back(op.kind == "elementwise" ? op.Text("function", "") : op.kind);
  }
  return kinds;
}

using Kinds = std::vector<std::string>;

TEST(Passes, Gelu) {
  for (const int order : {0, 1, 2}) {
    Builder b;
    const TensorId x = b.Tensor({3, 8}, Role::kActivation);
    const TensorId erf = b.Fn("erf", {b.Fn("div", {x, b.Scalar(std::sqrt(2.0))})});
    const TensorId one = b.Fn("add", {erf, b.Scalar(1)});
    const TensorId half = b.Scalar(0.5);
    const TensorId y = order == 0   ? b.Fn("mul", {b.Fn("mul", {x, one}), half})
                       : order == 1 ? b.Fn("mul", {x, b.Fn("mul", {one, half})})
                                    : b.Fn("mul", {b.Fn("mul", {x, half}), one});
    EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"gelu"}) << order;
  }
}

TEST(Passes, Silu) {
  Builder b;
  const TensorId x = b.Tensor({4, 4}, Role::kActivation);
  const TensorId y = b.Fn("mul", {x, b.Fn("sigmoid", {x})});
  EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"silu"});
}

TEST(Passes, RmsNorm) {
  Builder b;
  const TensorId x = b.Tensor({3, 16}, Role::kActivation), w = b.Tensor({16}, Role::kWeight);
  const TensorId mean = b.Op("reduce", {b.Fn("pow", {x, b.Scalar(2)})},
                             {{"function", std::string("mean")}, {"axes", Shape{-1}}});
  const TensorId root = b.Fn("sqrt", {b.Fn("add", {mean, b.Scalar(1e-5)})});
  const TensorId y = b.Fn("mul", {w, b.Fn("mul", {x, b.Fn("div", {b.Scalar(1), root})})});
  EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"rms_norm"});
}

TEST(Passes, LayerNorm) {
  Builder b;
  const TensorId x = b.Tensor({3, 16}, Role::kActivation), w = b.Tensor({16}, Role::kWeight);
  const TensorId bias = b.Tensor({16}, Role::kWeight);
  const std::map<std::string, Attribute> mean = {{"function", std::string("mean")},
                                                 {"axes", Shape{-1}}};
  const TensorId centred = b.Fn("sub", {x, b.Op("reduce", {x}, mean)});
  const TensorId square = b.Fn("mul", {centred, centred});
  const TensorId root =
      b.Fn("sqrt", {b.Fn("add", {b.Op("reduce", {square}, mean), b.Scalar(1e-5)})});
  const TensorId y = b.Fn("add", {b.Fn("mul", {b.Fn("div", {centred, root}), w}), bias});
  EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"layer_norm"});
}

TEST(Passes, Softmax) {
  Builder b;
  const TensorId x = b.Tensor({3, 9}, Role::kActivation);
  const auto reduce = [&](TensorId t, const char* f) {
    return b.Op("reduce", {t}, {{"function", std::string(f)}, {"axes", Shape{-1}}});
  };
  const TensorId e = b.Fn("exp", {b.Fn("sub", {x, reduce(x, "max")})});
  const TensorId y = b.Fn("div", {e, reduce(e, "sum")});
  EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"softmax"});
}

TEST(Passes, AttentionAndGroupedQueries) {
  for (const bool grouped : {false, true}) {
    Builder b;
    const TensorId q = b.Tensor({2, 4, 5, 8}, Role::kActivation);
    const std::int64_t kv = grouped ? 2 : 4;
    TensorId k = b.Tensor({2, kv, 6, 8}, Role::kActivation);
    TensorId v = b.Tensor({2, kv, 6, 8}, Role::kActivation);
    const TensorId mask = b.Tensor({1, 1, 5, 6}, Role::kActivation);
    for (TensorId* t : {&k, &v}) {
      if (!grouped) break;
      const TensorId wide = b.Op("reshape", {*t}, {{"shape", Shape{2, 2, 1, 6, 8}}});
      const TensorId many = b.Op("expand", {wide}, {{"shape", Shape{2, 2, 2, 6, 8}}});
      *t = b.Op("reshape", {many}, {{"shape", Shape{2, 4, 6, 8}}});
    }
    const TensorId kt = b.Op("transpose", {k}, {{"perm", Shape{0, 1, 3, 2}}});
    const TensorId s = b.Fn("mul", {b.Op("matmul", {q, kt}), b.Scalar(0.35)});
    const TensorId p = b.Op("softmax", {b.Fn("add", {s, mask})}, {{"axis", std::int64_t{-1}}});
    const TensorId y = b.Op("matmul", {p, v});
    EXPECT_EQ(CheckMeaning(b.graph, y), Kinds{"attention"}) << grouped;
  }
}

TEST(Passes, EpiloguesAndBatchNorm) {
  Builder b;
  const TensorId x = b.Tensor({2, 3, 6, 6}, Role::kActivation);
  const TensorId w1 = b.Tensor({4, 3, 3, 3}, Role::kWeight),
                 w2 = b.Tensor({4, 4, 1, 1}, Role::kWeight);
  const TensorId bias = b.Tensor({4}, Role::kWeight);
  const auto pads = std::map<std::string, Attribute>{{"pads", Shape{1, 1, 1, 1}}};
  const TensorId first = b.Fn("relu", {b.Op("conv", {x, w1, bias}, pads)});
  const TensorId second = b.Op("conv", {first, w2});
  const TensorId y = b.Fn("relu", {b.Fn("add", {second, first})});
  EXPECT_EQ(CheckMeaning(b.graph, y), (Kinds{"conv", "conv"}));
}

TEST(Printer, RoundTripsWithAttributesAndEpilogues) {
  Graph graph = ImportOnnx(RootFolder() + "/workloads/graphs/resnet18.onnx", {});
  RunPasses(&graph);
  const std::string text = PrintGraph(graph);
  const Graph again = ParseGraph(text);
  EXPECT_EQ(PrintGraph(again), text);
  VerifyGraph(again);
}

}  // namespace
}  // namespace siliscope
