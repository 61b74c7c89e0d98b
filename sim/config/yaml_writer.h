// SPDX-License-Identifier: Apache-2.0
// The resolved configuration as YAML that reads back to the same Spec (run.yaml).
#pragma once

#include <string>

#include "sim/contract/machine_spec.h"

namespace siliscope {

std::string WriteMachineYaml(const MachineSpec& spec);

}  // namespace siliscope
