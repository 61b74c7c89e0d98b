// SPDX-License-Identifier: Apache-2.0
// Writers of traces of data that chips exchange, by format.
#pragma once

#include <ostream>

#include "sim/contract/cluster_model.h"
#include "sim/contract/trace_writer.h"

namespace siliscope {

class ClusterTraceWriter {
 public:
  virtual ~ClusterTraceWriter() = default;
  virtual void Write(const ClusterSpec& cluster, const LinkProgram& program,
                     const ClusterRecord& record, const TraceOptions& options,
                     std::ostream& out) const = 0;
};

using ClusterTraceWriterRegistry = Registry<const ClusterTraceWriter* (*)()>;

}  // namespace siliscope
