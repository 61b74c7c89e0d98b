// SPDX-License-Identifier: Apache-2.0
// Micro-operations of a CPU's core in a Chrome trace.
#pragma once

#include "sim/contract/record.h"
#include "traces/chrome_events.h"

namespace siliscope {

/// A track for each place of the window that is taken at a time. A slice goes from a
/// micro-operation's entry to its retirement; in it lies one from its issue to its result.
void WriteCpuTracks(ChromeEvents& events, const Record& record);

}  // namespace siliscope
