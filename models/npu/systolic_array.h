// SPDX-License-Identifier: Apache-2.0
// A systolic array in a core: its timing at tile zoom, its operands and results through the ports
// of the core's scratchpads.
#pragma once

#include <systemc>

#include "models/memory/scratchpad.h"
#include "models/npu/systolic_timing.h"
#include "sim/contract/program.h"

namespace siliscope {

class SystolicArray : public sc_core::sc_module {
 public:
  sc_core::sc_port<ScratchpadPort> streamed{"streamed"};      ///< streamed operand, results
  sc_core::sc_port<ScratchpadPort> stationary{"stationary"};  ///< pushed operand

  SystolicArray(const sc_core::sc_module_name& name, const SystolicArraySpec& spec, Clock clock)
      : sc_core::sc_module(name), spec_(spec), clock_(clock), timing_(spec, clock) {}

  /// Whether the next push may be issued: the operand pushed before is in use.
  bool MayPush() const { return pushes_ == matmuls_; }

  SystolicTiming::Push Push(Tick now, Tick available, const NpuCommand& command) {
    ++pushes_;
    const Tick operand_end = command.bytes > 0 ? stationary->Access(now, command.bytes, 0) : now;
    SystolicTiming::Push push = timing_.PushOperand(now, available);
    if (operand_end > push.end) {
      timing_.DelayPush(operand_end);
      push.end = operand_end;
    }
    return push;
  }

  /// When a tile whose operands are there could enter.
  Tick EarliestMatmul(Tick now) const { return timing_.EarliestMatmul(now); }

  SystolicTiming::Matmul Matmul(Tick now, const NpuCommand& command) {
    if (spec_.dataflow != Dataflow::kOutputStationary) ++matmuls_;
    const Tick operand_end = streamed->Access(now, command.bytes, command.result_bytes);
    const double used = static_cast<double>(command.depth) * static_cast<double>(command.width);
    macs_ += used * static_cast<double>(command.rows);
    const SystolicTiming::Matmul m =
        timing_.StreamRows(now, command.rows, command.rate, operand_end);
    const Tick unstalled =
        m.start + clock_.Cycles(SystolicTiming::StreamCycles(spec_, command.rows, command.rate));
    if (m.stream_end > unstalled) operand_stall_ += m.stream_end - unstalled;
    return m;
  }

  const SystolicArraySpec& spec() const { return spec_; }
  double macs() const { return macs_; }
  Tick operand_stall() const { return operand_stall_; }

 private:
  SystolicArraySpec spec_;
  Clock clock_;
  SystolicTiming timing_;
  std::uint64_t pushes_ = 0;
  std::uint64_t matmuls_ = 0;
  double macs_ = 0;
  Tick operand_stall_ = 0;
};

}  // namespace siliscope
