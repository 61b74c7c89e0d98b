// SPDX-License-Identifier: Apache-2.0
// From the name or file of a chip to its MachineSpec.
#pragma once

#include <string>
#include <vector>

#include "sim/config/config_folder.h"
#include "sim/config/yaml_document.h"
#include "sim/contract/machine_spec.h"

namespace siliscope {

/// Loads a chip by name ("tpu-v1": configs/chips/tpu-v1.yaml, "systolic-RxC" of any size) or file.
/// `overrides` are applied before reading. Throws UserError for every mistake in the file.
MachineSpec LoadMachine(const std::string& name_or_file, const std::vector<Override>& overrides);

/// Reads a chip from YAML text, as LoadMachine does from a file.
MachineSpec ParseMachine(YamlDocument document, const std::vector<Override>& overrides);

/// Whether a YAML file describes a memory device (configs/memory), and what it says of it.
bool IsMemoryDocument(const YamlDocument& document);
DramTiming ReadDramTiming(const YamlDocument& document);

/// The chips that configs/chips holds, by name.
std::vector<std::string> ListMachines();

/// Rejects a spec whose parts contradict each other; `place` begins the message.
void CheckMachine(const MachineSpec& spec, const std::string& place);

}  // namespace siliscope
