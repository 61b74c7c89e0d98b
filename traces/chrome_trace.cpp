// SPDX-License-Identifier: Apache-2.0
// Chrome trace events (JSON), which Perfetto and chrome://tracing read: a track for operators, one
// for each unit, counter tracks for memory bandwidth and array use, flow arrows from producer to
// consumer. Every slice links ONNX node, operator, command and unit in its arguments.
//
// The format counts in microseconds. Timestamps are whole nanoseconds (begin and end are rounded,
// the duration is their difference), written with three decimals; or whole cycles, a cycle shown as
// a microsecond. So neighbours never overlap and slices nest.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "sim/contract/trace_writer.h"

namespace siliscope {
namespace {

constexpr int kOperatorProcess = 1;
constexpr int kUnitProcess = 2;
constexpr int kStreamProcess = 3;
constexpr int kCtaProcess = 4;
constexpr int kWarpProcess = 5;
constexpr int kPipeProcess = 6;
constexpr std::size_t kLanes = 64;  // of an SM, at most
constexpr std::size_t kCounterSamples = 400;

std::string JsonText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += ' ';
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

class ChromeTrace {
 public:
  ChromeTrace(const MachineSpec& machine, const Program& program, const Record& record,
              const TraceOptions& options, std::ostream& out)
      : program_(program), record_(record), options_(options), out_(out), clock_(machine.clock_hz) {
    for (const OperatorInfo& op : program.operators) names_.push_back(JsonText(op.name));
  }

  void Write(const MachineSpec& machine) {
    buffer_ = fmt::format(
        "{{\"otherData\":{{\"workload\":{},\"system\":{},\"time_unit\":\"{}\"}},"
        "\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n",
        JsonText(program_.workload), JsonText(machine.name),
        options_.time_in_cycles ? "cycle" : "ns");
    WriteTracks();
    WriteOperators();
    WriteCommands();
    WriteKernels();
    WriteCtas();
    WriteIssues();
    WriteCounters();
    buffer_ += "\n]}\n";
    Flush(0);
  }

 private:
  std::uint64_t Stamp(Tick t) const {
    return options_.time_in_cycles ? clock_.CyclesIn(t) : (t + 500) / 1000;
  }

  /// A number of nanoseconds or cycles, as the format writes it.
  std::string Written(std::uint64_t stamp) const {
    return options_.time_in_cycles ? std::to_string(stamp)
                                   : fmt::format("{}.{:03}", stamp / 1000, stamp % 1000);
  }
  /// Slices are cut at the edges of the window.
  Tick Clipped(Tick t) const { return std::clamp(t, options_.window_begin, options_.window_end); }
  std::string At(Tick t) const { return Written(Stamp(Clipped(t))); }
  std::string Length(Tick begin, Tick end) const {
    return Written(Stamp(Clipped(end)) - Stamp(Clipped(begin)));
  }

  bool Shown(const std::string& unit) const {
    if (options_.units.empty()) return true;
    return std::any_of(
        options_.units.begin(), options_.units.end(),
        [&](const std::string& prefix) { return unit.compare(0, prefix.size(), prefix) == 0; });
  }
  bool InWindow(Tick begin, Tick end) const {
    return end > options_.window_begin && begin < options_.window_end;
  }

  void Flush(std::size_t limit) {
    if (buffer_.size() < limit) return;
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }
  void Next() {
    Flush(1 << 16);
    if (!first_) buffer_ += ",\n";
    first_ = false;
  }

