// SPDX-License-Identifier: Apache-2.0
// siliscope check: are these YAML and ONNX files good? Nothing is run.
#include <fmt/format.h>

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

void CheckOne(const CheckOptions& o, const std::string& file) {
  if (EndsWith(file, ".yaml") || EndsWith(file, ".yml")) {
    const MachineSpec machine = LoadMachine(file, {});
    fmt::print("{}: good: {}, {} cores, {} array(s) of {}x{} each, {}\n", file, machine.name,
               machine.npu.cores, machine.npu.array.count, machine.npu.array.rows,
               machine.npu.array.columns,
               Engineering(ComputedPeakOperations(machine,
                                                  std::string(DataTypeName(machine.default_dtype))),
                           "OP/s"));
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
  check->add_option("files", o->files, "chip YAML, ONNX files or names of workloads")->required();
  AddWorkloadOptions(*check, &o->workload);
  check->add_flag("--print", o->print, "print the network in the readable text form");
  check->callback([o, exit_code] { *exit_code = Check(*o); });
}

}  // namespace siliscope
