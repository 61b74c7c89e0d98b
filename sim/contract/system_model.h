// SPDX-License-Identifier: Apache-2.0
// Hardware that executes programs. A kind of chip registers a factory under its name.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"
#include "sim/contract/tile_cost.h"
#include "sim/contract/waveform.h"
#include "sim/core/registry.h"

namespace siliscope {

/// What to simulate at cycle zoom, every cycle with real values, in place of the tile zoom.
struct ZoomRequest {
  std::vector<std::string> units;  ///< "core0.array0", "dram", ...; of the model's ZoomableUnits
  std::vector<char> operators;     ///< by index: 1 = only the commands of these; empty = of all
  Waveform* waveform = nullptr;    ///< where the zoomed units write their signals, or null
};

struct SimulationOptions {
  bool spans = false;  ///< keep every span and command time, for traces
  ZoomRequest zoom;
};

/// One chip or system. One instance a process: SystemC's elaboration is global.
class SystemModel {
 public:
  virtual ~SystemModel() = default;

  /// Elaborates, runs the program to its end and returns what happened. Throws InternalError where
  /// work is left and nothing can happen any more, naming who waits for whom.
  virtual Record Run(const Program& program, const SimulationOptions& options) = 0;
};

struct SystemModelKind {
  std::unique_ptr<SystemModel> (*make_model)(const MachineSpec& spec);
  std::unique_ptr<TileCost> (*make_tile_cost)(const MachineSpec& spec);
  /// Dense peak in operations a second by data type, from the unit's own numbers.
  double (*peak_operations_per_s)(const MachineSpec& spec, const std::string& dtype);
  /// Units that can run at cycle zoom.
  std::vector<std::string> (*zoomable_units)(const MachineSpec& spec);
  /// Resources that `--ideal` can name, and those of them that this machine pays for.
  std::vector<std::string> ideal_resources;
  std::vector<std::string> (*paid_resources)(const MachineSpec& spec);
};

using SystemModelRegistry = Registry<SystemModelKind>;

}  // namespace siliscope
