// SPDX-License-Identifier: Apache-2.0
// The bridge to SystemC: one chip (or switch, or host) is one sc_module with one SC_METHOD that
// drains the chip's event queue and re-arms itself. The units inside are modules without processes,
// driven from that queue: ten times faster than a process a unit, with a fixed order of equal
// times.
#pragma once

#include <systemc>

#include "sim/core/event_queue.h"

namespace siliscope {

class Domain : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Domain);
  /// `alone`: how far it may run ahead of SystemC's time at once, because no other process looks at
  /// it sooner.
  explicit Domain(const sc_core::sc_module_name& name, Tick alone = 0);

  EventQueue& queue() { return queue_; }

  /// Schedules from outside of this domain's own events (another chip, a link): wakes the process.
  void PostFromOutside(Tick when, EventQueue::Callback callback, void* context,
                       std::uint64_t argument, std::uint16_t priority = 0);

 private:
  void Drain();

  EventQueue queue_;
  Tick alone_;
  sc_core::sc_event wake_;
};

}  // namespace siliscope
