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

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "sim/contract/npu_spec.h"

namespace siliscope {

class SystolicCycle {
 public:
  explicit SystolicCycle(const SystolicArraySpec& spec);

  /// Whether the next stationary operand may begin to move in this cycle: the one pushed before is
  /// in use, and the plane it goes to is free.
  bool CanPush() const;
  /// Begins to push an operand, [array rows][array columns], zero-padded.
  void Push(std::vector<float> stationary);
  /// The operand pushed last is in place and not in use.
  bool OperandInPlace() const;
  /// Whether column 0 can take the first row of another tile in this cycle.
  bool EntranceFree() const;
  /// The same, and the operand pushed last is in place where the tile needs one.
  bool CanStream(bool output_stationary) const;
  /// Begins to stream `length` rows, [length][array rows], through the operand pushed last. With
  /// `top`, the other operand, [length][array columns], the tile is output stationary: nothing is
  /// pushed, and `length` is the contraction. The array must be empty when this changes.
  /// `bubbles`: cycles in which no row enters (1), or empty.
  void Stream(std::int64_t length, std::vector<float> streamed, std::vector<float> top = {},
              std::vector<char> bubbles = {});
  /// Advances one cycle.
  void Step();
  /// No tile is inside.
  bool Empty() const { return in_flight_.empty(); }
  /// Nothing moves: empty, or a pushed operand waits.
  bool Still() const;
  /// Lets cycles pass in which nothing moves.
  void Skip(std::uint64_t cycles) { cycle_ += cycles; }

  std::uint64_t cycle() const { return cycle_; }

  /// A tile that has left. Its result is [length][columns], output stationary [rows][columns].
  struct Finished {
    std::uint64_t push_start = 0, push_end = 0, start = 0, complete = 0;
    std::vector<float> result;
  };
  /// The oldest tile that has left and was not taken yet, in order.
  std::optional<Finished> TakeFinished();

  /// Whether the processing element holds a valid operand in the cycle stepped last.
  bool Active(std::int64_t row, std::int64_t column) const;
  /// Valid operands in all processing elements in the cycle stepped last.
  std::int64_t ActiveCount() const;
  /// The partial sum in a processing element.
  float Sum(std::int64_t row, std::int64_t column) const;

 private:
  struct Flight {
    std::vector<float> stationary, streamed, top, result;
    std::vector<char> bubbles;
    std::int64_t length = 0;
    std::uint64_t push_start = 0, push_end = 0, start = 0;
    bool pushing = false, streaming = false, output_stationary = false;
    int plane = 0;
  };
  /// What of a tile that has left was still inside in the cycle stepped last.
  struct Leaving {
    std::uint64_t start;
    std::int64_t length;
    std::vector<char> bubbles;
  };

  void StepPush(const Flight& flight);
  void TakeFromStaging(const Flight& flight, std::int64_t row);
  /// Moves a row's activations one column to the right; the next one enters. Returns column 0.
  const float* MoveRight(std::int64_t row);
  void StepStationary();
  void StepOutputStationary();
  void CollectBottomRow(Flight& flight);
  std::uint64_t Age(const Flight& flight) const { return cycle_ - flight.start; }
  void Retire();
  /// Whether a valid row of a tile is on a diagonal of the array in the cycle stepped last.
  bool OnDiagonal(std::uint64_t start, std::int64_t length, const std::vector<char>& bubbles,
                  std::int64_t diagonal) const;
  bool DiagonalActive(std::int64_t diagonal) const;

  float* RowOf(std::vector<float>& plane, std::int64_t row) {
    return plane.data() + row * columns_;
  }

  SystolicArraySpec spec_;
  std::int64_t rows_, columns_;
  std::uint64_t cycle_ = 0;
  std::vector<float> sums_;                   ///< [rows][columns]
  std::array<std::vector<float>, 2> planes_;  ///< stationary operands
  std::vector<float> moving_;                 ///< [rows][ring]: activations, moving right
  std::vector<std::int64_t> head_;            ///< where column 0 of each row lies in its ring
  std::vector<float> moving_down_;            ///< output stationary: [rows][columns], moving down
  std::int64_t ring_;
  std::deque<Flight> in_flight_;
  std::deque<Finished> finished_;
  std::vector<std::size_t> left_;  ///< elements whose sums left in the last cycle
  std::vector<Leaving> just_done_;
  std::vector<float> zeros_;
  int next_plane_ = 0;
};

}  // namespace siliscope
