// SPDX-License-Identifier: Apache-2.0
// A systolic array at tile zoom: when a tile's stationary operand is pushed and its rows streamed,
// in closed form, counted in cycles. Equal to the cycle to the cycle zoom (systolic_cycle.h), as
// property tests show.
//
// All times are those of column 0, row 0. The rest of the array follows one cycle later for each
// row and column, weights included, so a tile may enter as soon as column 0 is free.
//   weight and input stationary: push takes rows / weight_rows_per_cycle (+ switch); streaming T
//     rows takes T cycles; the last result leaves rows + columns - 2 cycles after the last row.
//   output stationary: nothing is pushed; T is the contraction; each column has one result bus, so
//     two tiles start at least `rows` cycles apart.
#pragma once

#include <algorithm>
#include <cstdint>

#include "sim/contract/npu_spec.h"

namespace siliscope {

class SystolicTiming {
 public:
  using Cycle = std::uint64_t;

  explicit SystolicTiming(const SystolicArraySpec& spec) : spec_(spec) {}

  struct Push {
    Cycle start = 0;
    Cycle end = 0;
  };
  struct Matmul {
    Cycle start = 0;
    Cycle stream_end = 0;  ///< the next tile may enter
    Cycle complete = 0;    ///< the last result has left
  };

  /// Cycles that rows occupy the array's entrance, at a rate relative to its processing elements.
  static Cycle StreamCycles(const SystolicArraySpec& spec, std::int64_t rows, double rate) {
    const std::int64_t padded = (rows + spec.row_granule - 1) / spec.row_granule * spec.row_granule;
    const auto cycles = static_cast<Cycle>(static_cast<double>(padded) / rate + 0.999999);
    return std::max<Cycle>(cycles, 1);
  }
  static Cycle PushCycles(const SystolicArraySpec& spec) {
    return static_cast<Cycle>((spec.rows + spec.weight_rows_per_cycle - 1) /
                                  spec.weight_rows_per_cycle +
                              spec.weight_switch_cycles);
  }
  static Cycle DrainCycles(const SystolicArraySpec& spec) {
    return static_cast<Cycle>(spec.rows + spec.columns - 2);
  }

  /// When the operand of a push could begin to move, not before `ready`; it has lain in its buffer
  /// since `available`.
  Cycle EarliestPush(Cycle ready, Cycle available) const {
    const Cycle arrives = available + static_cast<Cycle>(spec_.push_latency_cycles);
    return std::max({ready, arrives, push_free_, plane_free_});
  }

  /// Pushes the stationary operand of the next tile; its last byte leaves the scratchpad at
  /// `operand_end`.
  Push PushOperand(Cycle ready, Cycle available, Cycle operand_end) {
    const Cycle start = EarliestPush(ready, available);
    const Cycle end = std::max(start + PushCycles(spec_), operand_end);
    push_free_ = end;
    pushed_ = end;
    return {start, end};
  }

  /// Streams a tile, not before `ready`, through the operand pushed last (output stationary: there
  /// is none, and `rows` is the contraction); its operands take until `operand_end` to leave the
  /// scratchpad. The array is empty when its dataflow changes.
  Matmul StreamRows(Cycle ready, std::int64_t rows, double rate, Cycle operand_end,
                    bool output_stationary) {
    Matmul m;
    m.start = EarliestMatmul(ready, output_stationary);
    m.stream_end = std::max(m.start + StreamCycles(spec_, rows, rate), operand_end);
    m.complete = m.stream_end + DrainCycles(spec_);
    if (!spec_.overlap_fill_drain) {
      entrance_free_ = m.complete;
      plane_free_ = m.complete;
      return m;
    }
    entrance_free_ = m.stream_end;
    if (output_stationary) {
      entrance_free_ = std::max(entrance_free_, m.start + static_cast<Cycle>(spec_.rows));
    }
    // With two planes the shadow is free once this tile has started; with one, once it has ended.
    plane_free_ = spec_.weight_double_buffer ? m.start : m.stream_end;
    return m;
  }

  /// When a tile whose operands are ready could enter.
  Cycle EarliestMatmul(Cycle ready, bool output_stationary) const {
    return std::max({ready, entrance_free_, output_stationary ? Cycle{0} : pushed_});
  }

 private:
  SystolicArraySpec spec_;
  Cycle push_free_ = 0;      ///< the push path
  Cycle plane_free_ = 0;     ///< the plane the next push goes to
  Cycle pushed_ = 0;         ///< the operand pushed last is in place
  Cycle entrance_free_ = 0;  ///< column 0 can take the next row
};

}  // namespace siliscope
