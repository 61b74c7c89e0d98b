// SPDX-License-Identifier: Apache-2.0
// Execution traces of many ranks, by format: written after a run, or read to be run.
#pragma once

#include <string>
#include <vector>

#include "sim/contract/cluster_model.h"
#include "sim/contract/execution_graph.h"
#include "sim/contract/trace_writer.h"
#include "sim/core/registry.h"

namespace siliscope {

class ExecutionTraceWriter {
 public:
  virtual ~ExecutionTraceWriter() = default;
  /// Writes into a folder; returns the names of the files.
  virtual std::vector<std::string> Write(const ClusterSpec& cluster, const ExecutionGraph& graph,
                                         const ExecutionRecord& record, const TraceOptions& options,
                                         const std::string& folder) const = 0;
};
using ExecutionTraceWriterRegistry = Registry<const ExecutionTraceWriter* (*)()>;

/// Of what a trace gives operations and bytes for, but no time.
struct Roofline {
  double operations_per_s = 0;  ///< 0 = such computations take no time
  double bytes_per_s = 0;
};

class ExecutionTraceReader {
 public:
  virtual ~ExecutionTraceReader() = default;
  /// Whether these files are of this format.
  virtual bool Recognises(const std::string& path) const = 0;
  /// Errors: UserError with file and node.
  virtual ExecutionGraph Read(const std::string& path, const Roofline& roofline) const = 0;
};
using ExecutionTraceReaderRegistry = Registry<const ExecutionTraceReader* (*)()>;

}  // namespace siliscope
