// SPDX-License-Identifier: Apache-2.0
// siliscope run where ranks do more than one collective: divided networks, traces, operators beside
// collectives.
#include <fmt/format.h>

#include <algorithm>

#include "sim/cli/cluster.h"
#include "sim/cli/option_text.h"
#include "sim/contract/execution_trace.h"
#include "sim/core/error.h"
#include "sim/core/key_value_list.h"
#include "sim/core/quantity.h"
#include "sim/run/execution_files.h"
#include "sim/run/overlap_simulation.h"
#include "sim/run/parallel_simulation.h"
#include "sim/run/trace_simulation.h"

namespace siliscope {
namespace {

std::string Share(Tick part, Tick whole) {
  return fmt::format("{:.0f}%", whole > 0 ? 100 * ToSeconds(part) / ToSeconds(whole) : 0);
}

/// Where the ranks' time goes, on the mean.
std::string RankTimesText(const ExecutionRecord& record) {
  const RankUse sum = SumOfRanks(record);
  const Tick all = record.total * record.ranks.size();
  std::string text =
      fmt::format("computing {}, exchanging {}", Share(sum.compute, all), Share(sum.exchange, all));
  if (sum.overlapped > 0) text += fmt::format(", both at once {}", Share(sum.overlapped, all));
  if (sum.idle > all / 1000) text += fmt::format(", waiting for others {}", Share(sum.idle, all));
  return text;
}

std::string FilesText(const std::vector<std::string>& traces) {
  if (traces.size() <= 1) return traces.empty() ? "" : " " + traces.front();
  return fmt::format(" {} ... {}", traces.front(), traces.back());
}

std::string MemoryText(const ParallelResult& r) {
  const MemoryUse* most = &r.memory.front();
  for (const MemoryUse& m : r.memory) {
    if (m.total() > most->total()) most = &m;
  }
  const auto bytes = [](std::int64_t b) { return Engineering(static_cast<double>(b), "B"); };
  return fmt::format("  memory       {} of {} a rank: weights {}, caches {}, activations {}\n",
                     bytes(most->total()), bytes(r.capacity_bytes), bytes(most->weight_bytes),
                     bytes(most->cache_bytes),
                     bytes(most->activation_bytes + most->workspace_bytes));
}

std::string ParallelText(const ParallelResult& r, const std::string& folder,
                         const std::vector<std::string>& traces) {
  const double us = ToMicroseconds(r.record.total);
  std::string text =
      fmt::format("{}, batch {}, {}, {} on {} ({} chips, {})   simulated in {}\n", r.workload,
                  r.batch, r.dtype, PlanText(r.plan), r.cluster.name, r.cluster.topology.chips,
                  r.cluster.chip, Engineering(r.simulate_seconds, "s"));
  text += NotesText(r.cluster);
  text += fmt::format("  time         {:<12} {}\n", Engineering(us * 1e-6, "s"),
                      RankTimesText(r.record));
  const double flops_per_s = r.nominal_flops / (us * 1e-6);
  text += fmt::format("  compute      {:.3g} TOPS of {:.4g}  {:.0f}%\n", flops_per_s / 1e12,
                      r.peak_operations_per_s / 1e12, 100 * flops_per_s / r.peak_operations_per_s);
  text += MemoryText(r);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < r.operators.size(); ++i) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return r.operators[a].time_us > r.operators[b].time_us;
  });
  constexpr std::size_t kShown = 5;
  for (std::size_t i = 0; i < std::min(kShown, order.size()); ++i) {
    const ParallelOperator& op = r.operators[order[i]];
    const double all = op.time_us * static_cast<double>(r.plan.microbatches);
    text += fmt::format("  {:<12} {}  {:<26} {:>9} {:>3.0f}%  {}\n", i == 0 ? "operators" : "",
                        i + 1, op.name.substr(0, 26), Engineering(op.time_us * 1e-6, "s"),
                        100 * all / us, op.mapping.substr(0, 60));
  }
  return text + fmt::format(
                    "  written      {}/ summary.json operators.csv ranks.csv links.csv "
                    "run.yaml{}\n",
                    folder, FilesText(traces));
}

