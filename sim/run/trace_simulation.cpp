// SPDX-License-Identifier: Apache-2.0
#include "sim/run/trace_simulation.h"

#include <algorithm>
#include <chrono>

#include "sim/contract/execution_trace.h"
#include "sim/core/error.h"
#include "sim/run/collective_phases.h"
#include "sim/run/csv.h"
#include "sim/run/exchange_matching.h"
#include "sim/run/execution_files.h"
#include "sim/run/simulation.h"

namespace siliscope {
namespace {

const ExecutionTraceReader* ReaderOf(const std::string& path) {
  for (const auto& [name, make] : ExecutionTraceReaderRegistry::Instance().entries()) {
    if (make()->Recognises(path)) return make();
  }
  return nullptr;
}

Roofline RooflineOf(const ClusterSpec& cluster) {
  const std::vector<std::string> chips = ListMachines();
  if (std::find(chips.begin(), chips.end(), cluster.chip) == chips.end()) {
    return {cluster.roofline_operations_per_s, cluster.roofline_bytes_per_s};
  }
  SimulationRequest request;
  request.system = cluster.chip;
  const MachineSpec machine = MachineOf(request);
  return {PeakOperations(machine, std::string(DataTypeName(machine.default_dtype))),
          machine.memory.PeakBytesPerSecond()};
}

}  // namespace

bool IsExecutionTrace(const std::string& path) { return ReaderOf(path) != nullptr; }

TraceResult SimulateTrace(const std::string& system, const std::vector<Override>& overrides,
                          const std::string& path) {
  const auto start = std::chrono::steady_clock::now();
  TraceResult result;
  result.cluster = LoadCluster(system, overrides);
  const ExecutionTraceReader* reader = ReaderOf(path);
  if (reader == nullptr)
    throw UserError(path + ": no execution trace; there is no " + path + ".0.et");
  result.graph = reader->Read(path, RooflineOf(result.cluster));
  if (!result.cluster.phases.dimensions.empty()) {
    DivideIntoPhases(result.cluster.phases, path, &result.graph);
  }
  MatchExchanges(result.cluster, path, &result.graph);
  const auto model =
      ClusterModelRegistry::Instance().Get("model of links", "network")(result.cluster);
  result.record = model->Run(result.graph, {});
  if (result.record.total == 0) throw UserError(path + ": no node of it takes any time");
  result.simulate_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

void WriteTraceFiles(const OutputFolder& out, const TraceResult& r, const std::string& command) {
  nlohmann::ordered_json json;
  json["workload"] = r.graph.workload;
  json["system"] = r.cluster.name;
  json["kind"] = "cluster";
  json["chip"] = r.cluster.chip;
  json["chips"] = r.graph.ranks;
  json["nodes"] = r.graph.nodes.size();
  json["time_us"] = ToMicroseconds(r.record.total);
  json.update(RankTimesJson(r.record));
  json["messages"] = r.record.messages;
  json["events"] = r.record.events;
  out.Write("summary.json", json.dump(2) + "\n");
  std::string csv = CsvLine({"rank", "name", "kind", "begin_us", "end_us", "bytes"});
  for (std::size_t n = 0; n < r.graph.nodes.size(); ++n) {
    const ExecutionNode& node = r.graph.nodes[n];
    const NodeTimes& t = r.record.nodes[n];
    csv += CsvLine({std::to_string(node.rank), node.name, KindNameOf(node),
                    NumberText(ToMicroseconds(t.begin)), NumberText(ToMicroseconds(t.end)),
                    std::to_string(node.bytes)});
  }
  out.Write("nodes.csv", csv);
  WriteRankFiles(out, r.cluster, r.graph, r.record, command);
}

}  // namespace siliscope
