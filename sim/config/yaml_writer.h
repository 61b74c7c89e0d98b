// SPDX-License-Identifier: Apache-2.0
// The resolved configuration as YAML that reads back to the same Spec (run.yaml).
#pragma once

#include <string>

#include "sim/contract/machine_spec.h"

namespace siliscope {

std::string WriteMachineYaml(const MachineSpec& spec);
/// What an SM is made of, its Tensor Cores included.
std::string WriteSmYaml(const GpuSpec& spec);
/// The timings of the memory's devices, which the machine names by kind only.
std::string WriteDramTimingYaml(const DramTiming& timing);

}  // namespace siliscope
