// SPDX-License-Identifier: Apache-2.0
// A track for operators, one for each unit, those of a GPU, counter tracks for memory bandwidth and
// array use, flow arrows from producer to consumer. Every slice links ONNX node, operator, command
// and unit in its arguments.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "sim/contract/trace_writer.h"
#include "traces/chrome_cpu_tracks.h"
#include "traces/chrome_events.h"
#include "traces/chrome_gpu_tracks.h"

namespace siliscope {
namespace {

constexpr int kOperatorProcess = 1;
constexpr int kUnitProcess = 2;
constexpr std::size_t kCounterSamples = 400;

class ChromeTrace : private ChromeEvents {
 public:
  ChromeTrace(const MachineSpec& machine, const Program& program, const Record& record,
              const TraceOptions& options, std::ostream& out)
      : ChromeEvents(Clock(machine.clock_hz), options, out), program_(program), record_(record) {
    for (const OperatorInfo& op : program.operators) names_.push_back(JsonText(op.name));
  }

  void Write(const MachineSpec& machine) {
    Begin(fmt::format("\"workload\":{},\"system\":{},\"time_unit\":\"{}\"",
                      JsonText(program_.workload), JsonText(machine.name),
                      options().time_in_cycles ? "cycle" : "ns"));
    WriteTracks();
    WriteOperators();
    WriteCommands();
    WriteGpuTracks(*this, program_, record_);
    WriteCpuTracks(*this, record_);
    WriteCounters();
    End();
  }

 private:
  void WriteTracks() {
    Name("process_name", kOperatorProcess, 0, "operators");
    Name("thread_name", kOperatorProcess, 0, program_.workload);
    Name("process_name", kUnitProcess, 0, "units");
    for (std::size_t u = 0; u < record_.units.size(); ++u) {
      if (record_.units[u].commands > 0 && Shown(record_.units[u].name)) {
        Name("thread_name", kUnitProcess, u, record_.units[u].name);
      }
    }
  }

  /// One slice an operator. Operators overlap, so each ends where the next begins to work on the
  /// arrays: the slices stand for whose turn it was.
  void WriteOperators() {
    Tick at = 0;
    for (std::size_t i = 0; i < program_.operators.size(); ++i) {
      const OperatorRecord& r = record_.operators[i];
      const Tick begin = at, end = at + r.exclusive;
      at = end;
      if (!InWindow(begin, end)) continue;
      const OperatorInfo& op = program_.operators[i];
      std::string nodes;
      for (const std::string& node : op.source_nodes)
        nodes += (nodes.empty() ? "" : ",") + JsonText(node);
      Event(
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"{}\",\"pid\":{},\"tid\":0,\"ts\":{},"
          "\"dur\":{},\"args\":{{\"operator\":{},\"onnx_nodes\":[{}],\"shape\":{},"
          "\"mapping\":{}}}}}",
          names_[i], op.kind, kOperatorProcess, At(begin), Length(begin, end), i, nodes,
          JsonText(op.shape), JsonText(op.mapping));
    }
  }

  static const char* CommandName(NpuOpcode opcode) {
    static const char* const kNames[] = {"launch", "load",   "store",      "push",
                                         "matmul", "vector", "synchronise"};
    return kNames[static_cast<std::size_t>(opcode)];
  }

  /// What a unit did, from its spans: they do not overlap. Parts of one command are joined.
  void WriteCommands() {
    std::map<std::uint32_t, std::uint32_t> first_of_operator;
    for (std::size_t i = 0; i < record_.spans.size();) {
      const Span& span = record_.spans[i];
      std::size_t last = i;
      while (last + 1 < record_.spans.size() && record_.spans[last + 1].busy && span.busy &&
             record_.spans[last + 1].command == span.command &&
             record_.spans[last + 1].unit == span.unit) {
        ++last;
      }
      const Tick end = record_.spans[last].end;
      i = last + 1;
      const bool shown = Shown(record_.units[span.unit].name) && InWindow(span.begin, end);
      if (!shown || span.op == kNone) continue;
      if (span.busy) {
        WriteCommand(span, end);
      } else {
        WriteWait(span);
      }
    }
    WriteFlows();
  }

  void WriteCommand(const Span& span, Tick end) {
    if (span.command == kNone) {  // an SM at work on CTAs of a kernel
      Event(
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"compute\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{},\"args\":{{\"operator\":{}}}}}",
          names_[span.op], kUnitProcess, span.unit, At(span.begin), Length(span.begin, end),
          span.op);
      return;
    }
    const NpuCommand& c = program_.npu.commands[span.command];
    const bool zoomed =
        !record_.command_zoomed.empty() && record_.command_zoomed[span.command] != 0;
    Event(
        "{{\"ph\":\"X\",\"name\":{},\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},"
        "\"dur\":{},\"args\":{{\"operator\":{},\"command\":{},\"bytes\":{},\"rows\":{},"
        "\"depth\":{},\"width\":{}{}}}}}",
        names_[span.op], CommandName(c.opcode), kUnitProcess, span.unit, At(span.begin),
        Length(span.begin, end), span.op, span.command, c.bytes, c.rows, c.depth, c.width,
        zoomed ? ",\"zoom\":\"cycle\"" : "");
  }

