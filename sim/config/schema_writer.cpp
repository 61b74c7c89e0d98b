// SPDX-License-Identifier: Apache-2.0
#include "sim/config/schema_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/config/cluster_loader.h"
#include "sim/config/cpu_fields.h"
#include "sim/config/gpu_fields.h"
#include "sim/config/host_loader.h"
#include "sim/config/npu_fields.h"
#include "sim/config/tuner_loader.h"

namespace siliscope {
namespace {

using Json = nlohmann::ordered_json;

/// Wraps a value's schema: the value alone, or with its source and confidence.
Json WithSource(const Json& value) {
  Json wrapped = {
      {"type", "object"},
      {"required", {"value"}},
      {"additionalProperties", false},
      {"properties",
       {{"value", value}, {"source", {{"type", "string"}}}, {"confidence", {{"type", "string"}}}}}};
  return {{"anyOf", {value, wrapped}}};
}

class SchemaWriter : public FieldVisitor {
 public:
  explicit SchemaWriter(const std::string& title) {
    levels_.push_back(Section(title));
    levels_.back()["$schema"] = "http://json-schema.org/draft-07/schema#";
  }

  void Integer(const char* key, std::int64_t&, Range range, Need need,
               const char* meaning) override {
    Add(key, {{"type", "integer"}, {"minimum", range.low}, {"maximum", range.high}}, need, meaning,
        "whole number", fmt::format("{:g} to {:g}", range.low, range.high));
  }
  void Real(const char* key, double&, Dimension dimension, Range range, Need need,
            const char* meaning) override {
    if (dimension == Dimension::kPlain) {
      Add(key, {{"type", "number"}, {"minimum", range.low}, {"maximum", range.high}}, need, meaning,
          "number", fmt::format("{:g} to {:g}", range.low, range.high));
      return;
    }
    Add(key, {{"type", "string"}, {"pattern", QuantityPattern(dimension)}}, need, meaning,
        std::string(AllowedUnits(dimension)),
        fmt::format("{:g} to {:g} {}", range.low, range.high, BaseUnit(dimension)));
  }
  void Bytes(const char* key, std::int64_t&, Range range, Need need, const char* meaning) override {
    Add(key, {{"type", "string"}, {"pattern", QuantityPattern(Dimension::kBytes)}}, need, meaning,
        std::string(AllowedUnits(Dimension::kBytes)),
        fmt::format("{:g} to {:g} B", range.low, range.high));
  }
  void Flag(const char* key, bool&, Need need, const char* meaning) override {
    Add(key, {{"type", "boolean"}}, need, meaning, "true or false", "");
  }
  void Text(const char* key, std::string&, Need need, const char* meaning) override {
    Add(key, {{"type", "string"}}, need, meaning, "text", "");
  }
  void Choice(const char* key, int&, const std::vector<std::string>& names, Need need,
              const char* meaning) override {
    std::string allowed;
    for (const std::string& name : names) allowed += (allowed.empty() ? "" : ", ") + name;
    Add(key, {{"enum", names}}, need, meaning, "one word", allowed);
  }
  void Table(const char* key, std::map<std::string, double>&, Dimension dimension, Need need,
             const char* meaning) override {
    const Json value = dimension == Dimension::kPlain
                           ? Json{{"type", "number"}}
                           : Json{{"type", "string"}, {"pattern", QuantityPattern(dimension)}};
    Add(key,
        {{"type", "object"},
         {"properties", {{"source", {{"type", "string"}}}, {"confidence", {{"type", "string"}}}}},
         {"additionalProperties", value}},
        need, meaning, "names with " + std::string(AllowedUnits(dimension)), "");
  }
  void TextTable(const char* key, std::map<std::string, std::string>&, Need need,
                 const char* meaning) override {
    Add(key, {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}}, need, meaning,
        "names with words", "");
  }
  bool BeginSection(const char* key, Need need, const char* meaning) override {
    keys_.push_back({Path(key), "section", "", meaning, need == Need::kRequired});
    names_.emplace_back(key);
    needs_.push_back(need);
    levels_.push_back(Section(meaning));
    return true;
  }
  void EndSection() override {
    const Json section = levels_.back();
    levels_.pop_back();
    levels_.back()["properties"][names_.back()] = section;
    if (needs_.back() == Need::kRequired) levels_.back()["required"].push_back(names_.back());
    names_.pop_back();
    needs_.pop_back();
  }

