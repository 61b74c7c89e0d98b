// SPDX-License-Identifier: Apache-2.0
// Tracks of a GPU: kernels by stream, CTAs on their SMs, and of an SM at cycle zoom its warps and
// pipes.
#pragma once

#include "traces/chrome_events.h"

namespace siliscope {

void WriteGpuTracks(ChromeEvents& events, const Program& program, const Record& record);

}  // namespace siliscope
