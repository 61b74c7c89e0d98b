// SPDX-License-Identifier: Apache-2.0
// siliscope wavefront: a small product on one array at cycle zoom, every element in every cycle, as
// JSON; what the course's step-by-step figures are drawn from.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/cli/command.h"
#include "sim/config/machine_loader.h"
#include "sim/contract/array_recorder.h"
#include "sim/core/error.h"
#include "sim/run/output_folder.h"

namespace siliscope {
namespace {

struct WavefrontOptions {
  std::string system;
  std::vector<std::string> set;
  std::int64_t m = 3, k = 3, n = 3;
  std::string vcd;
};

void Wavefront(const WavefrontOptions& o) {
  const MachineSpec machine = LoadMachine(o.system, ParseOverrides(o.set));
  const ArrayRecording recording =
      ArrayRecorderRegistry::Instance().Get("kind of array", machine.kind)(machine, o.m, o.k, o.n);
  if (recording.product != recording.reference) {
    throw InternalError("the array's product is not the reference product");
  }
  if (!o.vcd.empty()) {
    std::ostringstream waveform;
    ArrayTraceRegistry::Instance().Get("waveform", "vcd")(recording, machine.clock_hz, waveform);
    WriteFileWhole(o.vcd, waveform.str());
  }
  nlohmann::ordered_json json = {
      {"system", machine.name}, {"cycles", recording.cycles}, {"product", recording.product}};
  for (const ArrayFrame& frame : recording.frames) {
    json["frames"].push_back({{"active", frame.active}, {"sums", frame.sums}});
  }
  fmt::print("{}\n", json.dump());
}

}  // namespace

void AddWavefrontCommand(CLI::App& app) {
  auto o = std::make_shared<WavefrontOptions>();
  CLI::App* wavefront =
      app.add_subcommand("wavefront", "a small product on one array, cycle by cycle, as JSON");
  wavefront->add_option("--system", o->system, "a chip with a small array, such as systolic-3x3")
      ->required();
  wavefront->add_option("--set", o->set, "change a value of the system, key=value");
  const auto size = CLI::Range(std::int64_t{1}, std::int64_t{512});
  wavefront->add_option("--m", o->m, "rows of the product")->check(size);
  wavefront->add_option("--k", o->k, "contraction")->check(size);
  wavefront->add_option("--n", o->n, "columns of the product")->check(size);
  wavefront->add_option("--vcd", o->vcd, "also write a waveform to this file");
  wavefront->callback([o] { Wavefront(*o); });
}

}  // namespace siliscope
