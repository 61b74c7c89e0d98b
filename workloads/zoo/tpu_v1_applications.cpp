// SPDX-License-Identifier: Apache-2.0
// The six applications of the TPU v1 paper (Jouppi et al., ISCA 2017, Table 1). The paper gives
// layers by kind, weights, operations a weight byte and batch, not shapes. Shapes here are
// assumptions that meet those numbers:
//   mlp0   5 FC of 2000 x 2000: 20 M weights, batch 200.
//   mlp1   4 FC, 1400 - 1000 - 1250 - 1250 - 1100... 5 M weights, batch 168.
//   lstm0  24 FC, 34 vector: 24 gate products of 1472 x 1472, 52 M weights, batch 64.
//   lstm1  37 FC, 19 vector, 600 x 600 matrices among them: 34 M weights, batch 96.
//   cnn0   16 conv, 8 M weights, 2888 = 8 x 19 x 19 rows: a board of 19 x 19 at batch 8, as of the
//          game of Go: 48 planes in, 14 layers of 3x3 and 256 channels, a 1x1 layer, and one value
//          a point out.
//   cnn1   72 conv, 13 pool, 4 FC, 100 M weights, 1750 operations a byte at batch 32:
//   Inception-like
//          trunk of 1x1 and 3x3 layers that shrinks from 28 x 28 to 7 x 7, then 4 FC.
#include "workloads/zoo/network.h"

namespace siliscope {
namespace {

std::int64_t Batch(const WorkloadRequest& request, std::int64_t otherwise) {
  return request.batch > 0 ? request.batch : otherwise;
}

Graph Mlp(const std::string& name, std::int64_t batch, const std::vector<std::int64_t>& widths) {
  NetworkBuilder net(name);
  TensorId x = net.Input("x", {batch, widths[0]});
  for (std::size_t i = 1; i < widths.size(); ++i) {
    x = net.FullyConnected("fc" + std::to_string(i), x, widths[i], "relu");
  }
  return net.Finish(x);
}

Graph Mlp0(const WorkloadRequest& request) {
  return Mlp("mlp0", Batch(request, 200), {2000, 2000, 2000, 2000, 2000, 2000});
}

Graph Mlp1(const WorkloadRequest& request) {
  return Mlp("mlp1", Batch(request, 168), {1400, 1000, 1250, 1000, 1100});
}

/// Gate products that depend on each other, with vector work between them.
Graph Lstm(const std::string& name, std::int64_t batch, const std::vector<std::int64_t>& widths,
           std::size_t vectors) {
  NetworkBuilder net(name);
  TensorId x = net.Input("x", {batch, widths[0]});
  std::size_t made = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) {
    x = net.FullyConnected("fc" + std::to_string(i), x, widths[i], i % 2 == 0 ? "tanh" : "sigmoid");
    // The elementwise part of a cell, apart from the activation that leaves the array.
    const std::size_t due = vectors * i / (widths.size() - 1);
    for (; made < due; ++made) {
      x = net.Function("vector" + std::to_string(made + 1), made % 2 == 0 ? "mul" : "tanh",
                       made % 2 == 0 ? std::vector<TensorId>{x, x} : std::vector<TensorId>{x});
    }
  }
  return net.Finish(x);
}

Graph Lstm0(const WorkloadRequest& request) {
  return Lstm("lstm0", Batch(request, 64), std::vector<std::int64_t>(25, 1472), 34);
}

Graph Lstm1(const WorkloadRequest& request) {
  std::vector<std::int64_t> widths(1, 600);
  for (int i = 0; i < 18; ++i) widths.push_back(600);
  for (int i = 0; i < 19; ++i) widths.push_back(1200);
  return Lstm("lstm1", Batch(request, 96), widths, 19);
}

Graph Cnn0(const WorkloadRequest& request) {
  NetworkBuilder net("cnn0");
  TensorId x = net.Input("x", {Batch(request, 8), 48, 19, 19});
  for (int i = 1; i <= 14; ++i) x = net.Conv("conv" + std::to_string(i), x, 256, 3, 1, "relu");
  x = net.Conv("conv15", x, 256, 1, 1, "relu");
  return net.Finish(net.Conv("conv16", x, 1, 1, 1, ""));
}

Graph Cnn1(const WorkloadRequest& request) {
  NetworkBuilder net("cnn1");
  const std::int64_t batch = Batch(request, 32);
  TensorId x = net.Input("x", {batch, 3, 112, 112});
  x = net.Conv("conv1", x, 64, 7, 2, "relu");
  x = net.Pool("pool1", x, 2, 2);
  int convs = 1, pools = 1;
  // Three stages of bottlenecks; the pools between and inside them bring the count to 13.
  const std::int64_t widths[] = {256, 512, 1024};
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < (stage == 1 ? 11 : 12); ++block) {
      x = net.Conv("conv" + std::to_string(++convs), x, widths[stage] / 2, 1, 1, "relu");
      x = net.Conv("conv" + std::to_string(++convs), x, widths[stage], 3, 1, "relu");
      if (block % 3 == 2 && pools < 12 - 4 * (2 - stage)) {
        x = net.Pool("pool" + std::to_string(++pools), x, 1, 1);
      }
    }
    if (stage < 2) x = net.Pool("pool" + std::to_string(++pools), x, 2, 2);
  }
  convs += 1;
  x = net.Conv("conv" + std::to_string(convs), x, 1024, 1, 1, "relu");
  const Shape shape = net.ShapeOf(x);
  x = net.Pool("pool_last", x, shape[2], 1);
  x = net.Reshape("flatten", x, {batch, 1024});
  for (int i = 1; i <= 4; ++i) x = net.FullyConnected("fc" + std::to_string(i), x, 1024, "relu");
  return net.Finish(x);
}

auto& registry = ZooRegistry::Instance();
const bool kMlp0 =
    registry.Add("mlp0", {"TPU v1 paper, MLP0: 5 FC, 20 M weights, batch 200", &Mlp0});
const bool kMlp1 =
    registry.Add("mlp1", {"TPU v1 paper, MLP1: 4 FC, 5 M weights, batch 168", &Mlp1});
const bool kLstm0 = registry.Add(
    "lstm0", {"TPU v1 paper, LSTM0: 24 FC, 34 vector, 52 M weights, batch 64", &Lstm0});
const bool kLstm1 = registry.Add(
    "lstm1", {"TPU v1 paper, LSTM1: 37 FC, 19 vector, 34 M weights, batch 96", &Lstm1});
const bool kCnn0 =
    registry.Add("cnn0", {"TPU v1 paper, CNN0: 16 conv of a 19 x 19 board, batch 8", &Cnn0});
const bool kCnn1 = registry.Add(
    "cnn1", {"TPU v1 paper, CNN1: 72 conv, 13 pool, 4 FC, 100 M weights, batch 32", &Cnn1});

}  // namespace
}  // namespace siliscope
