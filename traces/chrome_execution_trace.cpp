// SPDX-License-Identifier: Apache-2.0
// A process for each rank, a track for each of its streams: what it computes, what it exchanges.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "sim/contract/execution_trace.h"
#include "sim/core/error.h"
#include "traces/chrome_events.h"

namespace siliscope {
namespace {

class ChromeExecutionTrace : private ChromeEvents {
 public:
  ChromeExecutionTrace(const ExecutionGraph& graph, const ExecutionRecord& record, Clock clock,
                       const TraceOptions& options, std::ostream& out)
      : ChromeEvents(clock, options, out), graph_(graph), record_(record) {}

  void Write(const ClusterSpec& cluster) {
    Begin(fmt::format("\"workload\":{},\"system\":{},\"time_unit\":\"{}\"",
                      JsonText(graph_.workload), JsonText(cluster.name),
                      options().time_in_cycles ? "cycle" : "ns"));
    WriteTracks();
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      const ExecutionNode& node = graph_.nodes[n];
      const NodeTimes& t = record_.nodes[n];
      if (!Shown(RankName(node.rank)) || t.begin == t.end || !InWindow(t.begin, t.end)) continue;
      Event(
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},"
          "\"args\":{{\"bytes\":{}}}}}",
          JsonText(node.name), KindNameOf(node), node.rank, node.stream, At(t.begin),
          Length(t.begin, t.end), node.bytes);
    }
    End();
  }

 private:
  static std::string RankName(std::int32_t rank) { return fmt::format("rank{}", rank); }

  void WriteTracks() {
    std::map<std::pair<std::int32_t, std::int32_t>, std::string> tracks;
    for (const ExecutionNode& node : graph_.nodes) {
      std::string& name = tracks[{node.rank, node.stream}];
      if (name.empty() || name == "compute") name = KindNameOf(node);
    }
    std::int32_t rank = -1;
    for (const auto& [at, name] : tracks) {
      if (!Shown(RankName(at.first))) continue;
      if (at.first != rank) Name("process_name", at.first, 0, fmt::format("rank {}", at.first));
      rank = at.first;
      Name("thread_name", at.first, static_cast<std::size_t>(at.second), name);
    }
  }

  const ExecutionGraph& graph_;
  const ExecutionRecord& record_;
};

class Writer : public ExecutionTraceWriter {
 public:
  std::vector<std::string> Write(const ClusterSpec& cluster, const ExecutionGraph& graph,
                                 const ExecutionRecord& record, const TraceOptions& options,
                                 const std::string& folder) const override {
    std::ofstream file(folder + "/trace.json", std::ios::binary);
    ChromeExecutionTrace(graph, record, Clock(cluster.chip_clock_hz), options, file).Write(cluster);
    if (!file.flush()) throw WriteError(folder + "/trace.json: can't be written");
    return {"trace.json"};
  }
};

const bool kRegistered =
    ExecutionTraceWriterRegistry::Instance().Add("chrome", []() -> const ExecutionTraceWriter* {
      static const Writer writer;
      return &writer;
    });

}  // namespace
}  // namespace siliscope
