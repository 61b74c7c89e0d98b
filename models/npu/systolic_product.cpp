// SPDX-License-Identifier: Apache-2.0
#include "models/npu/systolic_product.h"

#include <algorithm>
#include <deque>

namespace siliscope {
namespace {

/// One tile: stationary operand (not for output stationary) and streamed operands.
struct Tile {
  std::int64_t length = 0;
  std::vector<float> stationary, streamed, top;
};

/// One tile of the product's loops: rows and columns of the result, stretch of the contraction.
struct Corner {
  std::int64_t m, n, k;
};

Tile CutStationaryTile(const SystolicArraySpec& spec, const std::vector<float>& a,
                       const std::vector<float>& b, std::int64_t m, std::int64_t k, std::int64_t n,
                       Corner at) {
  Tile tile;
  tile.length = m;
  tile.stationary.assign(static_cast<std::size_t>(spec.rows * spec.columns), 0);
  tile.streamed.assign(static_cast<std::size_t>(m * spec.rows), 0);
  for (std::int64_t r = 0; r < std::min(spec.rows, k - at.k); ++r) {
    for (std::int64_t c = 0; c < std::min(spec.columns, n - at.n); ++c) {
      tile.stationary[static_cast<std::size_t>(r * spec.columns + c)] =
          b[static_cast<std::size_t>((at.k + r) * n + at.n + c)];
    }
    for (std::int64_t i = 0; i < m; ++i) {
      tile.streamed[static_cast<std::size_t>(i * spec.rows + r)] =
          a[static_cast<std::size_t>(i * k + at.k + r)];
    }
  }
  return tile;
}

Tile CutOutputTile(const SystolicArraySpec& spec, const std::vector<float>& a,
                   const std::vector<float>& b, std::int64_t m, std::int64_t k, std::int64_t n,
                   Corner at) {
  Tile tile;
  tile.length = k;
  tile.streamed.assign(static_cast<std::size_t>(k * spec.rows), 0);
  tile.top.assign(static_cast<std::size_t>(k * spec.columns), 0);
  for (std::int64_t t = 0; t < k; ++t) {
    for (std::int64_t r = 0; r < std::min(spec.rows, m - at.m); ++r) {
      tile.streamed[static_cast<std::size_t>(t * spec.rows + r)] =
          a[static_cast<std::size_t>((at.m + r) * k + t)];
    }
    for (std::int64_t c = 0; c < std::min(spec.columns, n - at.n); ++c) {
      tile.top[static_cast<std::size_t>(t * spec.columns + c)] =
          b[static_cast<std::size_t>(t * n + at.n + c)];
    }
  }
  return tile;
}

std::vector<float> Transposed(const std::vector<float>& x, std::int64_t rows,
                              std::int64_t columns) {
  std::vector<float> y(x.size());
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      y[static_cast<std::size_t>(c * rows + r)] = x[static_cast<std::size_t>(r * columns + c)];
    }
  }
  return y;
}

/// Runs tiles in order, each part as soon as the array takes it. Returns their results.
std::vector<std::vector<float>> RunTiles(const SystolicArraySpec& spec, std::deque<Tile> tiles,
                                         const std::function<void(const SystolicCycle&)>& watch,
                                         std::uint64_t* cycles) {
  SystolicCycle array(spec);
  std::vector<std::vector<float>> results;
  std::deque<Tile> pushed;
  const bool pushes = spec.dataflow != Dataflow::kOutputStationary;
  const auto stream = [&](std::deque<Tile>& from) {
    if (from.empty() || !array.CanStream(!pushes)) return;
    array.Stream(from.front().length, std::move(from.front().streamed),
                 std::move(from.front().top));
    from.pop_front();
  };
  // All tiles lie ready from the beginning: only the first is still on its way from the buffer.
  const auto arrival = static_cast<std::uint64_t>(spec.push_latency_cycles);
  while (!tiles.empty() || !pushed.empty() || !array.Empty()) {
    stream(pushes ? pushed : tiles);
    if (pushes && !tiles.empty() && array.cycle() >= arrival && array.CanPush()) {
      array.Push(std::move(tiles.front().stationary));
      pushed.push_back(std::move(tiles.front()));
      tiles.pop_front();
      stream(pushed);
    }
    array.Step();
    if (watch) watch(array);
    while (auto finished = array.TakeFinished()) results.push_back(std::move(finished->result));
  }
  *cycles = array.cycle();
  return results;
}

}  // namespace

SystolicProduct MultiplyOnArray(const SystolicArraySpec& spec, const std::vector<float>& a,
                                const std::vector<float>& b, std::int64_t m, std::int64_t k,
                                std::int64_t n,
                                const std::function<void(const SystolicCycle&)>& watch) {
  if (spec.dataflow == Dataflow::kInputStationary) {  // (a b)^T = b^T a^T with b^T streamed
    SystolicArraySpec exchanged = spec;
    exchanged.dataflow = Dataflow::kWeightStationary;
    SystolicProduct product =
        MultiplyOnArray(exchanged, Transposed(b, k, n), Transposed(a, m, k), n, k, m, watch);
    product.values = Transposed(product.values, n, m);
    return product;
  }
  const bool output_stationary = spec.dataflow == Dataflow::kOutputStationary;
  std::deque<Tile> tiles;
  std::vector<Corner> corners;
  const std::int64_t m_step = output_stationary ? spec.rows : m;
  const std::int64_t k_step = output_stationary ? k : spec.rows;
  for (std::int64_t mm = 0; mm < m; mm += m_step) {
    for (std::int64_t nn = 0; nn < n; nn += spec.columns) {
      for (std::int64_t kk = 0; kk < k; kk += k_step) {
        corners.push_back({mm, nn, kk});
        tiles.push_back(output_stationary ? CutOutputTile(spec, a, b, m, k, n, corners.back())
                                          : CutStationaryTile(spec, a, b, m, k, n, corners.back()));
      }
    }
  }
  SystolicProduct product;
  const auto results = RunTiles(spec, std::move(tiles), watch, &product.cycles);
  product.values.assign(static_cast<std::size_t>(m * n), 0);
  for (std::size_t t = 0; t < corners.size(); ++t) {
    const Corner at = corners[t];
    const std::vector<float>& result = results[t];
    const std::int64_t rows = output_stationary ? std::min(spec.rows, m - at.m) : m;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t c = 0; c < std::min(spec.columns, n - at.n); ++c) {
        product.values[static_cast<std::size_t>((at.m + i) * n + at.n + c)] +=
            result[static_cast<std::size_t>(i * spec.columns + c)];
      }
    }
  }
  return product;
}

}  // namespace siliscope
