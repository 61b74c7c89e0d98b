// SPDX-License-Identifier: Apache-2.0
// Runs on systems of several chips.
#pragma once

#include <string>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/contract/cluster_spec.h"
#include "sim/contract/compiler.h"
#include "sim/contract/trace_writer.h"

namespace siliscope {

/// `run` where the system is a cluster.
void RunOnCluster(const RunOptions& o);

/// Its kinds where ranks do more than one collective (ranks.cpp).
bool HasOperators(const std::string& workload);
void RunOverlap(const RunOptions& o);
void RunTrace(const RunOptions& o);
void RunDivided(const RunOptions& o);

/// Words of a workload a:...+b:..., and one of them; throws UserError where it is no collective.
std::vector<std::string> WordsOf(const std::string& workload);
CollectiveRequest CollectiveOf(const std::string& text, bool symmetry);

/// Lines of what the user should know of the configuration.
std::string NotesText(const ClusterSpec& cluster);

/// The trace's options as they were typed; throws UserError.
TraceOptions TraceOptionsOf(const RunOptions& o);

}  // namespace siliscope
