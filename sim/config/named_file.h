// SPDX-License-Identifier: Apache-2.0
// A file of a folder of configs, by its name.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "sim/config/config_folder.h"
#include "sim/config/field_visitor.h"
#include "sim/config/yaml_document.h"
#include "sim/config/yaml_reader.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {

/// Throws UserError where the folder has no such file (`complaint`, and what it has) or the file is
/// wrong.
template <typename Spec>
Spec LoadNamedFile(const std::string& folder, const std::string& name, const std::string& complaint,
                   void (*visit)(FieldVisitor&, Spec&)) {
  const std::vector<std::string> names = NamesIn(folder);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    throw UserError(complaint + Suggestion(name, names));
  }
  const YamlDocument document =
      YamlDocument::FromFile(RootFolder() + "/" + folder + "/" + name + ".yaml");
  YamlReader reader(document, nullptr);
  Spec spec;
  visit(reader, spec);
  reader.Finish();
  return spec;
}

}  // namespace siliscope
