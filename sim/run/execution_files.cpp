// SPDX-License-Identifier: Apache-2.0
#include "sim/run/execution_files.h"

#include "sim/run/cluster_files.h"
#include "sim/run/csv.h"

namespace siliscope {

RankUse SumOfRanks(const ExecutionRecord& record) {
  RankUse sum;
  for (const RankUse& use : record.ranks) {
    sum.compute += use.compute;
    sum.overlapped += use.overlapped;
    sum.exchange += use.exchange;
    sum.idle += use.idle;
  }
  return sum;
}

nlohmann::ordered_json RankTimesJson(const ExecutionRecord& record) {
  const RankUse sum = SumOfRanks(record);
  const auto ranks = static_cast<double>(record.ranks.size());
  nlohmann::ordered_json json;
  json["compute_us"] = ToMicroseconds(sum.compute) / ranks;
  json["overlapped_us"] = ToMicroseconds(sum.overlapped) / ranks;
  json["communication_us"] = ToMicroseconds(sum.exchange) / ranks;
  json["waiting_us"] = ToMicroseconds(sum.idle) / ranks;
  return json;
}

std::string RanksCsv(const ExecutionRecord& record, const ParallelPlan& plan,
                     const std::vector<MemoryUse>& memory) {
  std::string csv =
      CsvLine({"rank", "stage", "compute_us", "overlapped_us", "communication_us", "waiting_us",
               "weight_bytes", "cache_bytes", "activation_bytes", "workspace_bytes"});
  for (std::size_t r = 0; r < record.ranks.size(); ++r) {
    const RankUse& use = record.ranks[r];
    const std::size_t stage = r / static_cast<std::size_t>(plan.tensor * plan.experts);
    const MemoryUse m = stage < memory.size() ? memory[stage] : MemoryUse{};
    csv += CsvLine({std::to_string(r), std::to_string(memory.empty() ? 0 : stage),
                    NumberText(ToMicroseconds(use.compute)),
                    NumberText(ToMicroseconds(use.overlapped)),
                    NumberText(ToMicroseconds(use.exchange)), NumberText(ToMicroseconds(use.idle)),
                    std::to_string(m.weight_bytes), std::to_string(m.cache_bytes),
                    std::to_string(m.activation_bytes), std::to_string(m.workspace_bytes)});
  }
  return csv;
}

void WriteRankFiles(const OutputFolder& out, const ClusterSpec& cluster,
                    const ExecutionGraph& graph, const ExecutionRecord& record,
                    const std::string& command) {
  ParallelPlan plan;
  plan.tensor = graph.ranks;
  out.Write("ranks.csv", RanksCsv(record, plan, {}));
  out.Write("links.csv", LinksCsv(record.links, record.total));
  out.Write("run.yaml", ClusterRunYaml(cluster, graph.workload, command));
}

nlohmann::ordered_json ParallelSummaryJson(const ParallelResult& r) {
  nlohmann::ordered_json json;
  json["workload"] = r.workload;
  json["system"] = r.cluster.name;
  json["kind"] = "cluster";
  json["chip"] = r.cluster.chip;
  json["chips"] = r.plan.ranks();
  json["tensor_parallel"] = r.plan.tensor;
  json["sequence_parallel"] = r.plan.sequence;
  json["expert_parallel"] = r.plan.experts;
  json["pipeline_parallel"] = r.plan.stages;
  json["microbatches"] = r.plan.microbatches;
  json["batch"] = r.batch;
  json["dtype"] = r.dtype;
  const double us = ToMicroseconds(r.record.total);
  json["time_us"] = us;
  json.update(RankTimesJson(r.record));
  json["nominal_flops"] = r.nominal_flops;
  json["nominal_tops"] = r.nominal_flops / us / 1e6;
  json["peak_tops"] = r.peak_operations_per_s / 1e12;
  json["compute_util_pct"] = 100 * r.nominal_flops / (us * 1e-6) / r.peak_operations_per_s;
  const MemoryUse* most = &r.memory.front();
  for (const MemoryUse& m : r.memory) {
    if (m.total() > most->total()) most = &m;
  }
  json["weight_bytes_per_rank"] = most->weight_bytes;
  json["cache_bytes_per_rank"] = most->cache_bytes;
  json["activation_bytes_per_rank"] = most->activation_bytes;
  json["memory_bytes_per_rank"] = most->total();
  json["capacity_bytes_per_chip"] = r.capacity_bytes;
  json["messages"] = r.record.messages;
  json["events"] = r.record.events;
  return json;
}

void WriteParallelFiles(const OutputFolder& out, const ParallelResult& r,
                        const std::string& command) {
  out.Write("summary.json", ParallelSummaryJson(r).dump(2) + "\n");
  std::string csv =
      CsvLine({"stage", "name", "kind", "shape", "mapping", "time_us", "exchanged_bytes"});
  for (const ParallelOperator& op : r.operators) {
    csv += CsvLine({std::to_string(op.stage), op.name, op.kind, op.shape, op.mapping,
                    NumberText(op.time_us), std::to_string(op.exchanged_bytes)});
  }
  out.Write("operators.csv", csv);
  out.Write("ranks.csv", RanksCsv(r.record, r.plan, r.memory));
  out.Write("links.csv", LinksCsv(r.record.links, r.record.total));
  out.Write("run.yaml", ClusterRunYaml(r.cluster, r.workload, command));
}

}  // namespace siliscope
