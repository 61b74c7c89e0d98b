// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/core_cycle.h"

#include <algorithm>
#include <sstream>

namespace siliscope {

CoreCycle::CoreCycle(const CpuSpec& spec, const std::vector<CpuCode>& codes, CoreMemory& memory,
                     TurnMemory* turns)
    : spec_(spec),
      codes_(codes),
      memory_(memory),
      window_(static_cast<std::size_t>(spec.core.reorder_window)),
      loads_(static_cast<std::size_t>(spec.core.load_queue), 0),
      stores_(spec, memory),
      turns_(turns),
      recorder_(spec.line_bytes) {
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

void CoreCycle::Begin(const CpuCall& call) {
  call_ = &call;
  code_ = &codes_[call.code];
  pointers_ = call.pointers;
  left_ = call.trips;
  walk_at_ = 0;
  at_ = 0;
  profile_ = turns_ == nullptr ? nullptr : turns_->ProfileOf(call);
  if (profile_ != nullptr && profile_->every) profile_ = nullptr;
  looks_ahead_ = true;
  BeginTurn();
}

bool CoreCycle::Continue(std::uint64_t until) {
  while (left_.back() > 0) {
    if (!(plays_ ? Play(until) : Simulate(until))) return false;
    if (left_.back() > 0) BeginTurn();
  }
  return true;
}

TurnFills CoreCycle::Fills() const {
  const CacheTraffic& l2 = memory_.l2();
  return {memory_.l1().write_bytes / spec_.line_bytes, l2.misses + l2.prefetches, l2.far};
}

/// A turn is simulated where nothing is known of it or it is wanted again, else played. A rest that
/// is shorter than a turn is a share of one.
void CoreCycle::BeginTurn() {
  plays_ = false;
  turn_left_ = left_.back();
  if (profile_ == nullptr) return;
  const std::int64_t trips = std::min(left_.back(), profile_->trips);
  turn_left_ = trips;
  turn_fills_ = Fills();
  if (turns_->plays() && !profile_->costs.empty() &&
      (trips < profile_->trips || (profile_->wanted == 0 && IsForeseen()))) {
    BeginToPlay(static_cast<double>(trips) / static_cast<double>(profile_->trips));
    return;
  }
  turn_begin_ = counters_;
  memory_.ResetLateness();
  if (trips == profile_->trips) recorder_.Begin(retire_cycle_, pointers_);
}

/// Whether a turn like the next one is known, as far as some of its lines tell. Asked of the first
/// turn of a call; those after it are like it.
bool CoreCycle::IsForeseen() {
  if (!looks_ahead_) return true;
  looks_ahead_ = false;
  constexpr std::size_t kApart = 5;  ///< touches
  TurnFills fills;
  for (std::size_t i = 0; i < profile_->touches.size(); i += kApart) {
    const TurnTouch& touch = profile_->touches[i];
    const int level = memory_.LevelOf(pointers_[touch.pointer] + touch.offset);
    fills.l1 += level > 1 ? static_cast<std::int64_t>(kApart) : 0;
    fills.l2 += level > 2 ? static_cast<std::int64_t>(kApart) : 0;
  }
  if (profile_->MayBe(fills)) return true;
  profile_->Want();
  return profile_->wanted == 0;
}

void CoreCycle::EndSimulatedTurn() {
  if (!recorder_.recording()) return;
  if (recorder_.overflown()) {
    recorder_.Stop();
    profile_->every = true;
    profile_ = nullptr;
    return;
  }
  TurnCost cost;
  const TurnFills now = Fills();
  cost.fills = {now.l1 - turn_fills_.l1, now.l2 - turn_fills_.l2, now.far - turn_fills_.far};
  cost.warm = warm_;
  cost.counters = counters_.Since(turn_begin_);
  cost.late = memory_.lateness().Mean();
  cost.cycles = recorder_.End(retire_cycle_, pointers_, profile_);
  profile_->Learn(cost);
}

/// Micro-operations up to the end of the turn. One that others can learn from is not interrupted.
bool CoreCycle::Simulate(std::uint64_t until) {
  while (turn_left_ > 0) {
    if (retire_cycle_ > until && !recorder_.recording()) return false;
    const MicroOp& op = code_->ops[at_];
    Execute(op);
    if (op.op != MicroOpClass::kBranch) {
      ++at_;
      continue;
    }
    const bool taken = Branch(op);
    at_ = taken ? static_cast<std::size_t>(op.target) : at_ + 1;
    if (op.loop + std::size_t{1} == left_.size()) --turn_left_;
  }
  if (turns_ != nullptr) turns_->Simulated(counters_.micro_ops - simulated_);
  simulated_ = counters_.micro_ops;
  EndSimulatedTurn();
  warm_ = true;
  return true;
}

/// Whether it is taken.
bool CoreCycle::Branch(const MicroOp& op) {
  std::int64_t& left = left_[op.loop];
  const bool taken = --left > 0;
  ++counters_.branches;
  if (!history_[call_->code].Foresees(at_, static_cast<std::size_t>(op.target) <= at_, taken)) {
    ++counters_.mispredicts;
    const std::uint64_t known = window_[(window_at_ + window_.size() - 1) % window_.size()].cycle;
    fetch_from_ = known + static_cast<std::uint64_t>(spec_.core.mispredict_cycles);
  }
  const bool outermost = op.loop + std::size_t{1} == left_.size();
  if (!taken && !outermost) left = call_->trips[op.loop];
  return taken;
}

void CoreCycle::BeginToPlay(double share) {
  plays_ = true;
  warm_ = false;
  const auto touches = static_cast<double>(profile_->touches.size());
  played_.begin = static_cast<double>(retire_cycle_);
  played_.share = share;
  played_.at = 0;
  played_.end = static_cast<std::size_t>(touches * share + 0.5);
  played_.apart = touches > 0 ? profile_->costs[profile_->last].cycles / touches : 0;
  memory_.ResetLateness();
}

/// The lines of a turn that is played, up to the turn's end.
bool CoreCycle::Play(std::uint64_t until) {
  Played& p = played_;
  constexpr std::size_t kAtOnce = 64;
  const TurnTouch* touches = profile_->touches.data();
  const auto limit = static_cast<double>(until);
  while (p.at < p.end) {
    if (p.begin + p.apart * static_cast<double>(p.at) > limit) return false;
    const std::size_t end = std::min(p.end, p.at + kAtOnce);
    for (; p.at < end; ++p.at) {
      const TurnTouch& touch = touches[p.at];
      const std::int64_t address = pointers_[touch.pointer] + touch.offset;
      if (memory_.TouchL1(address, touch.write)) continue;
      memory_.TouchBelow(static_cast<std::uint64_t>(p.begin + p.apart * static_cast<double>(p.at)),
                         address, touch.write);
    }
  }
  const TurnFills now = Fills();
  if (p.share == 1) {
    profile_->Played({now.l1 - turn_fills_.l1, now.l2 - turn_fills_.l2, now.far - turn_fills_.far});
  }
  const TurnCost& cost = profile_->costs[profile_->last];
  const double later = std::max(0.0, memory_.lateness().Mean() - cost.late);
  const double cycles = cost.cycles * p.share + later;
  counters_.Add(cost.counters, p.share);
  counters_.slots[static_cast<std::size_t>(TopDown::kBackEndMemory)] +=
      later * static_cast<double>(spec_.core.width);
  counters_.repeated +=
      static_cast<std::uint64_t>(static_cast<double>(cost.counters.micro_ops) * p.share);
  retire_cycle_ = static_cast<std::uint64_t>(p.begin + cycles);
  retired_ = 0;
  SleepUntil(retire_cycle_);
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    pointers_[i] += profile_->shift[i] / profile_->trips * turn_left_;
  }
  left_.back() -= turn_left_;
  turn_left_ = 0;
  simulated_ = counters_.micro_ops;
  return true;
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
  const std::uint64_t start = ports_.Take(ready, issue.ports, passes);
  last_issue_ = start;
  counters_.load_bytes += op.bytes;
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
  recorder_.Touch(op.pointer, address, op.bytes, false);
  return done + in_passes;
}

void CoreCycle::Store(const MicroOp& op, std::uint64_t done) {
  ++counters_.stores;
  counters_.store_bytes += op.bytes;
  const std::int64_t address = pointers_[op.pointer] + op.offset;
  if (op.streams) {
    memory_.StreamStore(retire_cycle_, address);
    return;
  }
  stores_.Add(address, op.bytes, done, retire_cycle_);
  recorder_.Touch(op.pointer, address, op.bytes, true);
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
    last_issue_ = ports_.Take(ready, issue.ports, issue.interval);
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
  if (op.op == MicroOpClass::kStore) Store(op, done);
}

}  // namespace siliscope
