// SPDX-License-Identifier: Apache-2.0
// A systolic array at tile zoom: when a tile's stationary operand is pushed and its rows streamed,
// in closed form. Equal to the cycle to the cycle zoom (systolic_cycle.h), as property tests show.
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
#include "sim/core/time.h"

namespace siliscope {

class SystolicTiming {
 public:
  SystolicTiming(const SystolicArraySpec& spec, Clock clock) : spec_(spec), clock_(clock) {}

  struct Push {
    Tick start = 0;
    Tick end = 0;
  };
  struct Matmul {
    Tick start = 0;
    Tick stream_end = 0;  ///< the next tile may enter
    Tick complete = 0;    ///< the last result has left
  };

  /// Cycles that rows occupy the array's entrance, at a rate relative to its processing elements.
  static std::uint64_t StreamCycles(const SystolicArraySpec& spec, std::int64_t rows, double rate) {
    const std::int64_t padded = (rows + spec.row_granule - 1) / spec.row_granule * spec.row_granule;
    const auto cycles = static_cast<std::uint64_t>(static_cast<double>(padded) / rate + 0.999999);
    return std::max<std::uint64_t>(cycles, 1);
  }
  static std::uint64_t PushCycles(const SystolicArraySpec& spec) {
    return static_cast<std::uint64_t>((spec.rows + spec.weight_rows_per_cycle - 1) /
                                          spec.weight_rows_per_cycle +
                                      spec.weight_switch_cycles);
  }
  static std::uint64_t DrainCycles(const SystolicArraySpec& spec) {
    return static_cast<std::uint64_t>(spec.rows + spec.columns - 2);
  }

  /// Pushes the stationary operand of the next tile, not before `ready`; it has lain in its buffer
  /// since `available`.
  Push PushOperand(Tick ready, Tick available) {
    const Tick arrives =
        available + clock_.Cycles(static_cast<std::uint64_t>(spec_.push_latency_cycles));
    const Tick start = std::max({ready, arrives, push_free_, plane_free_});
    const Tick end = start + clock_.Cycles(PushCycles(spec_));
    push_free_ = end;
    pushed_ = end;
    return {start, end};
  }

  /// Streams a tile through the operand pushed last, not before `ready`; not faster than `slowest`
  /// (the time its operands take from the scratchpad).
  Matmul StreamRows(Tick ready, std::int64_t rows, double rate, Tick operand_end) {
    const bool output_stationary = spec_.dataflow == Dataflow::kOutputStationary;
    Matmul m;
    m.start = std::max({ready, entrance_free_, output_stationary ? Tick{0} : pushed_});
    const Tick stream = clock_.Cycles(StreamCycles(spec_, rows, rate));
    m.stream_end = std::max(m.start + stream, operand_end);
    m.complete = m.stream_end + clock_.Cycles(DrainCycles(spec_));
    if (!spec_.overlap_fill_drain) {
      entrance_free_ = m.complete;
      plane_free_ = m.complete;
      return m;
    }
    entrance_free_ = m.stream_end;
    if (output_stationary) {
      entrance_free_ =
          std::max(entrance_free_, m.start + clock_.Cycles(static_cast<std::uint64_t>(spec_.rows)));
    }
    // With two planes the shadow is free once this tile has started; with one, once it has ended.
    plane_free_ = spec_.weight_double_buffer ? m.start : m.stream_end;
    return m;
  }

  /// The push that was made last takes until `end`: its operand came late out of the scratchpad.
  void DelayPush(Tick end) {
    push_free_ = std::max(push_free_, end);
    pushed_ = std::max(pushed_, end);
  }

  /// When a tile whose operands are ready could enter.
  Tick EarliestMatmul(Tick ready) const {
    return spec_.dataflow == Dataflow::kOutputStationary
               ? std::max(ready, entrance_free_)
               : std::max({ready, entrance_free_, pushed_});
  }

 private:
  SystolicArraySpec spec_;
  Clock clock_;
  Tick push_free_ = 0;      ///< the push path
  Tick plane_free_ = 0;     ///< the plane the next push goes to
  Tick pushed_ = 0;         ///< the operand pushed last is in place
  Tick entrance_free_ = 0;  ///< column 0 can take the next row
};

}  // namespace siliscope
