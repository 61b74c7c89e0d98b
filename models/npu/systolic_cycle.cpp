// SPDX-License-Identifier: Apache-2.0
#include "models/npu/systolic_cycle.h"

#include <algorithm>
#include <cassert>
#include <cstring>

// Compiled for several instruction sets, the best of which is taken at run time.
#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    defined(__x86_64__)
#define SILISCOPE_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define SILISCOPE_VECTORISED
#endif

namespace siliscope {
namespace {

/// sums[c] = above[c] + moving[c] * stationary[c]: the work of one row of processing elements.
/// Rounds product and sum apart on every machine (no fused multiply-add), so results are the same.
SILISCOPE_VECTORISED void MultiplyAccumulate(float* __restrict sums, const float* __restrict above,
                                             const float* __restrict moving,
                                             const float* __restrict stationary,
                                             std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) sums[c] = above[c] + moving[c] * stationary[c];
}

SILISCOPE_VECTORISED void MultiplyIntoSums(float* __restrict sums, const float* __restrict left,
                                           const float* __restrict top, std::int64_t count) {
  for (std::int64_t c = 0; c < count; ++c) sums[c] += left[c] * top[c];
}

}  // namespace

SystolicCycle::SystolicCycle(const SystolicArraySpec& spec)
    : spec_(spec), rows_(spec.rows), columns_(spec.columns), ring_(columns_ + 1024) {
  const auto size = static_cast<std::size_t>(rows_ * columns_);
  sums_.assign(size, 0);
  planes_[0].assign(size, 0);
  planes_[1].assign(size, 0);
  moving_.assign(static_cast<std::size_t>(rows_ * ring_), 0);
  head_.assign(static_cast<std::size_t>(rows_), ring_ - columns_);
  moving_down_.assign(size, 0);
  zeros_.assign(static_cast<std::size_t>(columns_), 0);
}

void SystolicCycle::Enqueue(SystolicTile tile) { queue_.push_back(std::move(tile)); }

bool SystolicCycle::EntranceFree() const {
  for (const Flight& flight : in_flight_) {
    if (!flight.streaming) continue;
    if (!spec_.overlap_fill_drain) return false;  // the array must be empty
    std::uint64_t busy = static_cast<std::uint64_t>(flight.tile.length);
    // Two results of one column may not meet on its bus.
    if (spec_.dataflow == Dataflow::kOutputStationary) {
      busy = std::max(busy, static_cast<std::uint64_t>(rows_));
    }
    if (Age(flight) < busy) return false;
  }
  return true;
}

void SystolicCycle::Admit() {
  BeginStream();
  if (!queue_.empty() && PushPathFree()) {
    const bool stationary = spec_.dataflow != Dataflow::kOutputStationary;
    Flight flight;
    flight.tile = std::move(queue_.front());
    queue_.pop_front();
    flight.pushing = stationary;
    flight.push_start = cycle_;
    flight.push_end = cycle_;
    flight.plane = next_plane_;
    if (spec_.weight_double_buffer) next_plane_ ^= 1;
    const std::int64_t results = stationary ? flight.tile.length : rows_;
    flight.result.assign(static_cast<std::size_t>(results * columns_), 0);
    in_flight_.push_back(std::move(flight));
    BeginStream();
  }
}

bool SystolicCycle::PushPathFree() const {
  // All tiles lie ready from the beginning: only the first is still on its way from the buffer.
  const bool pushes = spec_.dataflow != Dataflow::kOutputStationary;
  if (pushes && cycle_ < static_cast<std::uint64_t>(spec_.push_latency_cycles)) return false;
  for (const Flight& flight : in_flight_) {
    if (!flight.streaming) return false;  // the operand pushed before has not been used yet
    if (spec_.dataflow == Dataflow::kOutputStationary) continue;
    const bool over = Age(flight) >= static_cast<std::uint64_t>(flight.tile.length);
    if (!spec_.overlap_fill_drain || (!spec_.weight_double_buffer && !over)) return false;
  }
  return true;
}

void SystolicCycle::BeginStream() {
  if (in_flight_.empty() || in_flight_.back().streaming) return;
  Flight& last = in_flight_.back();
  if (last.pushing) {
    const std::int64_t shifts =
        (rows_ + spec_.weight_rows_per_cycle - 1) / spec_.weight_rows_per_cycle;
    last.push_end =
        last.push_start + static_cast<std::uint64_t>(shifts + spec_.weight_switch_cycles);
  }
  if (cycle_ >= last.push_end && EntranceFree()) {
    last.streaming = true;
    last.start = cycle_;
  }
}

