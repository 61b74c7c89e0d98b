// SPDX-License-Identifier: Apache-2.0
// siliscope check: are these YAML and ONNX files good? Nothing is run.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "sim/cli/command.h"
#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/simulation.h"

namespace siliscope {
namespace {

struct CheckOptions {
  std::vector<std::string> files;
  WorkloadOptions workload;
  bool print = false;
};

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

bool IsSystem(const std::string& name) {
  const std::vector<std::string> names = ListMachines();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string UnitsText(const MachineSpec& machine) {
  if (machine.kind == "gpu") return fmt::format("{} SMs", machine.gpu.sms);
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

}  // namespace

void AddCheckCommand(CLI::App& app, int* exit_code) {
  auto o = std::make_shared<CheckOptions>();
  CLI::App* check = app.add_subcommand("check", "validate YAML or ONNX files without running");
  check
      ->add_option("files", o->files,
                   "YAML of chips or memories, ONNX files, or names of systems and workloads")
      ->required();
  AddWorkloadOptions(*check, &o->workload);
  check->add_flag("--print", o->print, "print the network in the readable text form");
  check->callback([o, exit_code] { *exit_code = Check(*o); });
}

}  // namespace siliscope
