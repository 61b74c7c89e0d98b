// SPDX-License-Identifier: Apache-2.0
#include "sim/config/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {

YamlReader::YamlReader(const YamlDocument& document, std::map<std::string, std::string>* sources)
    : document_(document), sources_(sources) {
  levels_.push_back({document.root(), "", {"source", "confidence"}});
}

std::string YamlReader::Path(const std::string& key) const {
  return levels_.back().path.empty() ? key : levels_.back().path + "." + key;
}

void YamlReader::Fail(const YAML::Node& node, const std::string& key,
                      const std::string& what) const {
  const std::string path = Path(key);
  throw UserError(document_.Place(node, path) + ": " + path + ": " + what);
}

YAML::Node YamlReader::Find(const char* key, Need need) {
  Level& level = levels_.back();
  level.known.emplace_back(key);
  const YAML::Node& section = level.node;
  YAML::Node node = section[key];
  if (!node.IsDefined()) {
    if (need == Need::kRequired && level.missing.empty()) {
      // A misspelled key says more than a missing one: kept until all known keys have been asked
      // for.
      level.missing =
          document_.Place(section, level.path) + ": " + Path(key) + ": this key is missing";
    }
    return node;
  }
  if (node.IsMap() && node["value"].IsDefined()) {
    std::string note;
    for (const auto& pair : node) {
      const std::string name = pair.first.Scalar();
      if (name != "value" && name != "source" && name != "confidence") {
        Fail(pair.first, std::string(key) + "." + name,
             "unknown key" + Suggestion(name, {"value", "source", "confidence"}));
      }
      if (name != "value" && pair.second.IsScalar()) {
        note += (note.empty() ? "" : "; ") + name + ": " + pair.second.Scalar();
      }
    }
    if (sources_ != nullptr && !note.empty()) (*sources_)[Path(key)] = note;
    return node["value"];
  }
  return node;
}

std::string YamlReader::Scalar(const YAML::Node& node, const char* key,
                               const std::string& expected) {
  if (!node.IsScalar()) Fail(node, key, "expected " + expected);
  return node.Scalar();
}

double YamlReader::Number(const YAML::Node& node, const char* key, Dimension dimension,
                          Range range) {
  const std::string text = Scalar(node, key, std::string(AllowedUnits(dimension)));
  double value = 0;
  try {
    value = ParseQuantity(text, dimension);
  } catch (const UserError& e) {
    Fail(node, key, e.what());
  }
  if (value < range.low || value > range.high) {
    const std::string_view unit = BaseUnit(dimension);
    Fail(node, key,
         fmt::format("{} is out of range; allowed: {:g} to {:g}{}{}", text, range.low, range.high,
                     unit.empty() ? "" : " ", unit));
  }
  return value;
}

void YamlReader::Integer(const char* key, std::int64_t& field, Range range, Need need,
                         const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return;
  const double value = Number(node, key, Dimension::kPlain, range);
  if (value != std::floor(value)) Fail(node, key, node.Scalar() + " is not a whole number");
  field = static_cast<std::int64_t>(value);
}

void YamlReader::Real(const char* key, double& field, Dimension dimension, Range range, Need need,
                      const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (node.IsDefined()) field = Number(node, key, dimension, range);
}

void YamlReader::Bytes(const char* key, std::int64_t& field, Range range, Need need,
                       const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (node.IsDefined()) {
    field = static_cast<std::int64_t>(std::llround(Number(node, key, Dimension::kBytes, range)));
  }
}

void YamlReader::Flag(const char* key, bool& field, Need need, const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return;
  const std::string text = Scalar(node, key, "true or false");
  if (text != "true" && text != "false") {
    Fail(node, key, "\"" + text.substr(0, 80) + "\" is not true or false");
  }
  field = text == "true";
}

void YamlReader::Text(const char* key, std::string& field, Need need, const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (node.IsDefined()) field = Scalar(node, key, "a text");
}

void YamlReader::Choice(const char* key, int& field, const std::vector<std::string>& names,
                        Need need, const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return;
  const std::string text = Scalar(node, key, "one word");
  const auto it = std::find(names.begin(), names.end(), text);
  if (it == names.end()) {
    Fail(node, key, "\"" + text.substr(0, 80) + "\" is not allowed here" + Suggestion(text, names));
  }
  field = static_cast<int>(it - names.begin());
}

void YamlReader::Table(const char* key, std::map<std::string, double>& field, Dimension dimension,
                       Need need, const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return;
  if (!node.IsMap()) Fail(node, key, "expected names with numbers");
  for (const auto& pair : node) {
    const std::string name = pair.first.Scalar();
    if (name == "source" || name == "confidence") continue;
    const std::string full = std::string(key) + "." + name;
    field[name] = Number(pair.second, full.c_str(), dimension, {1e-9, 1e18});
  }
}

void YamlReader::TextTable(const char* key, std::map<std::string, std::string>& field, Need need,
                           const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return;
  if (!node.IsMap()) Fail(node, key, "expected names with words");
  for (const auto& pair : node) {
    field[pair.first.Scalar()] = Scalar(pair.second, key, "one word");
  }
}

bool YamlReader::BeginSection(const char* key, Need need, const char* /*meaning*/) {
  const YAML::Node node = Find(key, need);
  if (!node.IsDefined()) return false;
  if (!node.IsMap()) Fail(node, key, "expected a section of keys");
  const std::string path = Path(key);
  if (sources_ != nullptr) {
    std::string note;
    for (const char* name : {"source", "confidence"}) {
      const YAML::Node value = node[name];
      if (value.IsDefined() && value.IsScalar()) {
        note += (note.empty() ? "" : "; ") + std::string(name) + ": " + value.Scalar();
      }
    }
    if (!note.empty()) (*sources_)[path] = note;
  }
  levels_.push_back({node, path, {"source", "confidence"}});
  return true;
}

void YamlReader::EndSection() {
  CheckUnknown(levels_.back());
  levels_.pop_back();
}

void YamlReader::CheckMissing() const {
  if (!levels_.back().missing.empty()) throw UserError(levels_.back().missing);
}

void YamlReader::Finish() { CheckUnknown(levels_.back()); }

void YamlReader::CheckUnknown(const Level& level) const {
  for (const auto& pair : level.node) {
    const std::string name = pair.first.Scalar();
    if (std::find(level.known.begin(), level.known.end(), name) != level.known.end()) continue;
    const std::string path = level.path.empty() ? name : level.path + "." + name;
    throw UserError(document_.Place(pair.first, path) + ": " + path + ": unknown key" +
                    Suggestion(name, level.known));
  }
  if (!level.missing.empty()) throw UserError(level.missing);
}

}  // namespace siliscope