void SystolicCycle::StepPush(const Flight& flight) {
  // Values enter at the top and move down a row a cycle; row r begins to shift r cycles late, so
  // that what it held is kept until the last activation has used it. Column c does all this c
  // cycles later.
  const auto age = static_cast<std::int64_t>(cycle_ - flight.push_start);
  const std::int64_t first = std::max<std::int64_t>(0, age - rows_ + 1);
  std::vector<float>& plane = planes_[flight.plane];
  for (std::int64_t r = rows_ - 1; r > 0; --r) {
    const std::int64_t last = std::min<std::int64_t>(columns_ - 1, age - r);
    if (first > last) continue;
    std::memcpy(RowOf(plane, r) + first, RowOf(plane, r - 1) + first,
                static_cast<std::size_t>(last - first + 1) * sizeof(float));
  }
  for (std::int64_t c = first; c <= std::min(columns_ - 1, age); ++c) {
    const std::int64_t source = rows_ - 1 - (age - c);
    plane[static_cast<std::size_t>(c)] =
        flight.tile.stationary[static_cast<std::size_t>(source * columns_ + c)];
  }
}

void SystolicCycle::TakeFromStaging(const Flight& flight, std::int64_t row) {
  const std::int64_t column = static_cast<std::int64_t>(Age(flight)) - row;
  if (column < 0 || column >= columns_) return;
  const auto at = static_cast<std::size_t>(row * columns_ + column);
  planes_[flight.plane][at] = flight.tile.stationary[at];
}

const float* SystolicCycle::MoveRight(std::int64_t row) {
  std::int64_t& head = head_[static_cast<std::size_t>(row)];
  float* ring = moving_.data() + row * ring_;
  if (head == 0) {
    std::memmove(ring + ring_ - columns_, ring, static_cast<std::size_t>(columns_) * 4);
    head = ring_ - columns_;
  }
  --head;
  float entering = 0;
  for (const Flight& flight : in_flight_) {
    if (!flight.streaming) continue;
    const auto index = static_cast<std::int64_t>(Age(flight)) - row;
    if (index >= 0 && index < flight.tile.length) {
      entering = flight.tile.streamed[static_cast<std::size_t>(index * rows_ + row)];
    }
  }
  ring[head] = entering;
  return ring + head;
}

void SystolicCycle::StepStationary() {
  const bool staged = spec_.weight_rows_per_cycle > 1;
  for (const Flight& flight : in_flight_) {
    if (flight.pushing && !staged) StepPush(flight);
  }
  for (std::int64_t r = rows_ - 1; r >= 0; --r) {
    for (const Flight& flight : in_flight_) {
      if (staged && flight.streaming) TakeFromStaging(flight, r);
    }
    const float* moving = MoveRight(r);
    const float* above = r == 0 ? zeros_.data() : RowOf(sums_, r - 1);
    // Each stretch of columns multiplies with the plane of the tile that passes through it.
    std::int64_t end = columns_;
    for (const Flight& flight : in_flight_) {
      if (!flight.streaming) continue;
      // Columns that the next younger tile has reached belong to that one.
      std::int64_t begin = 0;
      for (const Flight& younger : in_flight_) {
        if (younger.streaming && younger.start > flight.start) {
          begin = std::clamp<std::int64_t>(static_cast<std::int64_t>(Age(younger)) - r + 1, 0, end);
          break;
        }
      }
      if (end > begin) {
        MultiplyAccumulate(RowOf(sums_, r) + begin, above + begin, moving + begin,
                           RowOf(planes_[flight.plane], r) + begin, end - begin);
      }
      end = begin;
    }
    if (end > 0) std::memcpy(RowOf(sums_, r), above, static_cast<std::size_t>(end) * 4);
  }
  for (Flight& flight : in_flight_) {
    if (flight.streaming) CollectBottomRow(flight);
  }
}

void SystolicCycle::CollectBottomRow(Flight& flight) {
  const auto newest = static_cast<std::int64_t>(Age(flight)) - (rows_ - 1);
  const std::int64_t first = std::max<std::int64_t>(0, newest - flight.tile.length + 1);
  const std::int64_t last = std::min<std::int64_t>(columns_ - 1, newest);
  const float* bottom = RowOf(sums_, rows_ - 1);
  for (std::int64_t c = first; c <= last; ++c) {
    flight.result[static_cast<std::size_t>((newest - c) * columns_ + c)] = bottom[c];
  }
}

void SystolicCycle::StepOutputStationary() {
  for (const std::size_t at : left_) sums_[at] = 0;
  left_.clear();
  for (std::int64_t r = rows_ - 1; r >= 0; --r) {
    const float* moving = MoveRight(r);
    float* down = RowOf(moving_down_, r);
    if (r > 0) {
      std::memcpy(down, RowOf(moving_down_, r - 1), static_cast<std::size_t>(columns_) * 4);
    } else {
      std::fill(down, down + columns_, 0.0F);
      for (const Flight& flight : in_flight_) {
        if (!flight.streaming) continue;
        const auto age = static_cast<std::int64_t>(Age(flight));
        for (std::int64_t c = std::max<std::int64_t>(0, age - flight.tile.length + 1);
             c <= std::min<std::int64_t>(columns_ - 1, age); ++c) {
          down[c] = flight.tile.streamed_top[static_cast<std::size_t>((age - c) * columns_ + c)];
        }
      }
    }
    MultiplyIntoSums(RowOf(sums_, r), moving, down, columns_);
  }
  // A sum leaves on the bus of its column in the cycle of its last product.
  for (Flight& flight : in_flight_) {
    if (!flight.streaming) continue;
    const auto diagonal = static_cast<std::int64_t>(Age(flight)) - (flight.tile.length - 1);
    for (std::int64_t r = std::max<std::int64_t>(0, diagonal - columns_ + 1);
         r <= std::min<std::int64_t>(rows_ - 1, diagonal); ++r) {
      const auto at = static_cast<std::size_t>(r * columns_ + diagonal - r);
      flight.result[at] = sums_[at];
      left_.push_back(at);
    }
  }
}

