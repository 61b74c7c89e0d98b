// SPDX-License-Identifier: Apache-2.0
// The fields of a chip file of `kind: cpu`.
#pragma once

#include "sim/config/field_visitor.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

void VisitCpu(FieldVisitor& visitor, CpuSpec& spec);

}  // namespace siliscope
