// SPDX-License-Identifier: Apache-2.0
// siliscope run: one network on one system.
#include <fmt/format.h>

#include <fstream>
#include <memory>

#include "sim/cli/command.h"
#include "sim/cli/summary_text.h"
#include "sim/contract/trace_writer.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/metrics.h"
#include "sim/run/output_folder.h"
#include "sim/run/result_files.h"
#include "sim/run/would_help.h"

namespace siliscope {
namespace {

struct RunOptions {
  std::string system;
  WorkloadOptions workload;
  std::string out = "out";
  std::vector<std::string> set, ideal;
  std::string trace = "chrome", trace_time = "ns", trace_window, trace_units;
  std::string zoom, zoom_operators, host, lock_clock;
  bool vcd = false;
  bool autotune = false;
  bool no_advice = false;
};

/// "10us:20us" into ticks.
void ParseWindow(const std::string& text, TraceOptions* options) {
  if (text.empty()) return;
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) {
    throw UserError("--trace-window " + text + ": not FROM:TO, such as 10us:20us");
  }
  options->window_begin =
      static_cast<Tick>(ParseQuantity(text.substr(0, colon), Dimension::kTime) * 1e12);
  options->window_end =
      static_cast<Tick>(ParseQuantity(text.substr(colon + 1), Dimension::kTime) * 1e12);
  if (options->window_end <= options->window_begin) {
    throw UserError("--trace-window " + text + ": ends before it begins");
  }
}

TraceOptions TraceOptionsOf(const RunOptions& o) {
  TraceOptions options;
  options.time_in_cycles = o.trace_time == "cycles";
  options.units = SplitList(o.trace_units);
  ParseWindow(o.trace_window, &options);
  return options;
}

void WriteTrace(const OutputFolder& out, const RunOptions& o, const SimulationResult& result) {
  if (o.trace == "none") return;
  const TraceWriter& writer = *TraceWriterRegistry::Instance().Get("trace format", o.trace)();
  std::ofstream file(out.staging() + "/trace.json", std::ios::binary);
  writer.Write(result.machine, result.program, result.record, TraceOptionsOf(o), file);
  file.flush();
  if (!file) throw WriteError(out.path() + "/trace.json: can't be written");
}

void Run(const RunOptions& o) {
  SimulationRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  request.ideal = o.ideal;
  if (!o.lock_clock.empty()) request.overrides.emplace_back("lock_clock", o.lock_clock);
  request.host = o.host;
  request.autotune = o.autotune;
  request.work = ResolveWorkload(o.workload);
  request.options.spans = o.trace != "none";
  TraceOptionsOf(o);  // complains before anything runs
  OutputFolder out(o.out);
  Advice advice;
  if (!o.no_advice) advice = SimulateAdvice(request);
  request.options.zoom.units = SplitList(o.zoom);
  request.zoom_operators = SplitList(o.zoom_operators);
  const bool zoomed = !o.zoom.empty() || !o.zoom_operators.empty();
  if (o.vcd && !zoomed) throw UserError("--vcd: no unit is zoomed; --zoom or --zoom-op name some");
  std::ofstream waveform_file;
  std::unique_ptr<Waveform> waveform;
  if (o.vcd) {
    waveform_file.open(out.staging() + "/waveform.vcd", std::ios::binary);
    waveform = WaveformRegistry::Instance().Get("waveform", "vcd")(waveform_file);
    request.options.zoom.waveform = waveform.get();
  }
  const SimulationResult result = Simulate(request);
  if (o.vcd && !waveform_file.flush()) {
    throw WriteError(out.path() + "/waveform.vcd: can't be written");
  }
  CheckRecord(result);
  const Metrics metrics = ComputeMetrics(result);
  nlohmann::ordered_json summary = SummaryJson(result, metrics);
  for (Remedy& remedy : advice.remedies) {
    remedy.factor = metrics.samples_per_s > 0 ? remedy.factor / metrics.samples_per_s : 0;
    summary["would_help"].push_back(
        {{"change", remedy.text}, {"factor", remedy.factor}, {"options", remedy.options}});
  }
  WriteResultFiles(out, "", result, summary, CommandText());
  WriteTrace(out, o, result);
  out.Commit();
  std::vector<std::string> changes = o.set;
  for (const std::string& resource : o.ideal) changes.push_back("ideal " + resource);
  fmt::print("{}", SummaryText(result, metrics, advice, changes, out.path(),
                               std::string(o.trace != "none" ? " trace.json" : "") +
                                   (o.vcd ? " waveform.vcd" : "")));
}

}  // namespace

void AddRunCommand(CLI::App& app, int* /*exit_code*/) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "run a network on a system");
  run->add_option("--system", o->system, "a chip of `siliscope list systems`, or a YAML file")
      ->required();
  run->add_option("--workload", o->workload.request.workload,
                  "a network of `siliscope list workloads`, or an ONNX file")
      ->required();
  AddWorkloadOptions(*run, &o->workload);
  run->add_option("--set", o->set, "change a value of the system, key=value");
  run->add_option("--ideal", o->ideal, "take a resource's cost away (dram, launch, vector, ...)");
  run->add_option("--out", o->out, "folder for the results");
  run->add_option("--trace", o->trace, "trace format")
      ->check(CLI::IsMember(std::vector<std::string>{"chrome", "none"}));
  run->add_option("--trace-time", o->trace_time, "unit of the trace's timestamps")
      ->check(CLI::IsMember(std::vector<std::string>{"ns", "cycles"}));
  run->add_option("--trace-window", o->trace_window, "only this time, such as 10us:20us");
  run->add_option("--trace-units", o->trace_units, "only units whose names begin so, a,b,c");
  run->add_option("--zoom", o->zoom, "units at cycle zoom: core0.array0, dram, ... (a,b,c)");
  run->add_option("--zoom-op", o->zoom_operators,
                  "operators whose tiles the arrays run at cycle zoom, a,b,c");
  run->add_option("--host", o->host,
                  "framework that launches the kernels of a GPU: one of `siliscope list hosts`");
  run->add_option(
      "--kernel", o->workload.request.kernel,
      "kernel that matrix products take on a GPU, by a name with its tile: gemm_128x64");
  run->add_flag("--host-copies", o->workload.request.host_copies,
                "inputs come from the host's memory and outputs go there, by a GPU's copy engines");
  run->add_option("--launch", o->workload.request.launch,
                  "how kernels of a GPU follow each other, without a host")
      ->check(CLI::IsMember(std::vector<std::string>{"graph", "kernel", "stream"}));
  run->add_option("--lock-clock", o->lock_clock, "clock of a GPU, past its power limit: 1.41GHz");
  run->add_flag("--autotune", o->autotune,
                "GPU: simulate the best few kernels of each product and take the fastest");
  run->add_flag("--vcd", o->vcd, "write the signals of the zoomed units to waveform.vcd");
  run->add_flag("--no-advice", o->no_advice, "do not simulate what would help");
  run->callback([o] { Run(*o); });
}

}  // namespace siliscope