  void WriteWait(const Span& span) {
    Event(
        "{{\"ph\":\"X\",\"name\":\"waits: {}\",\"cat\":\"wait\",\"cname\":\"grey\","
        "\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{},\"args\":{{\"operator\":{},\"command\":{}}}}}",
        CauseName(span.cause), kUnitProcess, span.unit, At(span.begin),
        Length(span.begin, span.end), span.op, span.command);
  }

  /// An arrow from the last command of a producer to the first of its consumer.
  void WriteFlows() {
    const auto& commands = program_.npu.commands;
    std::vector<std::uint32_t> first(program_.operators.size(), kNone), last(first);
    for (std::uint32_t i = 0; i < commands.size(); ++i) {
      const std::uint32_t op = commands[i].op;
      const bool compute =
          commands[i].opcode == NpuOpcode::kMatmul || commands[i].opcode == NpuOpcode::kVector;
      if (!compute) continue;
      if (first[op] == kNone || record_.commands[i].start < record_.commands[first[op]].start) {
        first[op] = i;
      }
      if (last[op] == kNone || record_.commands[i].end > record_.commands[last[op]].end)
        last[op] = i;
    }
    int id = 0;
    for (std::uint32_t op = 0; op < program_.operators.size(); ++op) {
      for (const std::uint32_t producer : program_.operators[op].producers) {
        if (last[producer] == kNone || first[op] == kNone) continue;
        if (!CommandShown(last[producer]) || !CommandShown(first[op])) continue;
        // An arrow goes forward in time: a consumer may begin with the first part of a result.
        if (record_.commands[last[producer]].start > record_.commands[first[op]].start) continue;
        WriteFlow("s", ++id, last[producer], record_.commands[last[producer]].start);
        WriteFlow("f", id, first[op], record_.commands[first[op]].start);
      }
    }
  }

  bool CommandShown(std::uint32_t command) const {
    const CommandTimes& t = record_.commands[command];
    return Shown(record_.units[record_.command_unit[command]].name) && InWindow(t.start, t.end);
  }

  void WriteFlow(const char* phase, int id, std::uint32_t command, Tick at) {
    const std::uint32_t unit = record_.command_unit[command];
    Event(
        "{{\"ph\":\"{}\",\"name\":\"result\",\"cat\":\"flow\",\"id\":{},\"pid\":{},"
        "\"tid\":{},\"ts\":{}{}}}",
        phase, id, kUnitProcess, unit, At(at), *phase == 'f' ? ",\"bp\":\"e\"" : "");
  }

  void WriteCounters() {
    if (program_.npu.commands.empty()) return;
    const Tick begin = options().window_begin, end = std::min(options().window_end, record_.total);
    if (end <= begin) return;
    const Tick length = std::max<Tick>(1, (end - begin) / kCounterSamples);
    const std::size_t count = static_cast<std::size_t>((end - begin) / length) + 1;
    std::vector<double> bytes(count, 0), busy(count, 0);
    const auto spread = [&](std::vector<double>* bins, Tick from, Tick to, double amount) {
      if (to <= from || to <= begin || from >= end) return;
      const double per_tick = amount / static_cast<double>(to - from);
      for (Tick at = std::max(from, begin); at < std::min(to, end);) {
        const auto bin = static_cast<std::size_t>((at - begin) / length);
        const Tick next = std::min({to, end, begin + (bin + 1) * length});
        (*bins)[bin] += per_tick * static_cast<double>(next - at);
        at = next;
      }
    };
    // Copies of a core and direction move one after another, the oldest first.
    std::map<std::pair<int, int>, Tick> moved_until;
    for (std::size_t i = 0; i < program_.npu.commands.size(); ++i) {
      const NpuCommand& c = program_.npu.commands[i];
      const CommandTimes& t = record_.commands[i];
      const bool copy = c.opcode == NpuOpcode::kLoad || c.opcode == NpuOpcode::kStore;
      if (copy && c.space == MemorySpace::kDram) {
        Tick& until = moved_until[{c.core, static_cast<int>(c.opcode)}];
        const Tick from = std::min(std::max(t.start, until), t.end - 1);
        spread(&bytes, from, t.end, static_cast<double>(c.bytes));
        until = std::max(until, t.end);
      } else if (c.opcode == NpuOpcode::kMatmul) {
        spread(&busy, t.start, t.first, static_cast<double>(t.first - t.start));
      }
    }
    const double arrays = std::max(1.0, static_cast<double>(record_.critical_kind_units));
    for (std::size_t i = 0; i < count; ++i) {
      const Tick at = begin + i * length;
      Counter("dram GB/s", at, bytes[i] / static_cast<double>(length) * 1e3);
      Counter("arrays streaming %", at, 100 * busy[i] / static_cast<double>(length) / arrays);
    }
  }

  void Counter(const char* name, Tick at, double value) {
    Event("{{\"ph\":\"C\",\"name\":\"{}\",\"pid\":{},\"ts\":{},\"args\":{{\"value\":{:.4g}}}}}",
          name, kUnitProcess, At(at), value);
  }

  const Program& program_;
  const Record& record_;
  std::vector<std::string> names_;
};

class ChromeTraceWriter : public TraceWriter {
 public:
  void Write(const MachineSpec& machine, const Program& program, const Record& record,
             const TraceOptions& options, std::ostream& out) const override {
    ChromeTrace(machine, program, record, options, out).Write(machine);
  }
};

const bool kRegistered = TraceWriterRegistry::Instance().Add("chrome", []() -> const TraceWriter* {
  static const ChromeTraceWriter writer;
  return &writer;
});

}  // namespace
}  // namespace siliscope
