// SPDX-License-Identifier: Apache-2.0
#include "models/npu/attribution.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace siliscope {
namespace {

class Attribution {
 public:
  Attribution(const Program& program, const CommandStates& states, const NpuSpec& spec,
              bool keep_spans, Record* record)
      : program_(program), states_(states), spec_(spec), keep_spans_(keep_spans), record_(record) {
    // Copies of one core, memory and direction go one after another.
    std::map<std::tuple<int, int, int>, std::uint32_t> latest;
    previous_copy_.assign(program.npu.commands.size(), kNone);
    for (std::uint32_t i = 0; i < program.npu.commands.size(); ++i) {
      const NpuCommand& c = program.npu.commands[i];
      if (!IsCopy(c)) continue;
      const auto lane =
          std::tuple(int{c.core}, static_cast<int>(c.space), static_cast<int>(c.opcode));
      const auto [at, first] = latest.try_emplace(lane, i);
      if (!first) previous_copy_[i] = at->second;
      at->second = i;
    }
  }

  void Run(const UnitSchedule& schedule, std::uint32_t last_command) {
    unit_ = schedule.unit;
    matrix_ = schedule.matrix;
    Tick at = 0;
    for (const std::uint32_t command : schedule.commands) {
      const CommandTimes& t = states_.times[command];
      if (t.start > at) Explain(command, at, t.start, false);
      const Tick busy_end = BusyEnd(command);
      if (busy_end > std::max(at, t.start)) Busy(command, std::max(at, t.start), busy_end);
      at = std::max(at, busy_end);
    }
    if (at < record_->total) {
      if (matrix_ && last_command != kNone) {
        Explain(last_command, at, record_->total, true);
      } else {
        Charge(kNone, kNone, Cause::kIdle, at, record_->total, false);
      }
    }
  }

 private:
  const NpuCommand& Command(std::uint32_t i) const { return program_.npu.commands[i]; }

  /// When the unit itself is free again; a matmul's results may still be on their way out.
  Tick BusyEnd(std::uint32_t command) const {
    const NpuOpcode opcode = Command(command).opcode;
    const CommandTimes& t = states_.times[command];
    const bool pipelined = opcode == NpuOpcode::kMatmul || opcode == NpuOpcode::kVector;
    return pipelined ? t.first : t.end;
  }

  void Charge(std::uint32_t op, std::uint32_t command, Cause cause, Tick begin, Tick end,
              bool busy) {
    if (end <= begin) return;
    record_->units[unit_].times[static_cast<std::size_t>(cause)] += end - begin;
    if (matrix_ && op != kNone) {
      record_->operators[op].times[static_cast<std::size_t>(cause)] += end - begin;
    }
    if (keep_spans_) record_->spans.push_back({begin, end, unit_, op, command, cause, busy});
  }

  void Busy(std::uint32_t index, Tick begin, Tick end) {
    const NpuCommand& command = Command(index);
    if (command.opcode != NpuOpcode::kMatmul) {
      const Cause cause = command.opcode == NpuOpcode::kPush ? Cause::kFillDrain : Cause::kCompute;
      Charge(command.op, index, cause, begin, end, true);
      return;
    }
    // Work at the edge of a tile leaves processing elements without any; slow ports stretch it.
    const double used = static_cast<double>(command.depth) * static_cast<double>(command.width) *
                        static_cast<double>(command.useful) /
                        static_cast<double>(spec_.array.rows * spec_.array.columns);
    const double ideal_cycles = static_cast<double>(command.rows) / command.rate;
    const double span = static_cast<double>(end - begin);
    const double stream = std::min(span, ideal_cycles * 1e12 / record_->clock_hz);
    const Tick padded = std::min<Tick>(
        end - begin,
        static_cast<Tick>(static_cast<double>(SystolicTiming::StreamCycles(
                              spec_.array, command.rows, static_cast<double>(command.rate))) *
                              1e12 / record_->clock_hz +
                          0.5));
    const Tick compute = static_cast<Tick>(stream * used + 0.5);
    Tick at = begin;
    Charge(command.op, index, Cause::kCompute, at, at + compute, true);
    at += compute;
    Charge(command.op, index, Cause::kQuantisation, at, std::max(at, begin + padded), true);
    at = std::max(at, begin + padded);
    Charge(command.op, index, Cause::kOperand, at, end, true);
  }

  /// Explains [begin, end), at whose end `index` started (or, if `running`, which it spent
  /// running).
  void Explain(std::uint32_t index, Tick begin, Tick end, bool running) {
    while (begin < end) {
      if (running) {
        const Tick from = std::clamp(states_.times[index].start, begin, end);
        ChargeRunning(index, from, end);
        end = from;
        running = false;
        continue;
      }
      if (Command(index).opcode == NpuOpcode::kMatmul) end = ExplainPush(index, begin, end);
      const std::uint32_t blocker = states_.blocker[index];
      const Tick ready = blocker == kNone ? 0 : states_.times[blocker].end;
      const Tick from = std::clamp(ready, begin, std::max(begin, end));
      if (from < end) {
        const NpuCommand& command = Command(index);
        const Tick issued = std::clamp(states_.times[index].ready, from, end);
        ChargeLateIssue(index, from, issued);
        if (IsCopy(command)) {
          ChargeCopies(previous_copy_[index], index, issued, end);
        } else {
          Charge(command.op, index, Seen(WaitCause(command)), issued, end, false);
        }
      }
      end = std::min(end, from);
      if (blocker == kNone) return;
      index = blocker;
      running = true;
    }
  }

