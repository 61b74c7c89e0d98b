// SPDX-License-Identifier: Apache-2.0
// siliscope run: one network on one system.
#include <fmt/format.h>

#include <fstream>
#include <memory>
#include <optional>

#include "sim/cli/cluster.h"
#include "sim/cli/commands.h"
#include "sim/cli/option_text.h"
#include "sim/cli/summary_text.h"
#include "sim/config/cluster_loader.h"
#include "sim/contract/trace_writer.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/metrics.h"
#include "sim/run/output_folder.h"
#include "sim/run/result_files.h"
#include "sim/run/would_help.h"

namespace siliscope {
namespace {

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

}  // namespace

TraceOptions TraceOptionsOf(const RunOptions& o) {
  TraceOptions options;
  options.time_in_cycles = o.trace_time == "cycles";
  options.units = SplitList(o.trace_units);
  ParseWindow(o.trace_window, &options);
  return options;
}

namespace {

void WriteTrace(const OutputFolder& out, const RunOptions& o, const SimulationResult& result) {
  if (o.trace == "none") return;
  const TraceWriter& writer = *TraceWriterRegistry::Instance().Get("trace format", o.trace)();
  std::ofstream file(out.staging() + "/trace.json", std::ios::binary);
  writer.Write(result.machine, result.program, result.record, TraceOptionsOf(o), file);
  file.flush();
  if (!file) throw WriteError(out.path() + "/trace.json: can't be written");
}

}  // namespace

void RunNetwork(const RunOptions& o) {
  if (IsCluster(o.system)) return RunOnCluster(o);
  if (!o.parallel.empty()) {
    throw UserError("--parallel: " + o.system + " is one chip; `siliscope list systems` has more");
  }
  if (o.trace == "chakra") {
    throw UserError("--trace chakra: what ranks of a system do; " + o.system + " is one chip");
  }
  SimulationRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  request.ideal = o.ideal;
  if (!o.lock_clock.empty()) request.overrides.emplace_back("lock_clock", o.lock_clock);
  request.host = o.host;
  if (!o.host.empty() && o.workload.request.streams > 1) {
    throw UserError("--streams: a framework's host launches one kernel after another (--host)");
  }
  request.autotune = o.autotune;
  request.cold = o.cold;
  request.work = ResolveWorkload(o.workload);
  request.options.spans = o.trace != "none";
  TraceOptionsOf(o);  // complains before anything runs
  OutputFolder out(o.out);
  std::optional<Advisor> advisor;
  if (!o.no_advice && std::holds_alternative<WorkloadRequest>(request.work)) {
    advisor.emplace(request);
  }
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
  const Advice advice = advisor ? advisor->Advise(result.program.batch, metrics) : Advice{};
  for (const Remedy& remedy : advice.remedies) {
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

}  // namespace siliscope
