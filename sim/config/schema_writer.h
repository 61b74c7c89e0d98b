// SPDX-License-Identifier: Apache-2.0
// The JSON Schema and the documentation of the YAML files, both from the fields of the Specs.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace siliscope {

/// JSON Schema of configs/chips/*.yaml.
nlohmann::ordered_json ChipSchema();
/// JSON Schema of configs/hosts/*.yaml.
nlohmann::ordered_json HostSchema();
/// JSON Schema of configs/memory/*.yaml.
nlohmann::ordered_json MemorySchema();

/// JSON Schemas of configs/systems, configs/links, configs/hosts/collectives and
/// configs/hosts/tuners.
nlohmann::ordered_json SystemSchema();
nlohmann::ordered_json LinkSchema();
nlohmann::ordered_json CollectiveLibrarySchema();
nlohmann::ordered_json TunerSchema();

/// One key of a chip file.
struct KeyDocumentation {
  std::string path;     ///< "array.rows"
  std::string type;     ///< "whole number", "a frequency such as 700 MHz", ...
  std::string allowed;  ///< range or choices
  std::string meaning;
  bool required = false;
};
std::vector<KeyDocumentation> ChipKeys();
/// Those of a system's file, and of a kind of link.
std::vector<KeyDocumentation> SystemKeys();

}  // namespace siliscope
