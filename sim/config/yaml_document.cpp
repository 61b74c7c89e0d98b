// SPDX-License-Identifier: Apache-2.0
#include "sim/config/yaml_document.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;
constexpr int kDeepest = 32;
constexpr std::size_t kMostNodes = 200'000;

/// Rejects repeated keys, keys that are no scalars, and documents that alias themselves into
/// something huge.
void CheckTree(const YAML::Node& node, const YamlDocument& document, int depth,
               std::size_t* nodes) {
  if (depth > kDeepest) {
    throw UserError(document.Place(node, "") + ": nested more than 32 levels deep");
  }
  if (++*nodes > kMostNodes) {
    throw UserError(document.name() + ": more than 200000 values after resolving aliases");
  }
  if (node.IsSequence()) {
    for (const YAML::Node& child : node) CheckTree(child, document, depth + 1, nodes);
  } else if (node.IsMap()) {
    std::set<std::string> keys;
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        throw UserError(document.Place(pair.first, "") + ": a key must be a plain word");
      }
      if (!keys.insert(pair.first.Scalar()).second) {
        throw UserError(document.Place(pair.first, "") + ": " + pair.first.Scalar() +
                        ": the key stands here a second time; each key once");
      }
      CheckTree(pair.second, document, depth + 1, nodes);
    }
  }
}

}  // namespace

YamlDocument YamlDocument::FromFile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw UserError(path + ": no such file");
  if (!S_ISREG(status.st_mode)) throw UserError(path + ": not a file");
  if (static_cast<std::size_t>(status.st_size) > kLargestFile) {
    throw UserError(path + ": larger than 1 MiB, so not a configuration");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(path + ": can't be read");
  std::stringstream text;
  text << file.rdbuf();
  return FromText(text.str(), path);
}

YamlDocument YamlDocument::FromText(const std::string& text, const std::string& name) {
  YamlDocument document;
  document.name_ = name;
  if (text.size() > kLargestFile) {
    throw UserError(name + ": larger than 1 MiB, so not a configuration");
  }
  try {
    document.root_ = YAML::Load(text);
  } catch (const YAML::Exception& e) {
    throw UserError(
        fmt::format("{}:{}:{}: not YAML: {}", name, e.mark.line + 1, e.mark.column + 1, e.msg));
  }
  if (!document.root_.IsMap()) {
    throw UserError(name + ":1:1: a mapping of keys to values is expected");
  }
  std::size_t nodes = 0;
  CheckTree(document.root_, document, 0, &nodes);
  return document;
}

void YamlDocument::Set(const Override& change) {
  const auto& [path, value] = change;
  std::stringstream parts(path);
  std::string part;
  YAML::Node node(root_);
  std::vector<std::string> keys;
  while (std::getline(parts, part, '.')) keys.push_back(part);
  if (keys.empty() || keys.size() > 8) throw UserError("--set " + path + ": not a path of keys");
  for (std::size_t i = 0; i + 1 < keys.size(); ++i) {
    YAML::Node child = node[keys[i]];
    if (child.IsDefined() && !child.IsNull() && !child.IsMap()) {
      throw UserError("--set " + path + ": " + keys[i] + " is not a section");
    }
    node.reset(child);
  }
  YAML::Node parsed;
  try {
    parsed = YAML::Load(value);
  } catch (const YAML::Exception& e) {
    throw UserError("--set " + path + "=" + value + ": not a value: " + e.msg);
  }
  node[keys.back()] = parsed;
  overridden_.push_back(path);
}

namespace {

void CompleteSection(YAML::Node section, const YAML::Node& defaults) {
  for (const auto& pair : defaults) {
    const std::string key = pair.first.Scalar();
    const YAML::Node given = std::as_const(section)[key];
    if (!given.IsDefined()) {
      section[key] = YAML::Clone(pair.second);
    } else if (given.IsMap() && pair.second.IsMap() && !pair.second["value"].IsDefined()) {
      CompleteSection(given, pair.second);
    }
  }
}

}  // namespace

void YamlDocument::Complete(const YamlDocument& defaults,
                            const std::vector<std::string>& only_where_given) {
  YAML::Node wanted = YAML::Clone(defaults.root());
  for (const std::string& section : only_where_given) {
    if (!std::as_const(root_)[section].IsDefined()) wanted.remove(section);
  }
  CompleteSection(root_, wanted);
}

std::string YamlDocument::Place(const YAML::Node& node, const std::string& path) const {
  for (const std::string& changed : overridden_) {
    if (changed == path) return "--set " + path;
  }
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return name_;
  return fmt::format("{}:{}:{}", name_, mark.line + 1, mark.column + 1);
}

}  // namespace siliscope
