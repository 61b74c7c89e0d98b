// SPDX-License-Identifier: Apache-2.0
// siliscope explain: what a key, metric, cause, operator or error means, and where values come
// from.
#include <fmt/format.h>

#include <memory>

#include "sim/cli/command.h"
#include "sim/config/machine_loader.h"
#include "sim/config/schema_writer.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/metrics.h"

namespace siliscope {
namespace {

const std::vector<NamedText>& ExitCodes() {
  static const std::vector<NamedText> kCodes = {
      {"0", "done"},
      {"2", "the user's mistake: the message says where and what is allowed"},
      {"3", "some rows of a list failed; the others were written"},
      {"4",
       "the network does not fit the memory: a result, with what is missing and what would fit"},
      {"70", "our own fault, or a stuck simulation: please report it"},
      {"74", "a file could not be written"},
      {"130", "interrupted; nothing half-written is left"}};
  return kCodes;
}

bool ExplainKey(const std::string& name, std::vector<std::string>* names) {
  bool found = false;
  for (const KeyDocumentation& key : ChipKeys()) {
    names->push_back(key.path);
    const std::size_t dot = key.path.rfind('.');
    const std::string last = dot == std::string::npos ? key.path : key.path.substr(dot + 1);
    if (key.path != name && last != name) continue;
    found = true;
    fmt::print("{} (key of a chip file{}): {}\n  value: {}{}\n", key.path,
               key.required ? ", required" : "", key.meaning, key.type,
               key.allowed.empty() ? "" : "; allowed: " + key.allowed);
    int shown = 0;
    for (const std::string& machine : ListMachines()) {
      const MachineSpec spec = LoadMachine(machine, {});
      const auto source = spec.sources.find(key.path);
      if (source == spec.sources.end() || shown++ >= 6) continue;
      fmt::print("  {}: {}\n", machine, source->second);
    }
  }
  return found;
}

void Explain(const std::string& name) {
  std::vector<std::string> names;
  bool found = ExplainKey(name, &names);
  for (const MetricMeaning& metric : MetricMeanings()) {
    names.push_back(metric.name);
    if (metric.name != name) continue;
    fmt::print("{} (metric): {}\n", metric.name, metric.meaning);
    found = true;
  }
  for (std::size_t c = 0; c < kCauses; ++c) {
    const auto cause = static_cast<Cause>(c);
    names.emplace_back(CauseName(cause));
    if (CauseName(cause) != name) continue;
    fmt::print("{} (cause of a unit's time): {}\n", CauseName(cause), CauseMeaning(cause));
    found = true;
  }
  for (const NamedText& op :
       (*CompilerRegistry::Instance().Get("compiler", "network")()).ListOperators()) {
    names.push_back(op.name);
    if (op.name != name) continue;
    fmt::print("{} (operator): {}\n", op.name, op.text);
    found = true;
  }
  for (const NamedText& code : ExitCodes()) {
    if (code.name != name) continue;
    fmt::print("{} (exit code): {}\n", code.name, code.text);
    found = true;
  }
  if (!found) {
    throw UserError(
        "nothing is called \"" + name.substr(0, 80) + "\"" +
        (NearestName(name, names).empty()
             ? "; keys of chip files, metrics, causes, operators and exit codes are explained"
             : Suggestion(name, names)));
  }
}

}  // namespace

void AddExplainCommand(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  CLI::App* explain = app.add_subcommand(
      "explain", "what a key, metric, cause, operator or exit code means, with unit and sources");
  explain->add_option("name", *name, "array.rows, array_util_pct, memory_bandwidth, conv, 4, ...")
      ->required();
  explain->callback([name] { Explain(*name); });
}

}  // namespace siliscope