void SystolicCycle::Step() {
  just_done_.clear();
  Admit();
  if (spec_.dataflow == Dataflow::kOutputStationary) {
    StepOutputStationary();
  } else {
    StepStationary();
  }
  ++cycle_;
  Retire();
}

void SystolicCycle::Retire() {
  while (!in_flight_.empty()) {
    Flight& flight = in_flight_.front();
    // The last operand has passed the far corner.
    if (!flight.streaming ||
        Age(flight) < static_cast<std::uint64_t>(flight.tile.length + rows_ + columns_ - 2)) {
      break;
    }
    times_.push_back({flight.push_start, flight.push_end, flight.start, cycle_});
    results_.push_back(std::move(flight.result));
    just_done_.emplace_back(flight.start, flight.tile.length);
    in_flight_.pop_front();
  }
}

bool SystolicCycle::Active(std::int64_t row, std::int64_t column) const {
  if (cycle_ == 0) return false;
  const auto passes = [&](std::uint64_t start, std::int64_t length) {
    const auto index = static_cast<std::int64_t>(cycle_ - 1 - start) - row - column;
    return index >= 0 && index < length;
  };
  for (const Flight& flight : in_flight_) {
    if (flight.streaming && passes(flight.start, flight.tile.length)) return true;
  }
  return std::any_of(just_done_.begin(), just_done_.end(),
                     [&](const auto& done) { return passes(done.first, done.second); });
}

std::int64_t SystolicCycle::ActiveCount() const {
  std::int64_t count = 0;
  for (std::int64_t r = 0; r < rows_; ++r) {
    for (std::int64_t c = 0; c < columns_; ++c) count += Active(r, c) ? 1 : 0;
  }
  return count;
}

float SystolicCycle::Sum(std::int64_t row, std::int64_t column) const {
  return sums_[static_cast<std::size_t>(row * columns_ + column)];
}

namespace {

/// One tile of the product's loops: rows and columns of the result, stretch of the contraction.
struct Corner {
  std::int64_t m, n, k;
};

SystolicTile CutStationaryTile(const SystolicArraySpec& spec, const std::vector<float>& a,
                               const std::vector<float>& b, std::int64_t m, std::int64_t k,
                               std::int64_t n, Corner at) {
  SystolicTile tile;
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

SystolicTile CutOutputTile(const SystolicArraySpec& spec, const std::vector<float>& a,
                           const std::vector<float>& b, std::int64_t m, std::int64_t k,
                           std::int64_t n, Corner at) {
  SystolicTile tile;
  tile.length = k;
  tile.streamed.assign(static_cast<std::size_t>(k * spec.rows), 0);
  tile.streamed_top.assign(static_cast<std::size_t>(k * spec.columns), 0);
  for (std::int64_t t = 0; t < k; ++t) {
    for (std::int64_t r = 0; r < std::min(spec.rows, m - at.m); ++r) {
      tile.streamed[static_cast<std::size_t>(t * spec.rows + r)] =
          a[static_cast<std::size_t>((at.m + r) * k + t)];
    }
    for (std::int64_t c = 0; c < std::min(spec.columns, n - at.n); ++c) {
      tile.streamed_top[static_cast<std::size_t>(t * spec.columns + c)] =
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
  SystolicCycle array(spec);
  std::vector<Corner> corners;
  const std::int64_t m_step = output_stationary ? spec.rows : m;
  const std::int64_t k_step = output_stationary ? k : spec.rows;
  for (std::int64_t mm = 0; mm < m; mm += m_step) {
    for (std::int64_t nn = 0; nn < n; nn += spec.columns) {
      for (std::int64_t kk = 0; kk < k; kk += k_step) {
        corners.push_back({mm, nn, kk});
        array.Enqueue(output_stationary ? CutOutputTile(spec, a, b, m, k, n, corners.back())
                                        : CutStationaryTile(spec, a, b, m, k, n, corners.back()));
      }
    }
  }
  while (!array.Done()) {
    array.Step();
    if (watch) watch(array);
  }
  SystolicProduct product;
  product.cycles = array.cycle();
  product.values.assign(static_cast<std::size_t>(m * n), 0);
  for (std::size_t t = 0; t < corners.size(); ++t) {
    const Corner at = corners[t];
    const std::vector<float>& result = array.results()[t];
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
