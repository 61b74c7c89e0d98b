// SPDX-License-Identifier: Apache-2.0
// Writers of traces, by format.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"
#include "sim/core/registry.h"

namespace siliscope {

struct TraceOptions {
  bool time_in_cycles = false;  ///< else integer nanoseconds
  Tick window_begin = 0;
  Tick window_end = kNever;
  std::vector<std::string> units;  ///< prefixes of unit names; empty = all
};

class TraceWriter {
 public:
  virtual ~TraceWriter() = default;
  virtual void Write(const MachineSpec& machine, const Program& program, const Record& record,
                     const TraceOptions& options, std::ostream& out) const = 0;
};

using TraceWriterRegistry = Registry<const TraceWriter* (*)()>;

}  // namespace siliscope
