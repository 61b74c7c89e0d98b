// SPDX-License-Identifier: Apache-2.0
// siliscope run on a system of several chips, and siliscope collectives: a table as nccl-tests
// print it.
#include "sim/cli/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

#include "sim/cli/option_text.h"
#include "sim/cli/progress.h"
#include "sim/contract/cluster_trace_writer.h"
#include "sim/contract/waveform.h"
#include "sim/core/error.h"
#include "sim/core/key_value_list.h"
#include "sim/core/nearest_name.h"
#include "sim/core/quantity.h"
#include "sim/run/cluster_files.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/csv.h"
#include "sim/run/overlap_simulation.h"
#include "sim/run/trace_simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {

CollectiveRequest CollectiveOf(const std::string& text, bool symmetry) {
  const std::size_t colon = text.find(':');
  if (!IsCollective(text.substr(0, colon))) {
    const auto names = CompilerRegistry::Instance().Get("compiler", "network")()->ListCollectives();
    throw UserError("collective: \"" + text.substr(0, colon) + "\" is none" +
                    Suggestion(text.substr(0, colon), names) +
                    "; an operator runs on one chip, or beside a collective (a:...+b:...)");
  }
  const std::string shape = colon == std::string::npos ? "" : text.substr(colon + 1);
  CollectiveRequest collective =
      ParseCollective(text.substr(0, colon), shape.empty() ? std::map<std::string, std::string>{}
                                                           : ParseKeyValueList(shape));
  collective.symmetry = symmetry;
  return collective;
}

std::vector<std::string> WordsOf(const std::string& workload) {
  std::vector<std::string> words;
  std::stringstream stream(workload);
  for (std::string word; std::getline(stream, word, '+');) words.push_back(word);
  return words;
}

namespace {

/// One collective, or several beside each other: a:...+b:...
ClusterRequest RequestOf(const RunOptions& o) {
  ClusterRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  const std::vector<std::string> words = WordsOf(o.workload.request.workload);
  request.collective = CollectiveOf(words.front(), !o.no_symmetry);
  for (std::size_t i = 1; i < words.size(); ++i) {
    request.beside.push_back(CollectiveOf(words[i], !o.no_symmetry));
  }
  request.options.spans = o.trace != "none";
  request.options.zoom = SplitList(o.zoom);
  request.ideal = o.ideal;
  return request;
}

std::string SummaryText(const ClusterResult& r, const std::string& folder,
                        const std::string& more) {
  const nlohmann::ordered_json json = ClusterSummaryJson(r);
  const LinkProgram& p = r.program;
  const double seconds = std::max(r.simulate_seconds, 1e-9);
  std::string text = fmt::format(
      "{} of {}, {} ranks, on {} ({} chips, {})   simulated in {} at {}\n", p.operation,
      Engineering(static_cast<double>(p.bytes), "B"), p.ranks, r.cluster.name,
      r.cluster.topology.chips, r.cluster.library.name, Engineering(r.simulate_seconds, "s"),
      Engineering(static_cast<double>(r.record.messages) / seconds, "messages/s"));
  text += NotesText(r.cluster);
  text += fmt::format("  time         {}\n", Engineering(ToSeconds(r.record.total), "s"));
  const std::vector<double> ends = EndsMicroseconds(r);
  for (std::size_t i = 1; i < ends.size(); ++i) {
    text +=
        fmt::format("  {:<12} {}; collective {} beside it {}\n", i == 1 ? "done" : "",
                    Engineering(ends.front() * 1e-6, "s"), i + 1, Engineering(ends[i] * 1e-6, "s"));
  }
  text += fmt::format("  bandwidth    algorithm {}, bus {}\n",
                      Engineering(AlgorithmBytesPerSecond(r), "B/s"),
                      Engineering(BusBytesPerSecond(r), "B/s"));
  text +=
      fmt::format("  chosen       {}, {}, {} channels\n", p.algorithm, p.protocol_name, p.channels);
  std::vector<std::pair<double, std::string>> states;
  for (const auto& [name, share] : json["lane_time_pct"].items()) {
    states.emplace_back(-share.get<double>(), name);
  }
  std::sort(states.begin(), states.end());
  std::string list;
  for (const auto& [share, name] : states) {
    if (share > -0.5) continue;
    std::string words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    list += fmt::format("{}{} {:.0f}%", list.empty() ? "" : ", ", words, -share);
  }
  if (!list.empty()) text += "  channels     " + list + "\n";
  const LinkUse* busiest = nullptr;
  for (const LinkUse& link : r.record.links) {
    if (link.wire_bytes > 0 && (busiest == nullptr || link.busy > busiest->busy)) busiest = &link;
  }
  if (busiest != nullptr) {
    text += fmt::format("  busiest link {}: {:.0f}% of {}\n", busiest->name,
                        100 * ToSeconds(busiest->busy) / ToSeconds(r.record.total),
                        Engineering(busiest->peak_bytes_per_s, "B/s"));
  }
  return text + fmt::format("  written      {}/ summary.json links.csv lanes.csv run.yaml{}\n",
                            folder, more);
}

/// Names of nodes, or links.
void CheckZoom(const RunOptions& o) {
  if (o.vcd && o.zoom.empty()) {
    throw UserError("--vcd: no link is zoomed; --zoom links, or --zoom chip0");
  }
  if (o.zoom.empty()) return;
  const Topology topology = LoadCluster(o.system, ParseOverrides(o.set)).topology;
  std::vector<std::string> names = {"links"};
  for (const TopologyNode& node : topology.nodes) names.push_back(node.name);
  for (const std::string& name : SplitList(o.zoom)) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      throw UserError("--zoom " + name + ": no node of " + o.system + Suggestion(name, names));
    }
  }
}

}  // namespace