  /// The part of a matmul's wait after its data was there, which its stationary operand caused.
  /// Returns where that part begins.
  Tick ExplainPush(std::uint32_t index, Tick begin, Tick end) {
    const std::uint32_t data = states_.blocker[index];
    const Tick data_ready = data == kNone ? begin : std::clamp(states_.times[data].end, begin, end);
    for (std::uint32_t d = program_.npu.dependency_begin[index];
         d < program_.npu.dependency_begin[index + 1]; ++d) {
      const std::uint32_t push = program_.npu.dependencies[d];
      if (Command(push).opcode != NpuOpcode::kPush) continue;
      const Tick pushed = std::clamp(states_.times[push].end, data_ready, end);
      Charge(Command(index).op, index, Cause::kFillDrain, pushed, end, false);
      Explain(push, data_ready, pushed, true);
      return data_ready;
    }
    return end;
  }

  void ChargeRunning(std::uint32_t index, Tick begin, Tick end) {
    const NpuCommand& command = Command(index);
    if (!IsCopy(command)) {
      const double at_ports = states_.times[index].port_share;
      const Tick ports = end - static_cast<Tick>(static_cast<double>(end - begin) * at_ports);
      Charge(command.op, index, Seen(RunCause(command.opcode)), begin, ports, false);
      Charge(command.op, index, Cause::kOperand, ports, end, false);
      return;
    }
    const bool host = command.space == MemorySpace::kHost;
    const Tick first = std::clamp(states_.times[index].first, begin, end);
    Charge(command.op, index, host ? Cause::kCommunication : Cause::kMemoryLatency, begin, first,
           false);
    ChargeCopies(index, index, first, end);
  }

  /// Time in which copies moved, `last` and those before it: each from where the one before it was
  /// complete, since the oldest goes first. What they waited for scratchpad ports is theirs.
  void ChargeCopies(std::uint32_t last, std::uint32_t waiting, Tick begin, Tick end) {
    while (begin < end) {
      const std::uint32_t copy = last == kNone ? waiting : last;
      const std::uint32_t before = last == kNone ? kNone : previous_copy_[last];
      const Tick from = before == kNone ? begin : std::clamp(states_.times[before].end, begin, end);
      const double at_ports = states_.times[copy].port_share;
      const auto ports = static_cast<Tick>(static_cast<double>(end - from) * at_ports);
      Charge(Command(copy).op, copy, WaitCause(Command(copy)), from, end - ports, false);
      Charge(Command(copy).op, copy, Cause::kOperand, end - ports, end, false);
      end = from;
      last = before;
    }
  }

  /// Scalar issue was held up by a full queue: by what the head of that queue was at.
  void ChargeLateIssue(std::uint32_t index, Tick begin, Tick end) {
    const std::uint32_t head = states_.issue_blocker[index];
    if (head == kNone) {
      Charge(Command(index).op, index, Cause::kSynchronisation, begin, end, false);
    } else if (IsCopy(Command(head))) {
      ChargeCopies(head, head, begin, end);
    } else {
      Charge(Command(head).op, head, Seen(RunCause(Command(head).opcode)), begin, end, false);
    }
  }

  static bool IsCopy(const NpuCommand& command) {
    return command.opcode == NpuOpcode::kLoad || command.opcode == NpuOpcode::kStore;
  }

  /// What the arrays' fill and drain is to a unit that waits for their results.
  Cause Seen(Cause cause) const {
    return !matrix_ && cause == Cause::kFillDrain ? Cause::kDependency : cause;
  }

  /// Why a command that could run waits for its unit.
  static Cause WaitCause(const NpuCommand& command) {
    switch (command.opcode) {
      case NpuOpcode::kLoad:
      case NpuOpcode::kStore:
        return command.space == MemorySpace::kHost ? Cause::kCommunication
                                                   : Cause::kMemoryBandwidth;
      case NpuOpcode::kPush:
      case NpuOpcode::kMatmul:
        return Cause::kFillDrain;
      default:
        return Cause::kDependency;
    }
  }

  /// Why others wait while a command runs.
  static Cause RunCause(NpuOpcode opcode) {
    switch (opcode) {
      case NpuOpcode::kLaunch:
        return Cause::kLaunch;
      case NpuOpcode::kSynchronise:
        return Cause::kSynchronisation;
      case NpuOpcode::kPush:
      case NpuOpcode::kMatmul:
        return Cause::kFillDrain;
      default:
        return Cause::kDependency;
    }
  }

  const Program& program_;
  const CommandStates& states_;
  const NpuSpec& spec_;
  bool keep_spans_;
  Record* record_;
  std::uint32_t unit_ = 0;
  bool matrix_ = false;
  std::vector<std::uint32_t> previous_copy_;
};

}  // namespace

void AttributeTime(const Program& program, const CommandStates& states,
                   const std::vector<UnitSchedule>& units, const NpuSpec& spec, bool keep_spans,
                   Record* record) {
  std::uint32_t last = kNone;
  for (std::uint32_t i = 0; i < states.times.size(); ++i) {
    if (last == kNone || states.times[i].end > states.times[last].end) last = i;
  }
  Attribution attribution(program, states, spec, keep_spans, record);
  for (const UnitSchedule& unit : units) attribution.Run(unit, last);
}

}  // namespace siliscope
