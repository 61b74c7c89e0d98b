// SPDX-License-Identifier: Apache-2.0
#include "sim/run/simulation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "sim/config/host_loader.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

const SystemModelKind& KindOf(const MachineSpec& machine) {
  return SystemModelRegistry::Instance().Get("kind of chip", machine.kind);
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

/// Checks the units and operators that are to be zoomed, and finds the operators' indices.
ZoomRequest ResolveZoom(const SimulationRequest& request, const MachineSpec& machine,
                        const Program& program) {
  ZoomRequest zoom = request.options.zoom;
  const std::vector<std::string> units = KindOf(machine).zoomable_units(machine);
  for (const std::string& unit : zoom.units) {
    if (std::find(units.begin(), units.end(), unit) == units.end()) {
      throw UserError("--zoom " + unit + ": " + machine.name + " has no such unit to zoom" +
                      Suggestion(unit, units));
    }
  }
  if (request.zoom_operators.empty()) return zoom;
  if (zoom.units.empty()) {  // every processing array
    for (const std::string& unit : units) {
      if (unit != "dram") zoom.units.push_back(unit);
    }
  }
  zoom.operators.assign(program.operators.size(), 0);
  std::vector<std::string> names;
  for (const OperatorInfo& op : program.operators) names.push_back(op.name);
  for (const std::string& wanted : request.zoom_operators) {
    const bool whole = std::find(names.begin(), names.end(), wanted) != names.end();
    bool found = false;
    for (std::size_t i = 0; i < names.size(); ++i) {  // all of a name: one of each invocation
      if (whole ? names[i] != wanted : names[i].find(wanted) == std::string::npos) continue;
      zoom.operators[i] = 1;
      found = true;
    }
    if (!found) {
      throw UserError("--zoom-op " + wanted + ": no operator of " + program.workload +
                      " is named so" + Suggestion(wanted, names));
    }
  }
  return zoom;
}

}  // namespace

MachineSpec MachineOf(const SimulationRequest& request) {
  MachineSpec machine = LoadMachine(request.system, request.overrides);
  machine.ideal = request.ideal;
  const std::vector<std::string>& allowed = KindOf(machine).ideal_resources;
  for (const std::string& resource : request.ideal) {
    if (std::find(allowed.begin(), allowed.end(), resource) == allowed.end()) {
      throw UserError("--ideal " + resource + ": no such resource of " + machine.name +
                      Suggestion(resource, allowed));
    }
  }
  return machine;
}

namespace {

/// Runs each program alone, in a process of its own.
std::vector<double> TryPrograms(const MachineSpec& machine, const std::vector<Program>& programs) {
  const auto results = RunJobs(
      programs.size(),
      [&](std::size_t i) {
        const Record record = KindOf(machine).make_model(machine)->Run(programs[i], {});
        return std::to_string(record.total);
      },
      [](std::size_t) {});
  std::vector<double> seconds;
  for (const JobResult& r : results) {
    if (r.exit_code != 0) throw InternalError("a kernel that was tried failed: " + r.output);
    seconds.push_back(std::stod(r.output) * 1e-12);
  }
  return seconds;
}

}  // namespace

Program CompileRequest(const SimulationRequest& request, const MachineSpec& machine) {
  const Compiler& compiler = *CompilerRegistry::Instance().Get("compiler", "network")();
  const auto cost = KindOf(machine).make_tile_cost(machine);
  ProgramTrials trials;
  if (request.autotune) {
    trials = [&machine](const std::vector<Program>& programs) {
      return TryPrograms(machine, programs);
    };
  }
  if (const auto* workload = std::get_if<WorkloadRequest>(&request.work)) {
    WorkloadRequest tried = *workload;
    tried.trials = std::move(trials);
    return compiler.Compile(tried, machine, *cost);
  }
  OperatorRequest tried = std::get<OperatorRequest>(request.work);
  if (trials) {  // an operator alone finds its weights in the caches, unless it says otherwise
    tried.trials = [&](std::vector<Program> programs) {
      for (Program& p : programs) p.gpu.cold_weights = tried.launch == "graph";
      return TryPrograms(machine, programs);
    };
  }
  return compiler.CompileOperator(tried, machine, *cost);
}

namespace {

/// Sets when a host launches the program's kernels: each operator is one framework call.
void DispatchFrom(const HostSpec& host, Program* program) {
  program->gpu.mode = LaunchMode::kEager;
  program->gpu.dispatch_s.clear();
  std::uint32_t last = kNone;
  for (const GpuLaunch& launch : program->gpu.launches) {
    const OperatorInfo& op = program->operators[launch.op];
    program->gpu.dispatch_s.push_back(launch.op == last ? host.next_kernel_s
                                                        : host.DispatchSeconds(op.call, op.name));
    last = launch.op;
  }
}

/// Operators keep their numbers; those that are left out launch nothing.
void LeaveOut(const std::pair<std::size_t, std::size_t>& range, Program* program) {
  std::vector<GpuLaunch>& launches = program->gpu.launches;
  const auto out = [&](const GpuLaunch& launch) {
    return launch.op >= range.first && launch.op < range.second;
  };
  launches.erase(std::remove_if(launches.begin(), launches.end(), out), launches.end());
}

}  // namespace

SimulationResult Simulate(const SimulationRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  SimulationResult result;
  result.machine = MachineOf(request);
  result.program = CompileRequest(request, result.machine);
  LeaveOut(request.left_out, &result.program);
  if (!request.host.empty()) DispatchFrom(LoadHost(request.host), &result.program);
  const std::vector<std::string> paid = KindOf(result.machine).paid_resources(result.machine);
  for (const std::string& resource : request.ideal) {
    if (std::find(paid.begin(), paid.end(), resource) != paid.end()) continue;
    result.program.notes.push_back(
        "--ideal " + resource + " changes nothing: " + result.machine.name + " has no such cost");
  }
  if (request.autotune && result.program.gpu.kernels.empty()) {
    result.program.notes.push_back("--autotune changes nothing: " + result.machine.name +
                                   " has no kernels to choose from");
  }
  result.program.cpu.cold = request.cold;
  if (request.cold && result.machine.kind != "cpu") {
    result.program.notes.push_back("--cold changes nothing: " + result.machine.name + " is no CPU");
  }
  result.compile_seconds = Seconds(start);
  const auto run = std::chrono::steady_clock::now();
  const auto model = KindOf(result.machine).make_model(result.machine);
  SimulationOptions options = request.options;
  options.zoom = ResolveZoom(request, result.machine, result.program);
  result.record = model->Run(result.program, options);
  result.simulate_seconds = Seconds(run);
  return result;
}

double ComputedPeakOperations(const MachineSpec& machine, const std::string& dtype) {
  return KindOf(machine).peak_operations_per_s(machine, dtype);
}

double PeakOperations(const MachineSpec& machine, const std::string& dtype) {
  const auto as = machine.converted_dtypes.find(dtype);
  const auto it = machine.peaks.find(as == machine.converted_dtypes.end() ? dtype : as->second);
  double computed = ComputedPeakOperations(machine, dtype);
  // Published at a base clock, which no CPU runs at.
  if (machine.kind == "cpu") return computed * machine.MatrixClock() / machine.clock_hz;
  if (it == machine.peaks.end()) return computed;
  // A published peak is that of the chip as published: not of one that `--set` has changed.
  const double published = it->second.operations_per_s;
  computed *= it->second.clock_hz / machine.clock_hz;
  return std::abs(computed / published - 1) < 0.01 ? published : computed;
}

}  // namespace siliscope
