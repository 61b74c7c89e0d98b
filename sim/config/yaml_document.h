// SPDX-License-Identifier: Apache-2.0
// A YAML file with its places: every complaint names file, line and column.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <utility>
#include <vector>

namespace siliscope {

/// A `--set path=value` from the command line.
using Override = std::pair<std::string, std::string>;

class YamlDocument {
 public:
  /// Reads a file. Throws UserError where it can't be read, is larger than 1 MiB, is no YAML, or
  /// repeats a key.
  static YamlDocument FromFile(const std::string& path);
  static YamlDocument FromText(const std::string& text, const std::string& name);

  const YAML::Node& root() const { return root_; }
  const std::string& name() const { return name_; }

  /// Replaces the scalar at `path` ("array.rows"), or adds it. Throws UserError where the way to it
  /// is not a mapping.
  void Set(const Override& change);

  /// Adds the keys of `defaults` that are not here, section by section. Sections named in
  /// `only_where_given` are completed where the document has them, others are added whole.
  void Complete(const YamlDocument& defaults, const std::vector<std::string>& only_where_given);

  /// "file:line:column"; for a value that came from --set, "--set path".
  std::string Place(const YAML::Node& node, const std::string& path) const;

 private:
  std::string name_;
  YAML::Node root_;
  std::vector<std::string> overridden_;
};

}  // namespace siliscope
