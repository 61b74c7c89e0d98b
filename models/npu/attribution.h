// SPDX-License-Identifier: Apache-2.0
// What every idle stretch of every unit was waiting for. A stretch before a command is explained
// backwards: by the command that completed last among those it depends on, by what that one waited
// for before it started, and so on. A tile in an array waits for its data first, then for the push
// of its stationary operand, so that weight stalls are what remains when the data is there.
#pragma once

#include <vector>

#include "models/npu/npu_core.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"

namespace siliscope {

/// The commands that ran on one unit, in order of their starts.
struct UnitSchedule {
  std::uint32_t unit = 0;  ///< index into Record::units
  bool matrix = false;     ///< an array: its operators' times are charged to them
  std::vector<std::uint32_t> commands;
};

/// Fills the times of record.units and record.operators, and record.spans where `keep_spans`.
void AttributeTime(const Program& program, const CommandStates& states,
                   const std::vector<UnitSchedule>& units, const NpuSpec& spec, bool keep_spans,
                   Record* record);

}  // namespace siliscope
