// SPDX-License-Identifier: Apache-2.0
// What the hardware threads of a core share beside its caches: places in which micro-operations
// come in, and ports (Tullsen, Eggers and Levy, "Simultaneous Multithreading", ISCA 1995). The
// window and the queues are divided among them.
#pragma once

#include <cstdint>

#include "models/cpu/slot_calendar.h"

namespace siliscope {

struct CoreSlots {
  /// `width`: micro-operations that come in in a cycle.
  CoreSlots(std::int64_t hardware_threads, std::int64_t width)
      : threads(hardware_threads),
        all_entries(static_cast<std::uint32_t>((std::uint64_t{1} << width) - 1)) {}

  std::int64_t threads;
  SlotCalendar ports, entries;
  std::uint32_t all_entries;  ///< bits

  /// A part of a window or a queue.
  std::size_t Part(std::int64_t places) const {
    return static_cast<std::size_t>(places / threads > 0 ? places / threads : 1);
  }
};

}  // namespace siliscope
