// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/core_cycle.h"

#include <algorithm>
#include <sstream>

namespace siliscope {

const char* TopDownName(TopDown place) {
  static constexpr std::array<const char*, kTopDown> kNames = {
      "retiring", "front_end", "bad_speculation", "back_end_memory", "back_end_core"};
  return kNames[static_cast<std::size_t>(place)];
}

void CoreCounters::Repeat(const CoreCounters& before, std::uint64_t times) {
  const auto more = static_cast<std::int64_t>(times);
  repeated += times * (micro_ops - before.micro_ops);
  loads += times * (loads - before.loads);
  stores += times * (stores - before.stores);
  branches += times * (branches - before.branches);
  mispredicts += times * (mispredicts - before.mispredicts);
  flops += static_cast<double>(times) * (flops - before.flops);
  load_bytes += more * (load_bytes - before.load_bytes);
  store_bytes += more * (store_bytes - before.store_bytes);
  for (std::size_t i = 0; i < kTopDown; ++i) slots[i] += times * (slots[i] - before.slots[i]);
  micro_ops += times * (micro_ops - before.micro_ops);
}

CoreCycle::CoreCycle(const CpuSpec& spec, const std::vector<CpuCode>& codes, CoreMemory& memory,
                     bool every_turn)
    : spec_(spec),
      codes_(codes),
      memory_(memory),
      window_(static_cast<std::size_t>(spec.core.reorder_window)),
      loads_(static_cast<std::size_t>(spec.core.load_queue), 0),
      stores_(spec, memory),
      every_turn_(every_turn),
      turns_(memory, spec.line_bytes) {
  for (std::size_t c = 0; c < kMicroOpClasses; ++c) {
    const std::string name = kMicroOpClassNames[c];
    std::uint32_t port = 0;
    for (const auto& [key, classes] : spec.core.ports) {
      std::istringstream words(classes);
      for (std::string word; words >> word;) {
        if (word == name) issue_[c].ports |= std::uint32_t{1} << port;
      }
      ++port;
    }
    const auto value = [&](const std::map<std::string, double>& table) {
      const auto it = table.find(name);
      return it == table.end() ? 1.0 : it->second;
    };
    issue_[c].latency = static_cast<std::uint64_t>(value(spec.core.latency));
    issue_[c].interval = static_cast<std::uint32_t>(value(spec.core.interval));
  }
  for (const CpuCode& code : codes) history_.emplace_back(spec.core.predictor, code.ops.size());
}

std::uint64_t CoreCycle::Run(const CpuCall& call) {
  const CpuCode& code = codes_[call.code];
  pointers_ = call.pointers;
  left_ = call.trips;
  BranchHistory& history = history_[call.code];
  walk_at_ = 0;
  const std::size_t outermost = call.trips.size() - 1;
  constexpr std::int64_t kFewTurns = 6;
  if (every_turn_ || call.walk_bytes > 0 || call.trips[outermost] < kFewTurns) {
    turns_.Stop();
  } else {
    turns_.Begin(retire_cycle_, pointers_);
    turn_begin_ = counters_;
  }
  for (std::size_t at = 0; at < code.ops.size();) {
    const MicroOp& op = code.ops[at];
    Execute(op, call);
    if (op.op != MicroOpClass::kBranch) {
      ++at;
      continue;
    }
    std::int64_t& left = left_[op.loop];
    const bool taken = --left > 0;
    ++counters_.branches;
    if (!history.Foresees(at, static_cast<std::size_t>(op.target) <= at, taken)) {
      ++counters_.mispredicts;
      const std::uint64_t known = window_[(window_at_ + window_.size() - 1) % window_.size()].cycle;
      fetch_from_ = known + static_cast<std::uint64_t>(spec_.core.mispredict_cycles);
    }
    if (taken && op.loop == outermost && turns_.watching()) EndTurn(&left);
    if (!taken) left = call.trips[op.loop];
    at = taken ? static_cast<std::size_t>(op.target) : at + 1;
  }
  return retire_cycle_;
}

/// Of turns that repeat themselves all but the last are counted on. Short ones say nothing: the
/// window is still filling up.
void CoreCycle::EndTurn(std::int64_t* left) {
  constexpr std::int64_t kWindows = 4;
  const auto ops = static_cast<std::int64_t>(counters_.micro_ops - turn_begin_.micro_ops);
  if (ops < kWindows * spec_.core.reorder_window) {
    turns_.Stop();
    return;
  }
  if (turns_.EndTurn(retire_cycle_, pointers_) && *left > 1) {
    const std::int64_t turns = turns_.Repeat(*left - 1, retire_cycle_, &pointers_);
    *left -= turns;
    counters_.Repeat(turn_begin_, static_cast<std::uint64_t>(turns));
    retire_cycle_ += static_cast<std::uint64_t>(turns) * turns_.turn_cycles();
    retired_ = 0;
    SleepUntil(retire_cycle_);
  }
  turn_begin_ = counters_;
}

std::uint64_t CoreCycle::End() const { return std::max(retire_cycle_, stores_.last_leaves()); }

void CoreCycle::SleepUntil(std::uint64_t cycle) {
  if (cycle <= enter_cycle_) return;
  enter_cycle_ = cycle;
  entered_ = 0;
}

/// The slots up to a cycle in which nothing comes in.
void CoreCycle::Lose(std::uint64_t until, TopDown place) {
  if (until <= enter_cycle_) return;
  const auto width = static_cast<std::uint64_t>(spec_.core.width);
  counters_.slots[static_cast<std::size_t>(place)] +=
      width - static_cast<std::uint64_t>(entered_) + (until - enter_cycle_ - 1) * width;
  enter_cycle_ = until;
  entered_ = 0;
}

void CoreCycle::LoseToBackEnd(std::uint64_t until, bool memory) {
  Lose(until, memory ? TopDown::kBackEndMemory : TopDown::kBackEndCore);
}

/// The cycle in which a micro-operation finds a place in the window and its queues.
std::uint64_t CoreCycle::Enter(const MicroOp& op) {
  if (fetch_from_ > enter_cycle_) Lose(fetch_from_, TopDown::kBadSpeculation);
  if (entered_ == spec_.core.width) {
    ++enter_cycle_;
    entered_ = 0;
  }
  const Retired& oldest = window_[window_at_];
  LoseToBackEnd(oldest.cycle, oldest.memory);
  while (!waiting_.empty() && waiting_.top() <= enter_cycle_) waiting_.pop();
  if (waiting_.size() >= static_cast<std::size_t>(spec_.core.scheduler)) {
    LoseToBackEnd(waiting_.top(), oldest.memory);
    waiting_.pop();
  }
  if (op.op == MicroOpClass::kLoad) LoseToBackEnd(loads_[loads_at_], oldest.memory);
  if (op.op == MicroOpClass::kStore) LoseToBackEnd(stores_.RoomFrom(), true);
  ++entered_;
  ++counters_.slots[static_cast<std::size_t>(TopDown::kRetiring)];
  return enter_cycle_;
}

/// Lines of a walk come in the order of a generator that meets each once (Hull and Dobell, SIAM
/// Review 1962: c is odd, a - 1 a multiple of 4, and their number a power of two).
std::int64_t CoreCycle::NextOfWalk(const CpuCall& call) {
  const std::int64_t lines = call.walk_bytes / spec_.line_bytes;
  walk_at_ = (walk_at_ * 1'664'525 + 1'013'904'223) % lines;
  return walk_at_ * spec_.line_bytes;
}

std::uint64_t CoreCycle::Load(const MicroOp& op, std::uint64_t ready, const CpuCall& call,
                              bool* missed) {
  const Issue& issue = issue_[static_cast<std::size_t>(MicroOpClass::kLoad)];
  const std::int64_t address =
      pointers_[op.pointer] + op.offset + (op.walks ? NextOfWalk(call) : 0);
  const std::int64_t line = spec_.line_bytes;
  const std::int64_t lines = (address + op.bytes - 1) / line - address / line + 1;
  const std::int64_t width = std::min<std::int64_t>(spec_.core.load_bytes, line);
  const auto passes = static_cast<std::uint32_t>(std::max(lines, (op.bytes + width - 1) / width));
  const std::uint64_t start = ports_.Take(ready, issue.ports, passes);
  last_issue_ = start;
  counters_.load_bytes += op.bytes;
  if (!op.walks) turns_.Touch(op.pointer, address, op.bytes, false);
  const StoreBuffer::Forward forward = stores_.Find(address, op.bytes, start);
  const std::uint64_t in_passes = passes - 1;
  if (forward.found && forward.whole) {
    return std::max(start, forward.ready) + static_cast<std::uint64_t>(spec_.core.forward_cycles) +
           in_passes;
  }
  const std::uint64_t from = forward.found ? std::max(start, forward.leaves) : start;
  std::uint64_t done = 0;
  for (std::int64_t i = 0; i < lines; ++i) {
    const CoreMemory::Result result = memory_.Access(from, (address / line + i) * line, false);
    done = std::max(done, result.ready);
    *missed = *missed || result.missed;
  }
  return done + in_passes;
}

void CoreCycle::Retire(std::uint64_t done, bool memory) {
  if (done > retire_cycle_) {
    retire_cycle_ = done;
    retired_ = 0;
  } else if (retired_ == spec_.core.width) {
    ++retire_cycle_;
    retired_ = 0;
  }
  ++retired_;
  window_[window_at_] = {retire_cycle_, memory};
  window_at_ = window_at_ + 1 == window_.size() ? 0 : window_at_ + 1;
}

void CoreCycle::Execute(const MicroOp& op, const CpuCall& call) {
  ++counters_.micro_ops;
  counters_.flops += static_cast<double>(op.flops);
  const std::uint64_t entered = Enter(op);
  std::uint64_t ready = entered + 1;
  bool memory = false;
  for (const std::uint8_t source : op.sources) {
    if (source == kNoCpuRegister || registers_[source].ready <= ready) continue;
    ready = registers_[source].ready;
    memory = registers_[source].memory;
  }
  if (spec_.core.in_order) ready = std::max(ready, last_issue_);
  std::uint64_t done = 0;
  if (op.op == MicroOpClass::kLoad) {
    ++counters_.loads;
    bool missed = false;
    done = Load(op, ready, call, &missed);
    memory = memory || missed;
  } else {
    const Issue& issue = issue_[static_cast<std::size_t>(op.op)];
    last_issue_ = ports_.Take(ready, issue.ports, issue.interval);
    done = last_issue_ + issue.latency;
    if (op.advance != 0) pointers_[op.pointer] += op.advance;
  }
  if (last_issue_ > entered + 1) waiting_.push(last_issue_);
  if (op.destination != kNoCpuRegister) registers_[op.destination] = {done, memory};
  Retire(done, memory);
  if (op.op == MicroOpClass::kLoad) {
    loads_[loads_at_] = retire_cycle_;
    loads_at_ = loads_at_ + 1 == loads_.size() ? 0 : loads_at_ + 1;
  }
  if (op.op == MicroOpClass::kStore) {
    ++counters_.stores;
    counters_.store_bytes += op.bytes;
    turns_.Touch(op.pointer, pointers_[op.pointer] + op.offset, op.bytes, true);
    stores_.Add(pointers_[op.pointer] + op.offset, op.bytes, done, retire_cycle_);
  }
}

}  // namespace siliscope
