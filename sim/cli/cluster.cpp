// SPDX-License-Identifier: Apache-2.0
// siliscope run on a system of several chips, and siliscope collectives: a table as nccl-tests
// print it.
#include "sim/cli/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "sim/cli/option_text.h"
#include "sim/cli/progress.h"
#include "sim/contract/cluster_trace_writer.h"
#include "sim/core/error.h"
#include "sim/core/key_value_list.h"
#include "sim/core/quantity.h"
#include "sim/run/cluster_files.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/csv.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

ClusterRequest RequestOf(const RunOptions& o) {
  const std::string& workload = o.workload.request.workload;
  const std::size_t colon = workload.find(':');
  if (colon == std::string::npos) {
    throw UserError("--workload " + workload + ": on a system of several chips a collective, " +
                    "such as \"all_reduce:bytes=64MiB;ranks=8\"");
  }
  ClusterRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  request.collective =
      ParseCollective(workload.substr(0, colon), ParseKeyValueList(workload.substr(colon + 1)));
  request.collective.symmetry = !o.no_symmetry;
  request.spans = o.trace != "none";
  return request;
}

std::string SummaryText(const ClusterResult& r, const std::string& folder, bool traced) {
  const nlohmann::ordered_json json = ClusterSummaryJson(r);
  const LinkProgram& p = r.program;
  const double seconds = std::max(r.simulate_seconds, 1e-9);
  std::string text = fmt::format(
      "{} of {}, {} ranks, on {} ({} chips, {})   simulated in {} at {}\n", p.operation,
      Engineering(static_cast<double>(p.bytes), "B"), p.ranks, r.cluster.name,
      r.cluster.topology.chips, r.cluster.library.name, Engineering(r.simulate_seconds, "s"),
      Engineering(static_cast<double>(r.record.messages) / seconds, "messages/s"));
  text += fmt::format("  time         {}\n", Engineering(ToSeconds(r.record.total), "s"));
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
  text += "  channels     " + list + "\n";
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
                            folder, traced ? " trace.json" : "");
}

}  // namespace

void RunOnCluster(const RunOptions& o) {
  ClusterRequest request = RequestOf(o);
  OutputFolder out(o.out);
  const ClusterResult result = SimulateCluster(request);
  WriteClusterFiles(out, result, CommandText());
  if (request.spans) {
    const ClusterTraceWriter& writer =
        *ClusterTraceWriterRegistry::Instance().Get("trace format", o.trace)();
    std::ofstream file(out.staging() + "/trace.json", std::ios::binary);
    writer.Write(result.cluster, result.program, result.record, TraceOptionsOf(o), file);
    if (!file.flush()) throw WriteError(out.path() + "/trace.json: can't be written");
  }
  out.Commit();
  fmt::print("{}", SummaryText(result, out.path(), request.spans));
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
