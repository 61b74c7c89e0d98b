// SPDX-License-Identifier: Apache-2.0
// The fields of a chip file of `kind: gpu`.
#pragma once

#include "sim/config/field_visitor.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

void VisitGpu(FieldVisitor& visitor, GpuSpec& spec);
void VisitSm(FieldVisitor& visitor, SmSpec& spec);
void VisitTensorCore(FieldVisitor& visitor, TensorCoreSpec& spec);

}  // namespace siliscope
