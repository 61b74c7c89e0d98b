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

bool SystolicCycle::EntranceFree() const {
  for (const Flight& flight : in_flight_) {
    if (!flight.streaming) continue;
    if (!spec_.overlap_fill_drain) return false;  // the array must be empty
    std::uint64_t busy = static_cast<std::uint64_t>(flight.length);
    // Two results of one column may not meet on its bus.
    if (flight.output_stationary) busy = std::max(busy, static_cast<std::uint64_t>(rows_));
    if (Age(flight) < busy) return false;
  }
  return true;
}

bool SystolicCycle::CanPush() const {
  for (const Flight& flight : in_flight_) {
    if (!flight.streaming) return false;  // the operand pushed before has not been used yet
    const bool over = Age(flight) >= static_cast<std::uint64_t>(flight.length);
    if (!spec_.overlap_fill_drain || (!spec_.weight_double_buffer && !over)) return false;
  }
  return true;
}

void SystolicCycle::Push(std::vector<float> stationary) {
  assert(CanPush());
  const std::int64_t shifts =
      (rows_ + spec_.weight_rows_per_cycle - 1) / spec_.weight_rows_per_cycle;
  Flight flight;
  flight.stationary = std::move(stationary);
  flight.pushing = true;
  flight.push_start = cycle_;
  flight.push_end = cycle_ + static_cast<std::uint64_t>(shifts + spec_.weight_switch_cycles);
  flight.plane = next_plane_;
  if (spec_.weight_double_buffer) next_plane_ ^= 1;
  in_flight_.push_back(std::move(flight));
}

bool SystolicCycle::OperandInPlace() const {
  return !in_flight_.empty() && !in_flight_.back().streaming &&
         cycle_ >= in_flight_.back().push_end;
}

bool SystolicCycle::CanStream(bool output_stationary) const {
  return EntranceFree() && (output_stationary || OperandInPlace());
}

void SystolicCycle::Stream(std::int64_t length, std::vector<float> streamed, std::vector<float> top,
                           std::vector<char> bubbles) {
  const bool output_stationary = !top.empty();
  assert(CanStream(output_stationary));
  if (output_stationary) {
    if (in_flight_.empty()) std::fill(sums_.begin(), sums_.end(), 0.0F);
    in_flight_.emplace_back();
    in_flight_.back().push_start = in_flight_.back().push_end = cycle_;
  }
  Flight& flight = in_flight_.back();
  flight.length = length;
  flight.streamed = std::move(streamed);
  flight.top = std::move(top);
  flight.bubbles = std::move(bubbles);
  flight.streaming = true;
  flight.output_stationary = output_stationary;
  flight.start = cycle_;
  flight.result.assign(static_cast<std::size_t>((output_stationary ? rows_ : length) * columns_),
                       0);
}

bool SystolicCycle::Still() const {
  if (in_flight_.empty()) return true;
  // All of the operand has passed the last column.
  return in_flight_.size() == 1 && !in_flight_.front().streaming &&
         cycle_ >= in_flight_.front().push_end + static_cast<std::uint64_t>(rows_ + columns_);
}

void SystolicCycle::StepPush(const Flight& flight) {
  // Values enter at the top and move down a row a cycle; row r begins to shift r cycles late, so
  // that what it held is kept until the last activation has used it. Column c does all this c
  // cycles later.
  const auto age = static_cast<std::int64_t>(cycle_ - flight.push_start);
  const std::int64_t first = std::max<std::int64_t>(0, age - rows_ + 1);
  std::vector<float>& plane = planes_[static_cast<std::size_t>(flight.plane)];
  for (std::int64_t r = rows_ - 1; r > 0; --r) {
    const std::int64_t last = std::min<std::int64_t>(columns_ - 1, age - r);
    if (first > last) continue;
    std::memcpy(RowOf(plane, r) + first, RowOf(plane, r - 1) + first,
                static_cast<std::size_t>(last - first + 1) * sizeof(float));
  }
  for (std::int64_t c = first; c <= std::min(columns_ - 1, age); ++c) {
    const std::int64_t source = rows_ - 1 - (age - c);
    plane[static_cast<std::size_t>(c)] =
        flight.stationary[static_cast<std::size_t>(source * columns_ + c)];
  }
}