std::vector<std::string> WriteTraces(const RunOptions& o, const ClusterSpec& cluster,
                                     const ExecutionGraph& graph, const ExecutionRecord& record,
                                     const std::string& folder) {
  if (o.trace == "none") return {};
  return ExecutionTraceWriterRegistry::Instance().Get("trace format", o.trace)()->Write(
      cluster, graph, record, TraceOptionsOf(o), folder);
}

}  // namespace

bool HasOperators(const std::string& workload) {
  const std::vector<std::string> words = WordsOf(workload);
  return words.size() > 1 && std::any_of(words.begin(), words.end(), [](const std::string& word) {
           return !IsCollective(word.substr(0, word.find(':')));
         });
}

void RunOverlap(const RunOptions& o) {
  OverlapRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  for (const std::string& word : WordsOf(o.workload.request.workload)) {
    const std::string name = word.substr(0, word.find(':'));
    if (IsCollective(name)) {
      request.collectives.push_back(CollectiveOf(word, true));
      continue;
    }
    OperatorRequest op;
    op.op = name;
    const std::size_t colon = word.find(':');
    if (colon != std::string::npos) op.shape = ParseKeyValueList(word.substr(colon + 1));
    op.dtype = o.workload.request.dtype;
    request.operators.push_back(std::move(op));
  }
  if (request.collectives.empty()) {
    throw UserError("--workload " + o.workload.request.workload + ": no collective among them");
  }
  OutputFolder out(o.out);
  const OverlapResult r = SimulateOverlap(request);
  WriteOverlapFiles(out, r, CommandText());
  const auto traces = WriteTraces(o, r.cluster, r.graph, r.record, out.staging());
  out.Commit();
  fmt::print("operators beside collectives, {} ranks of {} ({}, {} SMs each)   simulated in {}\n",
             r.graph.ranks, r.cluster.name, r.cluster.chip, r.units,
             Engineering(r.simulate_seconds, "s"));
  fmt::print("  time         {:<12} {}\n", Engineering(ToSeconds(r.record.total), "s"),
             RankTimesText(r.record));
  for (const OverlapPart& part : r.parts) {
    fmt::print("  {:<12} {}, alone {}{}\n", part.name, Engineering(part.beside_us * 1e-6, "s"),
               Engineering(part.alone_us * 1e-6, "s"),
               part.channels > 0 ? fmt::format(", holds {} SMs", part.channels) : "");
  }
  fmt::print("  written      {}/ summary.json ranks.csv links.csv run.yaml{}\n", out.path(),
             FilesText(traces));
}

void RunTrace(const RunOptions& o) {
  if (!o.parallel.empty()) throw UserError("--parallel: a trace says what each rank does");
  OutputFolder out(o.out);
  const TraceResult r = SimulateTrace(o.system, ParseOverrides(o.set), o.workload.request.workload);
  WriteTraceFiles(out, r, CommandText());
  const auto traces = WriteTraces(o, r.cluster, r.graph, r.record, out.staging());
  out.Commit();
  fmt::print(
      "{}, {} nodes of {} ranks on {} ({} chips)   simulated in {}\n{}  time         {:<12} {}\n"
      "  written      {}/ summary.json nodes.csv ranks.csv links.csv run.yaml{}\n",
      r.graph.workload, r.graph.nodes.size(), r.graph.ranks, r.cluster.name,
      r.cluster.topology.chips, Engineering(r.simulate_seconds, "s"), NotesText(r.cluster),
      Engineering(ToSeconds(r.record.total), "s"), RankTimesText(r.record), out.path(),
      FilesText(traces));
}

void RunDivided(const RunOptions& o) {
  ParallelRequest request;
  request.system = o.system;
  request.overrides = ParseOverrides(o.set);
  request.workload = ResolveWorkload(o.workload);
  request.host = o.host;
  request.lock_clock = o.lock_clock;
  request.autotune = o.autotune;
  const std::int64_t chips = LoadCluster(o.system, request.overrides).topology.chips;
  request.plan = ParseParallelPlan(o.parallel.empty() ? "tp=1" : o.parallel, chips);
  OutputFolder out(o.out);
  const ParallelResult result = SimulateParallel(request);
  WriteParallelFiles(out, result, CommandText());
  const auto traces = WriteTraces(o, result.cluster, result.graph, result.record, out.staging());
  out.Commit();
  fmt::print("{}", ParallelText(result, out.path(), traces));
}

}  // namespace siliscope