std::string NotesText(const ClusterSpec& cluster) {
  std::string text;
  for (const std::string& note : cluster.notes) text += "  note         " + note + "\n";
  return text;
}

namespace {

/// A collective, or what stands beside one: a:...+b:...
bool IsExchangeText(const std::string& workload) {
  return workload.find(':') != std::string::npos || IsCollective(workload);
}

/// Options that a run on a system would leave without effect.
void RefuseIdleOptions(const RunOptions& o, bool network) {
  const WorkloadRequest& w = o.workload.request;
  std::vector<std::pair<bool, const char*>> other = {{!o.zoom_operators.empty(), "--zoom-op"},
                                                     {o.cold, "--cold"}};
  if (!network) {
    other.insert(other.end(), {{!o.parallel.empty(), "--parallel"},
                               {!o.host.empty(), "--host"},
                               {!o.lock_clock.empty(), "--lock-clock"},
                               {o.autotune, "--autotune"},
                               {w.batch > 0, "--batch"},
                               {w.sequence > 0, "--seq"},
                               {!w.dimensions.empty(), "--dim"}});
  }
  for (const auto& [given, name] : other) {
    if (given) {
      throw UserError(fmt::format("{}: does nothing on {} with --workload {}", name, o.system,
                                  w.workload.substr(0, 80)));
    }
  }
}

}  // namespace

void RunOnCluster(const RunOptions& o) {
  const bool one = IsExchangeText(o.workload.request.workload);
  RefuseIdleOptions(o, !one && !IsExecutionTrace(o.workload.request.workload));
  if (!o.ideal.empty() && (!one || HasOperators(o.workload.request.workload))) {
    throw UserError("--ideal on " + o.system + ": of a collective, such as all_reduce:bytes=64MiB");
  }
  if ((!o.zoom.empty() || o.vcd) && (!one || HasOperators(o.workload.request.workload))) {
    throw UserError("--zoom on " + o.system + ": of a collective, such as all_reduce:bytes=1MiB");
  }
  if (IsExecutionTrace(o.workload.request.workload)) return RunTrace(o);
  if (!one) return RunDivided(o);
  if (HasOperators(o.workload.request.workload)) return RunOverlap(o);
  if (o.trace == "chakra") {
    throw UserError("--trace chakra: of a network (--parallel) or of an execution trace");
  }
  ClusterRequest request = RequestOf(o);
  CheckZoom(o);
  OutputFolder out(o.out);
  std::ofstream waveform_file;
  std::unique_ptr<Waveform> waveform;
  if (o.vcd) {
    waveform_file.open(out.staging() + "/waveform.vcd", std::ios::binary);
    waveform = WaveformRegistry::Instance().Get("waveform", "vcd")(waveform_file);
    request.options.waveform = waveform.get();
  }
  const ClusterResult result = SimulateCluster(request);
  waveform.reset();
  if (o.vcd && !waveform_file.flush()) {
    throw WriteError(out.path() + "/waveform.vcd: can't be written");
  }
  WriteClusterFiles(out, result, CommandText());
  if (request.options.spans) {
    const ClusterTraceWriter& writer =
        *ClusterTraceWriterRegistry::Instance().Get("trace format", o.trace)();
    std::ofstream file(out.staging() + "/trace.json", std::ios::binary);
    writer.Write(result.cluster, result.program, result.record, TraceOptionsOf(o), file);
    if (!file.flush()) throw WriteError(out.path() + "/trace.json: can't be written");
  }
  out.Commit();
  fmt::print("{}", SummaryText(result, out.path(),
                               std::string(request.options.spans ? " trace.json" : "") +
                                   (o.vcd ? " waveform.vcd" : "")));
}