void SystolicCycle::TakeFromStaging(const Flight& flight, std::int64_t row) {
  const std::int64_t column = static_cast<std::int64_t>(Age(flight)) - row;
  if (column < 0 || column >= columns_) return;
  const auto at = static_cast<std::size_t>(row * columns_ + column);
  planes_[static_cast<std::size_t>(flight.plane)][at] = flight.stationary[at];
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
    if (index >= 0 && index < flight.length) {
      entering = flight.streamed[static_cast<std::size_t>(index * rows_ + row)];
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
                           RowOf(planes_[static_cast<std::size_t>(flight.plane)], r) + begin,
                           end - begin);
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
  const std::int64_t first = std::max<std::int64_t>(0, newest - flight.length + 1);
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
        for (std::int64_t c = std::max<std::int64_t>(0, age - flight.length + 1);
             c <= std::min<std::int64_t>(columns_ - 1, age); ++c) {
          down[c] = flight.top[static_cast<std::size_t>((age - c) * columns_ + c)];
        }
      }
    }
    MultiplyIntoSums(RowOf(sums_, r), moving, down, columns_);
  }
  // A sum leaves on the bus of its column in the cycle of its last product.
  for (Flight& flight : in_flight_) {
    if (!flight.streaming) continue;
    const auto diagonal = static_cast<std::int64_t>(Age(flight)) - (flight.length - 1);
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
  if (!in_flight_.empty() && in_flight_.front().output_stationary) {
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
        Age(flight) < static_cast<std::uint64_t>(flight.length + rows_ + columns_ - 2)) {
      break;
    }
    finished_.push_back(
        {flight.push_start, flight.push_end, flight.start, cycle_, std::move(flight.result)});
    just_done_.push_back({flight.start, flight.length, std::move(flight.bubbles)});
    in_flight_.pop_front();
  }
}

std::optional<SystolicCycle::Finished> SystolicCycle::TakeFinished() {
  if (finished_.empty()) return std::nullopt;
  Finished finished = std::move(finished_.front());
  finished_.pop_front();
  return finished;
}

bool SystolicCycle::OnDiagonal(std::uint64_t start, std::int64_t length,
                               const std::vector<char>& bubbles, std::int64_t diagonal) const {
  const auto index = static_cast<std::int64_t>(cycle_ - 1 - start) - diagonal;
  if (index < 0 || index >= length) return false;
  return bubbles.empty() || bubbles[static_cast<std::size_t>(index)] == 0;
}

bool SystolicCycle::DiagonalActive(std::int64_t diagonal) const {
  if (cycle_ == 0) return false;
  const auto on = [&](const auto& f) { return OnDiagonal(f.start, f.length, f.bubbles, diagonal); };
  return std::any_of(in_flight_.begin(), in_flight_.end(),
                     [&](const Flight& f) { return f.streaming && on(f); }) ||
         std::any_of(just_done_.begin(), just_done_.end(), on);
}

bool SystolicCycle::Active(std::int64_t row, std::int64_t column) const {
  return DiagonalActive(row + column);
}

std::int64_t SystolicCycle::ActiveCount() const {
  std::int64_t count = 0;
  for (std::int64_t d = 0; d < rows_ + columns_ - 1; ++d) {
    const std::int64_t elements = std::min({d + 1, rows_, columns_, rows_ + columns_ - 1 - d});
    if (DiagonalActive(d)) count += elements;
  }
  return count;
}

float SystolicCycle::Sum(std::int64_t row, std::int64_t column) const {
  return sums_[static_cast<std::size_t>(row * columns_ + column)];
}

}  // namespace siliscope
