// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/core_cycle.h"

#include <algorithm>
#include <sstream>

namespace siliscope {

CoreCycle::CoreCycle(const CpuSpec& spec, const std::vector<CpuCode>& codes, CoreMemory& memory,
                     CoreSlots& slots, TurnMemory* turns, bool alone)
    : spec_(spec),
      codes_(codes),
      memory_(memory),
      slots_(slots),
      window_(slots.Part(spec.core.reorder_window)),
      scheduler_(slots.Part(spec.core.scheduler)),
      loads_(slots.Part(spec.core.load_queue), 0),
      stores_(spec, memory, slots.Part(spec.core.store_queue)),
      turns_(turns),
      recorder_(spec.line_bytes),
      alone_(alone) {
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

std::uint64_t CoreCycle::End() const { return std::max(retire_cycle_, stores_.last_leaves()); }

void CoreCycle::SleepUntil(std::uint64_t cycle) {
  if (cycle > retire_cycle_) {
    retire_cycle_ = cycle;
    retired_ = 0;
  }
  if (cycle <= enter_cycle_) return;
  enter_cycle_ = cycle;
  entered_ = 0;
}

/// The slots up to a cycle in which nothing comes in.
void CoreCycle::Lose(std::uint64_t until, TopDown place) {
  if (until <= enter_cycle_) return;
  const auto width = static_cast<std::uint64_t>(spec_.core.width);
  counters_.slots[static_cast<std::size_t>(place)] += static_cast<double>(
      width - static_cast<std::uint64_t>(entered_) + (until - enter_cycle_ - 1) * width);
  enter_cycle_ = until;
  entered_ = 0;
}

void CoreCycle::LoseToBackEnd(std::uint64_t until, bool memory) {
  Lose(until, memory ? TopDown::kBackEndMemory : TopDown::kBackEndCore);
}

/// The cycle in which a micro-operation finds a place in the window and its queues.
std::uint64_t CoreCycle::Enter(const MicroOp& op) {
  if (op.fused) return enter_cycle_;
  if (fetch_from_ > enter_cycle_) Lose(fetch_from_, TopDown::kBadSpeculation);
  if (entered_ == spec_.core.width) {
    ++enter_cycle_;
    entered_ = 0;
  } else if (entered_ == spec_.core.decode && entered_ > 0) {
    Lose(enter_cycle_ + 1, TopDown::kFrontEnd);
  }
  const Retired& oldest = window_[window_at_];
  LoseToBackEnd(oldest.cycle, oldest.memory);
  while (!waiting_.empty() && waiting_.top() <= enter_cycle_) waiting_.pop();
  if (waiting_.size() >= scheduler_) {
    LoseToBackEnd(waiting_.top(), oldest.memory);
    waiting_.pop();
  }
  if (op.op == MicroOpClass::kLoad) LoseToBackEnd(loads_[loads_at_], oldest.memory);
  if (op.op == MicroOpClass::kStore) LoseToBackEnd(stores_.RoomFrom(), true);
  if (slots_.threads > 1) {  // where another thread comes in, this one does not
    const std::uint64_t entry = slots_.entries.Take(enter_cycle_, slots_.all_entries);
    Lose(entry, TopDown::kFrontEnd);
  }
  ++entered_;
  ++counters_.slots[static_cast<std::size_t>(TopDown::kRetiring)];
  return enter_cycle_;
}

/// Lines of a walk come in the order of a generator that meets each once (Hull and Dobell, SIAM
/// Review 1962: c is odd, a - 1 a multiple of 4, and their number a power of two).
std::int64_t CoreCycle::NextOfWalk() {
  const std::int64_t lines = call_->walk_bytes / spec_.line_bytes;
  walk_at_ = (walk_at_ * 1'664'525 + 1'013'904'223) % lines;
  return walk_at_ * spec_.line_bytes;
}

std::uint64_t CoreCycle::Load(const MicroOp& op, std::uint64_t ready, bool* missed) {
  const Issue& issue = issue_[static_cast<std::size_t>(MicroOpClass::kLoad)];
  const std::int64_t address = pointers_[op.pointer] + op.offset + (op.walks ? NextOfWalk() : 0);
  const std::int64_t line = spec_.line_bytes;
  const std::int64_t lines = (address + op.bytes - 1) / line - address / line + 1;
  const std::int64_t width = std::min<std::int64_t>(spec_.core.load_bytes, line);
  const auto passes = static_cast<std::uint32_t>(std::max(lines, (op.bytes + width - 1) / width));
  const std::uint64_t start = slots_.ports.Take(ready, issue.ports, passes);
  last_issue_ = start;
  if (op.prefetch_level > 0) {
    for (std::int64_t i = 0; i < lines; ++i) {
      memory_.Prefetch(start, (address / line + i) * line, op.prefetch_level);
    }
    recorder_.Touch(op.pointer, address, op.bytes, TurnTouch::kRead, true);
    return start + 1;
  }
  counters_.load_bytes += op.bytes;
  const StoreBuffer::Forward forward = stores_.Find(address, op.bytes, start);
  const std::uint64_t in_passes = passes - 1;
  if (forward.found && forward.whole) {
    return std::max(start, forward.ready) + static_cast<std::uint64_t>(spec_.core.forward_cycles) +
           in_passes;
  }
  const std::uint64_t from = forward.found ? std::max(start, forward.leaves) : start;
  const CoreMemory::Result result =
      lines == 1 ? memory_.Access(from, address, false) : memory_.LoadAcross(from, address, lines);
  *missed = result.missed;
  recorder_.Touch(op.pointer, address, op.bytes, TurnTouch::kRead, result.fresh);
  return result.ready + in_passes;
}

void CoreCycle::Store(const MicroOp& op, std::uint64_t done) {
  ++counters_.stores;
  counters_.store_bytes += op.bytes;
  const std::int64_t address = pointers_[op.pointer] + op.offset;
  if (op.non_temporal) {
    stores_.AddNonTemporal(address, op.bytes, retire_cycle_);
  } else {
    stores_.Add(address, op.bytes, done, retire_cycle_);
  }
  recorder_.Touch(op.pointer, address, op.bytes,
                  op.non_temporal ? TurnTouch::kWriteAround : TurnTouch::kWrite, true);
}

void CoreCycle::Retire(std::uint64_t done, bool memory, bool fused) {
  if (fused) {
    retire_cycle_ = std::max(retire_cycle_, done);
    const std::size_t before = (window_at_ + window_.size() - 1) % window_.size();
    window_[before] = {retire_cycle_, memory};
    return;
  }
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

void CoreCycle::Execute(const MicroOp& op) {
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
    done = Load(op, ready, &missed);
    memory = memory || missed;
  } else {
    const Issue& issue = issue_[static_cast<std::size_t>(op.op)];
    last_issue_ = slots_.ports.Take(ready, issue.ports, issue.interval);
    memory = memory && last_issue_ == ready;  // else it waited for the port
    done = last_issue_ + issue.latency;
    if (op.advance != 0) pointers_[op.pointer] += op.advance;
  }
  if (last_issue_ > entered + 1) waiting_.push(last_issue_);
  if (op.destination != kNoCpuRegister) registers_[op.destination] = {done, memory};
  Retire(done, memory, op.fused);
  if (op.op == MicroOpClass::kLoad) {
    loads_[loads_at_] = retire_cycle_;
    loads_at_ = loads_at_ + 1 == loads_.size() ? 0 : loads_at_ + 1;
  }
  if (op.op == MicroOpClass::kStore) {
    Store(op, done);
    done = stores_.last_leaves();
  }
  if (kept_.size() < to_keep_) {
    kept_.push_back({op.op, memory, entered, last_issue_, done, retire_cycle_});
  }
}

}  // namespace siliscope