void Collectives(const CollectivesOptions& o) {
  const auto first = static_cast<std::int64_t>(ParseQuantity(o.from, Dimension::kBytes));
  const auto last = static_cast<std::int64_t>(ParseQuantity(o.to, Dimension::kBytes));
  if (first < 1 || last < first) throw UserError("--from and --to: from 1 B on, and not downwards");
  std::vector<ClusterRequest> requests;
  for (std::int64_t bytes = first; bytes <= last; bytes *= 2) {
    ClusterRequest request;
    request.system = o.system;
    request.overrides = ParseOverrides(o.set);
    request.collective = {o.operation, bytes, o.ranks, o.algorithm, o.protocol};
    request.collective.per_node = o.per_node;
    requests.push_back(request);
  }
  OutputFolder out(o.out);
  Progress progress(o.operation, requests.size());
  const auto jobs = RunJobs(
      requests.size(),
      [&](std::size_t i) {
        const ClusterResult r = SimulateCluster(requests[i]);
        return CsvLine(
            {std::to_string(r.program.bytes), std::to_string(r.program.ranks), r.program.algorithm,
             r.program.protocol_name, std::to_string(r.program.channels),
             NumberText(ToMicroseconds(r.record.total)),
             NumberText(AlgorithmBytesPerSecond(r) / 1e9), NumberText(BusBytesPerSecond(r) / 1e9)});
      },
      [&](std::size_t done) { progress.Done(done); });
  std::string csv = CsvLine({"bytes", "ranks", "algorithm", "protocol", "channels", "time_us",
                             "algbw_gb_per_s", "busbw_gb_per_s"});
  fmt::print(
      "# {} on {}\n#{:>12} {:>6} {:>10} {:>9} {:>9} {:>12} {:>9} {:>9}\n#{:>12} {:>6} {:>10} "
      "{:>9} {:>9} {:>12} {:>9} {:>9}\n",
      o.operation, o.system, "size", "ranks", "algorithm", "protocol", "channels", "time", "algbw",
      "busbw", "(B)", "", "", "", "", "(us)", "(GB/s)", "(GB/s)");
  for (const JobResult& job : jobs) {
    if (job.exit_code != 0) throw Error(static_cast<ExitCode>(job.exit_code), job.output);
    csv += job.output;
    const std::vector<std::string> v = SplitList(job.output.substr(0, job.output.size() - 1));
    fmt::print(" {:>12} {:>6} {:>10} {:>9} {:>9} {:>12.2f} {:>9.2f} {:>9.2f}\n", v[0], v[1], v[2],
               v[3], v[4], std::stod(v[5]), std::stod(v[6]), std::stod(v[7]));
  }
  out.Write("collectives.csv", csv);
  out.Write("run.yaml", "siliscope: " SILISCOPE_VERSION "\ncommand: \"" + CommandText() + "\"\n");
  out.Commit();
  fmt::print("written: {}/ collectives.csv run.yaml\n", out.path());
}

}  // namespace siliscope