  void Name(const char* what, int process, std::size_t thread, const std::string& name) {
    Next();
    fmt::format_to(
        std::back_inserter(buffer_),
        "{{\"ph\":\"M\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":{}}}}}", what,
        process, thread, JsonText(name));
  }

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
      Next();
      fmt::format_to(std::back_inserter(buffer_),
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
      Next();
      fmt::format_to(
          std::back_inserter(buffer_),
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"compute\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{},\"args\":{{\"operator\":{}}}}}",
          names_[span.op], kUnitProcess, span.unit, At(span.begin), Length(span.begin, end),
          span.op);
      return;
    }
    const NpuCommand& c = program_.npu.commands[span.command];
    const bool zoomed =
        !record_.command_zoomed.empty() && record_.command_zoomed[span.command] != 0;
    Next();
    fmt::format_to(std::back_inserter(buffer_),
                   "{{\"ph\":\"X\",\"name\":{},\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},"
                   "\"dur\":{},\"args\":{{\"operator\":{},\"command\":{},\"bytes\":{},\"rows\":{},"
                   "\"depth\":{},\"width\":{}{}}}}}",
                   names_[span.op], CommandName(c.opcode), kUnitProcess, span.unit, At(span.begin),
                   Length(span.begin, end), span.op, span.command, c.bytes, c.rows, c.depth,
                   c.width, zoomed ? ",\"zoom\":\"cycle\"" : "");
  }

  void WriteWait(const Span& span) {
    Next();
    fmt::format_to(
        std::back_inserter(buffer_),
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

  /// A track a stream: what waits to be launched, and what runs.
  void WriteKernels() {
    if (record_.kernels.empty()) return;
    Name("process_name", kStreamProcess, 0, "kernels");
    std::map<std::uint32_t, bool> named;
    for (const KernelRecord& k : record_.kernels) {
      const GpuLaunch& launch = program_.gpu.launches[k.launch];
      const GpuKernel& kernel = program_.gpu.kernels[launch.kernel];
      if (!named[launch.stream]) {
        Name("thread_name", kStreamProcess, launch.stream, fmt::format("stream {}", launch.stream));
        named[launch.stream] = true;
      }
      if (!InWindow(k.start, k.end)) continue;
      Next();
      fmt::format_to(
          std::back_inserter(buffer_),
          "{{\"ph\":\"X\",\"name\":{},\"cat\":\"kernel\",\"pid\":{},\"tid\":{},\"ts\":{},"
          "\"dur\":{},\"args\":{{\"operator\":{},\"launch\":{},\"tile\":{},\"ctas\":{},"
          "\"waves\":{:.4g},\"occupancy_pct\":{:.4g},\"limiter\":{}}}}}",
          JsonText(kernel.name), kStreamProcess, launch.stream, At(k.start), Length(k.start, k.end),
          launch.op, k.launch, JsonText(kernel.tile), k.ctas, k.waves, k.occupancy_pct,
          JsonText(k.limiter));
    }
  }

  /// A track for each CTA that an SM holds at a time.
  void WriteCtas() {
    if (record_.ctas.empty()) return;
    Name("process_name", kCtaProcess, 0, "CTAs");
    std::map<std::size_t, bool> named;
    for (const CtaRecord& cta : record_.ctas) {
      const std::string& sm = record_.units[cta.sm].name;
      if (!Shown(sm) || !InWindow(cta.begin, cta.end)) continue;
      const std::size_t thread = cta.sm * kLanes + cta.lane;
      if (!named[thread]) {
        Name("thread_name", kCtaProcess, thread, fmt::format("{} CTA {}", sm, cta.lane));
        named[thread] = true;
      }
      const GpuLaunch& launch = program_.gpu.launches[cta.launch];
      Next();
      fmt::format_to(
          std::back_inserter(buffer_),
          "{{\"ph\":\"X\",\"name\":\"{},{}\",\"cat\":\"cta\",\"pid\":{},\"tid\":{},"
          "\"ts\":{},\"dur\":{},\"args\":{{\"operator\":{},\"launch\":{},\"kernel\":{}}}}}",
          cta.row, cta.column, kCtaProcess, thread, At(cta.begin), Length(cta.begin, cta.end),
          launch.op, cta.launch, JsonText(program_.gpu.kernels[launch.kernel].name));
    }
  }

  /// Instructions at cycle zoom: on the track of their warp, and on that of their pipe.
  void WriteIssues() {
    std::map<std::uint32_t, bool> warps, pipes;
    for (const IssueRecord& i : record_.issues) {
      const std::string& sm = record_.units[i.sm].name;
      if (!Shown(sm) || !InWindow(i.begin, i.pipe_free)) continue;
      if (warps.empty()) {
        Name("process_name", kWarpProcess, 0, sm + " warps");
        Name("process_name", kPipeProcess, 0, sm + " pipes");
      }
      const std::uint32_t pipe = i.subcore * 16 + i.pipe_number;
      if (!warps[i.warp]) {
        Name("thread_name", kWarpProcess, i.warp, fmt::format("warp {}", i.warp));
        warps[i.warp] = true;
      }
      if (!pipes[pipe]) {
        Name("thread_name", kPipeProcess, pipe, fmt::format("sub-core {} {}", i.subcore, i.pipe));
        pipes[pipe] = true;
      }
      WriteIssue(i, kWarpProcess, i.warp, i.issued);
      WriteIssue(i, kPipeProcess, pipe, i.pipe_free);
    }
  }

  void WriteIssue(const IssueRecord& i, int process, std::uint32_t thread, Tick end) {
    Next();
    fmt::format_to(std::back_inserter(buffer_),
                   "{{\"ph\":\"X\",\"name\":\"{}\",\"cat\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},"
                   "\"dur\":{},\"args\":{{\"warp\":{},\"launch\":{}}}}}",
                   WarpOpcodeName(i.op), i.pipe, process, thread, At(i.begin), Length(i.begin, end),
                   i.warp, i.launch);
  }

  bool CommandShown(std::uint32_t command) const {
    const CommandTimes& t = record_.commands[command];
    return Shown(record_.units[record_.command_unit[command]].name) && InWindow(t.start, t.end);
  }

  void WriteFlow(const char* phase, int id, std::uint32_t command, Tick at) {
    const std::uint32_t unit = record_.command_unit[command];
    Next();
    fmt::format_to(std::back_inserter(buffer_),
                   "{{\"ph\":\"{}\",\"name\":\"result\",\"cat\":\"flow\",\"id\":{},\"pid\":{},"
                   "\"tid\":{},\"ts\":{}{}}}",
                   phase, id, kUnitProcess, unit, At(at), *phase == 'f' ? ",\"bp\":\"e\"" : "");
  }

  void WriteCounters() {
    if (program_.npu.commands.empty()) return;
    const Tick begin = options_.window_begin, end = std::min(options_.window_end, record_.total);
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
    Next();
    fmt::format_to(
        std::back_inserter(buffer_),
        "{{\"ph\":\"C\",\"name\":\"{}\",\"pid\":{},\"ts\":{},\"args\":{{\"value\":{:.4g}}}}}", name,
        kUnitProcess, At(at), value);
  }

  const Program& program_;
  const Record& record_;
  const TraceOptions& options_;
  std::ostream& out_;
  Clock clock_;
  std::vector<std::string> names_;
  std::string buffer_;
  bool first_ = true;
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
