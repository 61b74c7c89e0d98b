// SPDX-License-Identifier: Apache-2.0
// A track for each direction of a link, and one for each lane: what a CTA's threads do or wait for.
#include <fmt/format.h>

#include "sim/contract/cluster_trace_writer.h"
#include "traces/chrome_events.h"

namespace siliscope {
namespace {

constexpr int kLinkProcess = 1, kFirstRankProcess = 10;

class ChromeClusterTrace : private ChromeEvents {
 public:
  ChromeClusterTrace(const ClusterSpec& cluster, const LinkProgram& program,
                     const ClusterRecord& record, const TraceOptions& options, std::ostream& out)
      : ChromeEvents(Clock(cluster.chip_clock_hz), options, out),
        program_(program),
        record_(record) {}

  void Write(const ClusterSpec& cluster) {
    Begin(fmt::format("\"workload\":{},\"system\":{},\"time_unit\":\"{}\"",
                      JsonText(program_.operation), JsonText(cluster.name),
                      options().time_in_cycles ? "cycle" : "ns"));
    WriteTracks();
    for (const LinkSpan& span : record_.link_spans) {
      if (!Shown(record_.links[span.link].name) || !InWindow(span.begin, span.end)) continue;
      const Lane& lane = program_.lanes[span.lane];
      Event(
          "{{\"ph\":\"X\",\"name\":\"channel {}\",\"cat\":\"link\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{},\"args\":{{\"from_rank\":{}}}}}",
          lane.cta, kLinkProcess, span.link, At(span.begin), Length(span.begin, span.end),
          lane.rank);
    }
    for (const LaneSpan& span : record_.lane_spans) {
      const std::string name = LaneName(span.lane);
      if (!Shown(name) || !InWindow(span.begin, span.end)) continue;
      Event(
          "{{\"ph\":\"X\",\"name\":\"{}\",\"cat\":\"lane\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{}}}",
          kLaneStateNames[static_cast<std::size_t>(span.state)],
          kFirstRankProcess + program_.lanes[span.lane].rank, span.lane, At(span.begin),
          Length(span.begin, span.end));
    }
    End();
  }

 private:
  std::string LaneName(std::size_t lane) const {
    const Lane& l = program_.lanes[lane];
    return fmt::format("rank{}.channel{}{}", l.rank, l.cta, l.to == kNoLane ? ".drain" : "");
  }

  void WriteTracks() {
    Name("process_name", kLinkProcess, 0, "links");
    for (std::size_t i = 0; i < record_.links.size(); ++i) {
      if (record_.links[i].wire_bytes > 0 && Shown(record_.links[i].name)) {
        Name("thread_name", kLinkProcess, i, record_.links[i].name);
      }
    }
    for (std::int64_t r = 0; r < program_.ranks; ++r) {
      Name("process_name", kFirstRankProcess + static_cast<int>(r), 0, fmt::format("rank {}", r));
    }
    for (std::size_t i = 0; i < program_.lanes.size(); ++i) {
      if (!Shown(LaneName(i))) continue;
      Name("thread_name", kFirstRankProcess + program_.lanes[i].rank, i, LaneName(i));
    }
  }

  const LinkProgram& program_;
  const ClusterRecord& record_;
};

class Writer : public ClusterTraceWriter {
 public:
  void Write(const ClusterSpec& cluster, const LinkProgram& program, const ClusterRecord& record,
             const TraceOptions& options, std::ostream& out) const override {
    ChromeClusterTrace(cluster, program, record, options, out).Write(cluster);
  }
};

const bool kRegistered =
    ClusterTraceWriterRegistry::Instance().Add("chrome", []() -> const ClusterTraceWriter* {
      static const Writer writer;
      return &writer;
    });

}  // namespace
}  // namespace siliscope
