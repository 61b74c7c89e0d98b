// SPDX-License-Identifier: Apache-2.0
// One simulation from front to back: load the machine, compile the network, build the models, run.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sim/config/machine_loader.h"
#include "sim/contract/compiler.h"
#include "sim/contract/system_model.h"

namespace siliscope {

struct SimulationRequest {
  std::string system;
  std::vector<Override> overrides;
  std::vector<std::string> ideal;
  std::variant<WorkloadRequest, OperatorRequest> work;
  SimulationOptions options;
  bool autotune = false;  ///< simulate the best few kernels of each product
  bool cold = false;      ///< a CPU's caches are empty when it begins
  /// Of a GPU's program, operators from the first to before the second are left out.
  std::pair<std::size_t, std::size_t> left_out{0, 0};
  std::string host;                         ///< "" = none: launches from a captured graph
  std::vector<std::string> zoom_operators;  ///< names; `options.zoom.operators` comes from them
};

struct SimulationResult {
  MachineSpec machine;
  Program program;
  Record record;
  double compile_seconds = 0;  ///< wall clock, for the terminal only
  double simulate_seconds = 0;
};

/// The machine of a request, its `--ideal` resources checked.
MachineSpec MachineOf(const SimulationRequest& request);

/// Compiles a request's work for its machine.
Program CompileRequest(const SimulationRequest& request, const MachineSpec& machine);

/// Runs a request. At most one call a process (SystemC's elaboration is global).
SimulationResult Simulate(const SimulationRequest& request);

/// Published peak of a machine in a data type (operations a second), else the computed one.
double PeakOperations(const MachineSpec& machine, const std::string& dtype);
/// The peak that follows from the units' own numbers.
double ComputedPeakOperations(const MachineSpec& machine, const std::string& dtype);

}  // namespace siliscope
