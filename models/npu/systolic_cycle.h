// SPDX-License-Identifier: Apache-2.0
// A systolic array at cycle zoom: every processing element, every cycle, with real values. It
// decides by the state of its own registers when the next tile may enter; it knows no formula.
//
// Weight stationary (and input stationary, which is the same machine with the operands exchanged):
// activations enter row r at column 0, r cycles late, and move one column a cycle; partial sums
// move one row down a cycle; stationary values are pushed in from the top, column c one cycle later
// for each column. Output stationary: both operands move, sums stay and leave on a bus a column.
// Values are fp32, exact for integers below 2^24 (int8 products of up to 1040 terms).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "sim/contract/npu_spec.h"

namespace siliscope {

/// One tile: stationary operand (rows x columns of the array, row-major, zero-padded; not for
/// output stationary) and streamed operands.
struct SystolicTile {
  std::int64_t length = 0;          ///< streamed rows (output stationary: contraction)
  std::vector<float> stationary;    ///< [array rows][array columns]
  std::vector<float> streamed;      ///< [length][array rows]
  std::vector<float> streamed_top;  ///< output stationary only: [length][array columns]
};

class SystolicCycle {
 public:
  explicit SystolicCycle(const SystolicArraySpec& spec);

  /// Queues a tile. Tiles run in order.
  void Enqueue(SystolicTile tile);
  /// Advances one cycle.
  void Step();
  bool Done() const { return queue_.empty() && in_flight_.empty(); }

  std::uint64_t cycle() const { return cycle_; }
  /// Results of finished tiles, in order: [length][columns], output stationary [rows][columns].
  const std::vector<std::vector<float>>& results() const { return results_; }
  /// First cycle of each finished tile's stream, and the count of cycles when it was complete.
  struct TileTimes {
    std::uint64_t push_start = 0, push_end = 0, start = 0, complete = 0;
  };
  const std::vector<TileTimes>& tile_times() const { return times_; }

  /// Whether the processing element holds a valid operand in the cycle stepped last.
  bool Active(std::int64_t row, std::int64_t column) const;
  /// Valid operands in all processing elements in the cycle stepped last.
  std::int64_t ActiveCount() const;
  /// The partial sum in a processing element.
  float Sum(std::int64_t row, std::int64_t column) const;

 private:
  struct Flight {
    SystolicTile tile;
    std::uint64_t push_start = 0;
    bool pushing = false;
    std::uint64_t push_end = 0;
    bool streaming = false;
    std::uint64_t start = 0;
    int plane = 0;
    std::vector<float> result;
  };

  void Admit();
  bool PushPathFree() const;
  void BeginStream();
  void StepPush(const Flight& flight);
  void TakeFromStaging(const Flight& flight, std::int64_t row);
  /// Moves a row's activations one column to the right; the next one enters. Returns column 0.
  const float* MoveRight(std::int64_t row);
  void StepStationary();
  void StepOutputStationary();
  void CollectBottomRow(Flight& flight);
  std::uint64_t Age(const Flight& flight) const { return cycle_ - flight.start; }
  bool EntranceFree() const;
  void Retire();

  float* RowOf(std::vector<float>& plane, std::int64_t row) {
    return plane.data() + row * columns_;
  }

  SystolicArraySpec spec_;
  std::int64_t rows_, columns_;
  std::uint64_t cycle_ = 0;
  std::vector<float> sums_;         ///< [rows][columns]
  std::vector<float> planes_[2];    ///< stationary operands
  std::vector<float> moving_;       ///< [rows][ring]: activations, moving right
  std::vector<std::int64_t> head_;  ///< where column 0 of each row lies in its ring
  std::vector<float> moving_down_;  ///< output stationary: [rows][columns], moving down
  std::int64_t ring_;
  std::deque<SystolicTile> queue_;
  std::deque<Flight> in_flight_;
  std::vector<std::vector<float>> results_;
  std::vector<TileTimes> times_;
  std::vector<std::size_t> left_;  ///< elements whose sums left in the last cycle
  std::vector<std::pair<std::uint64_t, std::int64_t>> just_done_;  ///< start, length
  std::vector<float> zeros_;
  int next_plane_ = 0;
};

/// Multiplies a [m][k] by b [k][n] on the array, tile by tile, summing over k outside of it as the
/// accumulators do. Returns the product and the cycles until the last result left.
struct SystolicProduct {
  std::vector<float> values;
  std::uint64_t cycles = 0;
};
SystolicProduct MultiplyOnArray(const SystolicArraySpec& spec, const std::vector<float>& a,
                                const std::vector<float>& b, std::int64_t m, std::int64_t k,
                                std::int64_t n,
                                const std::function<void(const SystolicCycle&)>& watch = {});

}  // namespace siliscope
