// SPDX-License-Identifier: Apache-2.0
// The fields of a chip file.
#pragma once

#include "sim/config/field_visitor.h"
#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Visits the fields common to all kinds of chips.
void VisitMachine(FieldVisitor& visitor, MachineSpec& spec);

/// Visits the fields of `kind: npu`.
void VisitNpu(FieldVisitor& visitor, NpuSpec& spec);

/// Visits how a chip is equipped with memory; the timing is the device's.
void VisitMemory(FieldVisitor& visitor, DramSpec& spec);

/// Visits the fields of a file of configs/memory.
void VisitDramTiming(FieldVisitor& visitor, DramTiming& timing);

}  // namespace siliscope