  const Json& schema() const { return levels_.front(); }
  const std::vector<KeyDocumentation>& keys() const { return keys_; }

 private:
  static Json Section(const std::string& meaning) {
    return {
        {"description", meaning},
        {"type", "object"},
        {"required", Json::array()},
        {"additionalProperties", false},
        {"properties", {{"source", {{"type", "string"}}}, {"confidence", {{"type", "string"}}}}}};
  }
  std::string Path(const std::string& key) const {
    std::string path;
    for (const std::string& name : names_) path += name + ".";
    return path + key;
  }
  void Add(const char* key, const Json& value, Need need, const char* meaning,
           const std::string& type, const std::string& allowed) {
    Json property = value.contains("additionalProperties") ? value : WithSource(value);
    property["description"] = meaning;
    levels_.back()["properties"][key] = property;
    if (need == Need::kRequired) levels_.back()["required"].push_back(key);
    keys_.push_back({Path(key), type, allowed, meaning, need == Need::kRequired});
  }

  std::vector<Json> levels_;
  std::vector<std::string> names_;
  std::vector<Need> needs_;
  std::vector<KeyDocumentation> keys_;
};

SchemaWriter VisitChip(const std::string& kind) {
  SchemaWriter writer(kind == "gpu" ? "A GPU" : kind == "cpu" ? "A CPU" : "An NPU");
  MachineSpec spec;
  VisitMachine(writer, spec);
  if (kind == "gpu") {
    VisitGpu(writer, spec.gpu);
  } else if (kind == "cpu") {
    VisitCpu(writer, spec.cpu);
  } else {
    VisitNpu(writer, spec.npu);
  }
  writer.BeginSection("memory", Need::kRequired, "off-chip memory");
  VisitMemory(writer, spec.memory);
  writer.EndSection();
  return writer;
}

}  // namespace

/// The kind decides which sections a chip has.
Json ChipSchema() {
  Json schema = {{"description", "A chip"}};
  const auto is = [](const char* kind) {
    return Json{{"properties", {{"kind", {{"const", kind}}}}}};
  };
  schema["if"] = is("gpu");
  schema["then"] = VisitChip("gpu").schema();
  schema["else"] = {
      {"if", is("cpu")}, {"then", VisitChip("cpu").schema()}, {"else", VisitChip("npu").schema()}};
  return schema;
}

Json MemorySchema() {
  SchemaWriter writer("A kind of memory device");
  std::string name;
  writer.Text("name", name, Need::kRequired, "the name of the kind, as in the name of the file");
  DramTiming timing;
  VisitDramTiming(writer, timing);
  return writer.schema();
}

std::vector<KeyDocumentation> ChipKeys() {
  std::vector<KeyDocumentation> keys;
  for (const char* kind : {"npu", "gpu", "cpu"}) {
    const SchemaWriter chip = VisitChip(kind);
    for (const KeyDocumentation& key : chip.keys()) {
      const bool known = std::any_of(keys.begin(), keys.end(),
                                     [&](const KeyDocumentation& k) { return k.path == key.path; });
      if (!known) keys.push_back(key);
    }
  }
  return keys;
}

std::vector<KeyDocumentation> SystemKeys() {
  SchemaWriter system("");
  ClusterFields fields;
  VisitCluster(system, fields);
  std::vector<KeyDocumentation> keys = system.keys();
  SchemaWriter link("");
  LinkSpec spec;
  VisitLinkKind(link, spec);
  keys.insert(keys.end(), link.keys().begin(), link.keys().end());
  return keys;
}

Json HostSchema() {
  SchemaWriter writer("A host");
  HostSpec host;
  VisitHost(writer, host);
  return writer.schema();
}

Json SystemSchema() {
  SchemaWriter writer("A system of several chips");
  ClusterFields fields;
  VisitCluster(writer, fields);
  return writer.schema();
}

Json LinkSchema() {
  SchemaWriter writer("A kind of link");
  LinkSpec link;
  VisitLinkKind(writer, link);
  return writer.schema();
}

Json CollectiveLibrarySchema() {
  SchemaWriter writer("A version of a collective library");
  CollectiveLibrarySpec library;
  VisitCollectiveLibrary(writer, library);
  return writer.schema();
}

Json TunerSchema() {
  SchemaWriter writer("What a version of a collective library believes of chips and hosts");
  TunerTables tables;
  VisitTunerTables(writer, tables);
  return writer.schema();
}

}  // namespace siliscope
