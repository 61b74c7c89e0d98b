// SPDX-License-Identifier: Apache-2.0
// An execution trace of many ranks, run on a system's links.
#pragma once

#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/execution_graph.h"
#include "sim/run/output_folder.h"

namespace siliscope {

struct TraceResult {
  ClusterSpec cluster;
  ExecutionGraph graph;
  ExecutionRecord record;
  double simulate_seconds = 0;
};

/// Whether a workload is an execution trace: PREFIX, or PREFIX.0.et.
bool IsExecutionTrace(const std::string& path);

/// Computations take as long as the trace says, or as the chip's roofline says where it only gives
/// operations and bytes.
TraceResult SimulateTrace(const std::string& system, const std::vector<Override>& overrides,
                          const std::string& path);

void WriteTraceFiles(const OutputFolder& out, const TraceResult& result,
                     const std::string& command);

}  // namespace siliscope
