// SPDX-License-Identifier: Apache-2.0
// A systolic array in a core: it takes pushes and tiles, moves their operands and results through
// the ports of the core's scratchpads, and tells the core when they are done. Here at tile zoom;
// zoomed_array.h is the same unit at cycle zoom.
#pragma once

#include <systemc>

#include "models/memory/scratchpad.h"
#include "models/npu/systolic_timing.h"
#include "sim/contract/program.h"
#include "sim/core/time.h"

namespace siliscope {

class SystolicArray : public sc_core::sc_module {
 public:
  /// Told what becomes of commands, at once or when it has happened; `end` may lie in the future.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void Pushed(std::uint32_t command, Tick start, Tick end) = 0;
    virtual void Streamed(std::uint32_t command, Tick start, Tick stream_end, Tick complete) = 0;
    /// A tile that was told to wait (kNever) may be able to enter now.
    virtual void EntranceFree(std::uint32_t array) = 0;
  };

  sc_core::sc_port<ScratchpadPort> streamed{"streamed"};      ///< streamed operand
  sc_core::sc_port<ScratchpadPort> results{"results"};        ///< sums, read and written
  sc_core::sc_port<ScratchpadPort> stationary{"stationary"};  ///< pushed operand

  SystolicArray(const sc_core::sc_module_name& name, const SystolicArraySpec& spec, Clock clock,
                Listener& listener, std::uint16_t priority);

  /// Whether the next push may be issued: the operand pushed before is in use.
  bool MayPush() const { return pushes_ == matmuls_; }
  /// Takes a push at an edge of the clock. Its operand has lain in the scratchpad since
  /// `available`.
  virtual void Push(Tick now, Tick available, std::uint32_t index, const NpuCommand& command);
  /// When a tile whose operands are there could enter; kNever = the listener will be told.
  virtual Tick EarliestMatmul(Tick now, const NpuCommand& command);
  /// Takes a tile at an edge of the clock, not before its earliest time.
  virtual void Matmul(Tick now, std::uint32_t index, const NpuCommand& command);

  double macs() const { return macs_; }
  /// Of its events among those of the same time, so that both zooms share ports in one order.
  std::uint16_t priority() const { return priority_; }

 protected:
  using Cycle = SystolicTiming::Cycle;

  Cycle EdgeFrom(Tick when) const { return clock_.EdgeFrom(when); }
  /// Counts a push, and moves its operand out of the scratchpad; returns when the last byte left.
  Cycle TakePush(Tick now, const NpuCommand& command);
  /// The same for the operands and results of a tile.
  Cycle TakeMatmul(Tick now, const NpuCommand& command);

  SystolicArraySpec spec_;
  Clock clock_;
  SystolicTiming timing_;
  Listener& listener_;
  std::uint16_t priority_;

 private:
  std::uint64_t pushes_ = 0;
  std::uint64_t matmuls_ = 0;
  double macs_ = 0;
};

}  // namespace siliscope
