// SPDX-License-Identifier: Apache-2.0
// siliscope check: are these YAML and ONNX files good? Nothing is run.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "sim/cli/commands.h"
#include "sim/cli/option_text.h"
#include "sim/config/cluster_loader.h"
#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/simulation.h"

namespace siliscope {
namespace {

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool IsSystem(const std::string& name) {
  const std::vector<std::string> names = ListMachines();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string UnitsText(const MachineSpec& machine) {
  if (machine.kind == "gpu") return fmt::format("{} SMs", machine.gpu.sms);
  if (machine.kind == "cpu") return fmt::format("{} cores", machine.cpu.cores);
  return fmt::format("{} core(s), {} array(s) of {}x{} each", machine.npu.cores,
                     machine.npu.array.count, machine.npu.array.rows, machine.npu.array.columns);
}

void CheckOne(const CheckOptions& o, const std::string& file) {
  const bool yaml = EndsWith(file, ".yaml") || EndsWith(file, ".yml");
  if (yaml) {
    const YamlDocument document = YamlDocument::FromFile(file);
    if (IsMemoryDocument(document)) {
      const DramTiming timing = ReadDramTiming(document);
      const double bytes_per_s =
          timing.data_rate_t_per_s * static_cast<double>(timing.bus_bits) / 8;
      fmt::print("{}: good: a memory device of {} a channel\n", file,
                 Engineering(bytes_per_s, "B/s"));
      return;
    }
  }
  const std::vector<std::string> clusters = ListClusters();
  const bool named = std::find(clusters.begin(), clusters.end(), file) != clusters.end();
  if (named || (yaml && IsCluster(file))) {
    const ClusterSpec cluster = LoadCluster(file, {});
    fmt::print("{}: good: {}, {} chips, {} pairs of nodes with links\n", file, cluster.name,
               cluster.topology.chips, cluster.topology.edges.size());
    return;
  }
  if (yaml || IsSystem(file)) {
    const MachineSpec machine = LoadMachine(file, {});
    const std::string type(DataTypeName(machine.default_dtype));
    fmt::print("{}: good: {}, {}, {}\n", file, machine.name, UnitsText(machine),
               Engineering(ComputedPeakOperations(machine, type), "OP/s"));
    return;
  }
  WorkloadRequest request = ResolveWorkload(o.workload);
  request.workload = file;
  const Compiler& compiler = *CompilerRegistry::Instance().Get("compiler", "network")();
  fmt::print("{}\n", o.print ? compiler.Print(request) : compiler.Check(request));
}

}  // namespace

int Check(const CheckOptions& o) {
  int code = 0;
  for (const std::string& file : o.files) {
    try {
      CheckOne(o, file);
    } catch (const Error& e) {
      std::fflush(stdout);
      std::fprintf(stderr, "siliscope: %s\n", e.what());
      code = static_cast<int>(e.code());
    }
  }
  return code;
}

}  // namespace siliscope
