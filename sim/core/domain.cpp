// SPDX-License-Identifier: Apache-2.0
#include "sim/core/domain.h"

namespace siliscope {

Domain::Domain(const sc_core::sc_module_name& name, Tick alone)
    : sc_core::sc_module(name), alone_(alone) {
  SC_METHOD(Drain);
}

void Domain::PostFromOutside(Tick when, EventQueue::Callback callback, void* context,
                             std::uint64_t argument, std::uint16_t priority) {
  queue_.Schedule(when, callback, context, argument, priority);
  wake_.notify(sc_core::SC_ZERO_TIME);
}

void Domain::Drain() {
  const Tick now = sc_core::sc_time_stamp().value();
  const Tick next = queue_.RunUntil(now + alone_);
  if (next == kNever) {
    next_trigger(wake_);
  } else {
    next_trigger(sc_core::sc_time::from_value(next - now), wake_);
  }
}

}  // namespace siliscope
