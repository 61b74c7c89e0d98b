// SPDX-License-Identifier: Apache-2.0
// Reads a YAML document into the fields of a Spec. Every key must be one the Spec knows; every
// section may also hold `source` and `confidence`, and any value may be written as
// {value: ..., source: ..., confidence: ...}.
#pragma once

#include <string>
#include <vector>

#include "sim/config/field_visitor.h"
#include "sim/config/yaml_document.h"

namespace siliscope {

class YamlReader : public FieldVisitor {
 public:
  YamlReader(const YamlDocument& document, std::map<std::string, std::string>* sources);

  /// Throws UserError for the first key nobody visited. Call it once all fields are visited.
  void Finish();
  /// Complains of required keys that were asked for and are not there, before the end.
  void CheckMissing() const;
  /// Keys that are somebody else's: not visited here, not unknown either.
  void Allow(const std::string& key) { levels_.back().known.push_back(key); }

  void Integer(const char* key, std::int64_t& field, Range range, Need need,
               const char* meaning) override;
  void Real(const char* key, double& field, Dimension dimension, Range range, Need need,
            const char* meaning) override;
  void Bytes(const char* key, std::int64_t& field, Range range, Need need,
             const char* meaning) override;
  void Flag(const char* key, bool& field, Need need, const char* meaning) override;
  void Text(const char* key, std::string& field, Need need, const char* meaning) override;
  void Choice(const char* key, int& field, const std::vector<std::string>& names, Need need,
              const char* meaning) override;
  void Table(const char* key, std::map<std::string, double>& field, Dimension dimension, Need need,
             const char* meaning) override;
  void TextTable(const char* key, std::map<std::string, std::string>& field, Need need,
                 const char* meaning) override;
  bool BeginSection(const char* key, Need need, const char* meaning) override;
  void EndSection() override;

 private:
  struct Level {
    YAML::Node node;
    std::string path;
    std::vector<std::string> known;
    std::string missing{};  ///< what to say of the first required key that is not there
  };

  /// The value of `key` in this section; an undefined node where it is absent.
  YAML::Node Find(const char* key, Need need);
  /// The scalar of `node`, or a UserError that says what is expected.
  std::string Scalar(const YAML::Node& node, const char* key, const std::string& expected);
  double Number(const YAML::Node& node, const char* key, Dimension dimension, Range range);
  [[noreturn]] void Fail(const YAML::Node& node, const std::string& key,
                         const std::string& what) const;
  std::string Path(const std::string& key) const;
  void CheckUnknown(const Level& level) const;

  const YamlDocument& document_;
  std::map<std::string, std::string>* sources_;
  std::vector<Level> levels_;
};

}  // namespace siliscope
