// SPDX-License-Identifier: Apache-2.0
// Runs on systems of several chips.
#pragma once

#include "sim/cli/commands.h"
#include "sim/contract/trace_writer.h"

namespace siliscope {

/// `run` where the system is a cluster.
void RunOnCluster(const RunOptions& o);

/// The trace's options as they were typed; throws UserError.
TraceOptions TraceOptionsOf(const RunOptions& o);

}  // namespace siliscope
