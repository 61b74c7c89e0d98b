// SPDX-License-Identifier: Apache-2.0
#include "sim/run/cluster_files.h"

#include <algorithm>

#include "sim/run/csv.h"

namespace siliscope {
namespace {

std::string Microseconds(Tick t) { return NumberText(ToMicroseconds(t)); }

}  // namespace

std::string LinksCsv(const std::vector<LinkUse>& links, Tick total) {
  std::string text = CsvLine({"link", "peak_gb_per_s", "data_bytes", "wire_bytes", "opposite_bytes",
                              "busy_us", "busy_pct", "data_gb_per_s", "alike", "acknowledge_bytes",
                              "replayed_bytes", "credit_wait_us"});
  const double seconds = ToSeconds(total);
  for (const LinkUse& link : links) {
    if (link.wire_bytes + link.response_bytes == 0) continue;
    text += CsvLine({link.name, NumberText(link.peak_bytes_per_s / 1e9),
                     std::to_string(link.data_bytes), std::to_string(link.wire_bytes),
                     std::to_string(link.response_bytes), Microseconds(link.busy),
                     NumberText(100 * ToSeconds(link.busy) / seconds),
                     NumberText(static_cast<double>(link.data_bytes) / seconds / 1e9),
                     std::to_string(link.alike), std::to_string(link.acknowledge_bytes),
                     std::to_string(link.replayed_bytes), Microseconds(link.credit_wait)});
  }
  return text;
}

std::string LanesCsv(const ClusterResult& result) {
  std::vector<std::string> columns = {"rank", "channel", "role", "protocol", "pieces"};
  for (const char* state : kLaneStateNames) columns.push_back(std::string(state) + "_us");
  std::string text = CsvLine(columns);
  for (std::size_t i = 0; i < result.program.lanes.size(); ++i) {
    const Lane& lane = result.program.lanes[i];
    const LaneUse& use = result.record.lanes[i];
    const bool sends = lane.to != kNoLane, receives = lane.from != kNoLane;
    std::vector<std::string> row = {
        std::to_string(lane.rank), std::to_string(lane.cta),
        sends && receives ? "both" : (sends ? "send" : "receive"),
        result.program.protocols[static_cast<std::size_t>(lane.protocol)].name,
        std::to_string(use.pieces)};
    for (const Tick t : use.times) row.push_back(Microseconds(t));
    text += CsvLine(row);
  }
  return text;
}

nlohmann::ordered_json ClusterSummaryJson(const ClusterResult& result) {
  const LinkProgram& p = result.program;
  nlohmann::ordered_json json;
  json["workload"] = p.operation;
  json["system"] = result.cluster.name;
  json["kind"] = "cluster";
  json["chip"] = result.cluster.chip;
  json["chips"] = result.cluster.topology.chips;
  json["library"] = result.cluster.library.name;
  json["bytes"] = p.bytes;
  json["ranks"] = p.ranks;
  json["algorithm"] = p.algorithm;
  json["protocol"] = p.protocol_name;
  json["channels"] = p.channels;
  json["time_us"] = ToMicroseconds(result.record.total);
  if (p.first_lanes.size() > 1) json["ends_us"] = EndsMicroseconds(result);
  json["algbw_gb_per_s"] = AlgorithmBytesPerSecond(result) / 1e9;
  json["busbw_gb_per_s"] = BusBytesPerSecond(result) / 1e9;
  json["roofline_us"] = CollectiveRooflineMicroseconds(result);
  json["wire_bytes_per_rank"] = p.wire_bytes_per_rank;
  Tick all = 0;
  std::array<Tick, kLaneStates> sums{};
  for (const LaneUse& lane : result.record.lanes) {
    for (std::size_t s = 0; s < kLaneStates; ++s) sums[s] += lane.times[s], all += lane.times[s];
  }
  for (std::size_t s = 0; s < kLaneStates; ++s) {
    json["lane_time_pct"][kLaneStateNames[s]] =
        all > 0 ? 100 * static_cast<double>(sums[s]) / static_cast<double>(all) : 0;
  }
  json["messages"] = result.record.messages;
  json["events"] = result.record.events;
  return json;
}

void WriteClusterFiles(const OutputFolder& out, const ClusterResult& result,
                       const std::string& command) {
  out.Write("summary.json", ClusterSummaryJson(result).dump(2) + "\n");
  out.Write("links.csv", LinksCsv(result.record.links, result.record.total));
  out.Write("lanes.csv", LanesCsv(result));
  out.Write("run.yaml", ClusterRunYaml(result.cluster, result.program.operation, command));
}

std::string ClusterRunYaml(const ClusterSpec& cluster, const std::string& workload,
                           const std::string& command) {
  std::string quoted;
  for (const char c : command) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  std::string system = "  ";
  for (const char c : cluster.resolved_yaml) {
    system += c;
    if (c == '\n') system += "  ";
  }
  while (!system.empty() && system.back() == ' ') system.pop_back();
  return "siliscope: " SILISCOPE_VERSION "\ncommand: \"" + quoted + "\"\nworkload: \"" + workload +
         "\"\nsystem:\n" + system;
}

}  // namespace siliscope
