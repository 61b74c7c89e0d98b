// SPDX-License-Identifier: Apache-2.0
// siliscope list: systems, workloads, operators, figures, passes, hosts. siliscope schema: the JSON
// Schema of the YAML files, for editors.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "sim/cli/commands.h"
#include "sim/config/cluster_loader.h"
#include "sim/config/host_loader.h"
#include "sim/config/machine_loader.h"
#include "sim/config/schema_writer.h"
#include "sim/core/error.h"
#include "sim/run/simulation.h"

namespace siliscope {
namespace {

const Compiler& NetworkCompiler() {
  return *CompilerRegistry::Instance().Get("compiler", "network")();
}

void Print(const std::vector<NamedText>& list) {
  for (const NamedText& item : list) fmt::print("{:<26} {}\n", item.name, item.text);
}

void ListSystems() {
  for (const std::string& name : ListMachines()) {
    const MachineSpec machine = LoadMachine(name, {});
    fmt::print("{:<26} {:<6} {:>8.4g} TOPS {:<6} {}\n", name, machine.kind,
               PeakOperations(machine, std::string(DataTypeName(machine.default_dtype))) / 1e12,
               DataTypeName(machine.default_dtype), machine.description);
  }
  for (const std::string& name : ListClusters()) {
    const ClusterSpec cluster = LoadCluster(name, {});
    fmt::print("{:<26} {:<6} {:>8} chips      {}\n", name, "many", cluster.topology.chips,
               cluster.description);
  }
  fmt::print("{:<26} {:<6} any size, for study\n", "systolic-<R>x<C>", "npu");
}

void ListFigures() {
  std::vector<NamedText> list;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(RootFolder() + "/configs/experiments", ignored)) {
    if (entry.path().extension() != ".yaml") continue;
    const YamlDocument document = YamlDocument::FromFile(entry.path().string());
    list.push_back({entry.path().stem().string(), document.root()["title"].as<std::string>("")});
  }
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  Print(list);
}

}  // namespace

void List(const std::string& what) {
  if (what == "systems") ListSystems();
  if (what == "workloads") Print(NetworkCompiler().ListWorkloads());
  if (what == "operators") Print(NetworkCompiler().ListOperators());
  if (what == "passes") Print(NetworkCompiler().ListPasses());
  if (what == "figures") ListFigures();
  if (what == "hosts") {
    for (const std::string& name : ListHosts()) {
      fmt::print("{:<26} {}\n", name, LoadHost(name).description);
    }
  }
}

void PrintSchema(const std::string& kind) {
  nlohmann::ordered_json json = ChipSchema();
  if (kind == "host") json = HostSchema();
  if (kind == "memory") json = MemorySchema();
  if (kind == "system") json = SystemSchema();
  if (kind == "link") json = LinkSchema();
  if (kind == "collectives") json = CollectiveLibrarySchema();
  if (kind == "tuner") json = TunerSchema();
  fmt::print("{}\n", json.dump(2));
}

}  // namespace siliscope
