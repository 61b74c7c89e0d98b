// SPDX-License-Identifier: Apache-2.0
#include "models/npu/systolic_array.h"

#include <algorithm>

namespace siliscope {

SystolicArray::SystolicArray(const sc_core::sc_module_name& name, const SystolicArraySpec& spec,
                             Clock clock, Listener& listener, std::uint16_t priority)
    : sc_core::sc_module(name),
      spec_(spec),
      clock_(clock),
      timing_(spec),
      listener_(listener),
      priority_(priority) {}

SystolicArray::Cycle SystolicArray::TakePush(Tick now, const NpuCommand& command) {
  ++pushes_;
  return command.bytes > 0 ? EdgeFrom(stationary->Access(now, command.bytes, 0)) : 0;
}

SystolicArray::Cycle SystolicArray::TakeMatmul(Tick now, const NpuCommand& command) {
  if (!command.output_stationary) ++matmuls_;
  macs_ += static_cast<double>(command.depth) * static_cast<double>(command.width) *
           static_cast<double>(command.rows) * static_cast<double>(command.useful);
  // Sums that are added to are read from where they are written.
  const Tick operands = streamed->Access(now, command.bytes, 0);
  const Tick sums = results->Access(now, command.sum_bytes, command.result_bytes);
  return EdgeFrom(std::max(operands, sums));
}

void SystolicArray::Push(Tick now, Tick available, std::uint32_t index, const NpuCommand& command) {
  const Cycle operand_end = TakePush(now, command);
  const SystolicTiming::Push push =
      timing_.PushOperand(EdgeFrom(now), EdgeFrom(available), operand_end);
  listener_.Pushed(index, clock_.Cycles(push.start), clock_.Cycles(push.end));
}

Tick SystolicArray::EarliestMatmul(Tick now, const NpuCommand& command) {
  return clock_.Cycles(timing_.EarliestMatmul(EdgeFrom(now), command.output_stationary));
}

void SystolicArray::Matmul(Tick now, std::uint32_t index, const NpuCommand& command) {
  const Cycle operand_end = TakeMatmul(now, command);
  const SystolicTiming::Matmul m = timing_.StreamRows(EdgeFrom(now), command.rows, command.rate,
                                                      operand_end, command.output_stationary);
  listener_.Streamed(index, clock_.Cycles(m.start), clock_.Cycles(m.stream_end),
                     clock_.Cycles(m.complete));
}

}  // namespace siliscope
