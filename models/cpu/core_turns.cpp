// SPDX-License-Identifier: Apache-2.0
// How a core goes through its calls: turns of a loop that are simulated or played, and what lies
// between them.
#include <algorithm>

#include "models/cpu/core_cycle.h"

namespace siliscope {

void CoreCycle::Begin(const CpuCall& call) {
  call_ = &call;
  code_ = &codes_[call.code];
  pointers_ = call.pointers;
  left_ = call.trips;
  walk_at_ = 0;
  at_ = 0;
  rest_ = turns_ == nullptr ? nullptr : turns_->ProfileOf(call);
  if (rest_ != nullptr && rest_->every) rest_ = nullptr;
  profile_ = rest_;
  in_turn_ = false;
  look_ahead_ = rest_ == nullptr || rest_->first == nullptr ? 1 : 2;
}

bool CoreCycle::Continue(std::uint64_t until) {
  while (at_ < code_->ops.size()) {
    if (!in_turn_ && profile_ != nullptr && at_ == profile_->begin) {
      BeginTurn();
      if (!in_turn_) continue;  // nothing to be played
    }
    if (!(in_turn_ && plays_ ? Play(until) : Simulate(until))) return false;
  }
  return true;
}

TurnFills CoreCycle::Fills() const {
  const CacheTraffic& l2 = memory_.l2();
  return {memory_.l1().write_bytes / spec_.line_bytes, l2.misses + l2.prefetches, l2.far, 0};
}

/// Of the turn that is under way.
TurnFills CoreCycle::FillsOfTurn() const {
  const TurnFills now = Fills();
  return {now.l1 - turn_fills_.l1, now.l2 - turn_fills_.l2, now.far - turn_fills_.far,
          memory_.lateness().Mean()};
}

/// A turn is simulated where nothing is known of it or it is wanted again, else played. A rest that
/// is shorter than a turn is a share of one.
void CoreCycle::BeginTurn() {
  in_turn_ = true;
  plays_ = false;
  const bool first = rest_->first != nullptr && left_[rest_->loop] == call_->trips[rest_->loop];
  profile_ = first ? rest_->first : rest_;
  turn_left_ = std::min(left_[profile_->loop], profile_->trips);
  turn_fills_ = Fills();
  const bool part = turn_left_ < profile_->trips;
  if (turns_->warms() && profile_->known() && IsWarm()) {
    EndTurn(static_cast<double>(turn_left_) / static_cast<double>(profile_->trips),
            profile_->sample.cycles);
    return;
  }
  if (turns_->plays() && profile_->known() &&
      (part || (!again_ && profile_->wanted == 0 && IsForeseen()))) {
    BeginToPlay(static_cast<double>(turn_left_) / static_cast<double>(profile_->trips));
    return;
  }
  turn_begin_ = counters_;
  memory_.ResetLateness();
  memory_.TakeMostInFlight();
  if (part) return;
  profile_->Begin();
  if (alone_) turn_foreseen_ = FillsIfPlayed();
  recorder_.Begin(retire_cycle_, pointers_);
}

/// What the next turn would bring if it were played. Turns that are simulated are told apart by it,
/// as those that are played will be: prefetchers, which run ahead of a turn, are not in it. Where
/// cores share, others bring lines while the turn runs, and what it brought is what counts.
TurnFills CoreCycle::FillsIfPlayed() const {
  TurnFills fills;
  for (const TurnTouch& touch : profile_->touches) {
    if (!touch.fresh) continue;
    const std::int64_t address = pointers_[touch.pointer] + touch.offset;
    if (memory_.LevelOf(address) < 3) continue;
    ++fills.l2;
    if (!memory_.IsCached(address)) ++fills.far;
  }
  return fills;
}

/// Whether the caches, the last one included, have a turn's lines, as far as some of them tell:
/// playing it would warm nothing.
bool CoreCycle::IsWarm() const {
  constexpr std::size_t kLeast = 512, kApart = 16;  ///< touches
  const std::size_t touches = profile_->touches.size();
  const std::size_t apart = std::clamp<std::size_t>(touches / kLeast, 1, kApart);
  for (std::size_t i = 0; i < touches; i += apart) {
    const TurnTouch& touch = profile_->touches[i];
    if (!memory_.IsCached(pointers_[touch.pointer] + touch.offset)) return false;
  }
  return true;
}

/// Whether a turn like the next one is known, as far as some of its lines tell. Asked of the first
/// turns of a call; those after them are like them.
bool CoreCycle::IsForeseen() {
  if (look_ahead_ == 0) return true;
  --look_ahead_;
  constexpr std::size_t kApart = 5;  ///< touches
  std::int64_t below = 0;            // the private caches
  for (std::size_t i = 0; i < profile_->touches.size(); i += kApart) {
    const TurnTouch& touch = profile_->touches[i];
    const std::int64_t address = pointers_[touch.pointer] + touch.offset;
    below += touch.fresh && memory_.LevelOf(address) > 2 ? 1 : 0;
  }
  below *= static_cast<std::int64_t>(kApart);
  if (profile_->MayBe(below)) return true;
  profile_->Want();
  return profile_->wanted == 0;
}

void CoreCycle::EndSimulatedTurn() {
  const bool was_warm = warm_;
  turns_->Simulated(counters_.micro_ops - turn_begin_.micro_ops);
  warm_ = true;
  if (!recorder_.recording()) return;
  if (recorder_.overflown()) {
    recorder_.Stop();
    rest_->every = true;
    rest_ = profile_ = nullptr;
    return;
  }
  TurnCost cost;
  cost.fills = FillsOfTurn();
  if (alone_ && !profile_->touches.empty()) {
    cost.fills.l2 = turn_foreseen_.l2;
    cost.fills.far = turn_foreseen_.far;
  }
  cost.in_flight = memory_.TakeMostInFlight();
  cost.warm = was_warm;
  cost.counters = counters_.Since(turn_begin_);
  cost.cycles = recorder_.End(retire_cycle_, pointers_, profile_);
  const double memory_slots =
      cost.counters.slots[static_cast<std::size_t>(TopDown::kBackEndMemory)];
  cost.memory_cycles = std::min(cost.cycles, memory_slots / static_cast<double>(spec_.core.width));
  profile_->Learn(cost);
  again_ = !was_warm && !turns_->warms();
  memory_.ResetLateness();
}

/// Micro-operations up to the end or the begin of a turn. One that others can learn from is not
/// interrupted.
bool CoreCycle::Simulate(std::uint64_t until) {
  while (at_ < code_->ops.size()) {
    if (retire_cycle_ > until && !(recorder_.recording() && runs_ahead())) return false;
    const MicroOp& op = code_->ops[at_];
    Execute(op);
    if (op.op == MicroOpClass::kBranch) {
      const bool taken = Branch(op);
      const bool turns = in_turn_ && op.loop == profile_->loop;
      at_ = taken ? static_cast<std::size_t>(op.target) : at_ + 1;
      if (turns && --turn_left_ == 0) {
        in_turn_ = false;
        EndSimulatedTurn();
        return true;
      }
    } else {
      ++at_;
    }
    if (!in_turn_ && profile_ != nullptr && at_ == profile_->begin) return true;
  }
  return true;
}

/// Whether it is taken.
bool CoreCycle::Branch(const MicroOp& op) {
  std::int64_t& left = left_[op.loop];
  const bool taken = --left > 0;
  ++counters_.branches;
  if (!history_[call_->code].Foresees(at_, static_cast<std::size_t>(op.target) <= at_, taken)) {
    ++counters_.mispredicts;
    fetch_from_ = last_issue_ + 1 + static_cast<std::uint64_t>(spec_.core.mispredict_cycles);
  }
  if (!taken) left = call_->trips[op.loop];
  return taken;
}

void CoreCycle::BeginToPlay(double share) {
  plays_ = true;
  const auto touches = static_cast<double>(profile_->touches.size());
  played_.begin = static_cast<double>(retire_cycle_);
  played_.share = share;
  played_.at = 0;
  played_.end = static_cast<std::size_t>(touches * share + 0.5);
  played_.apart = touches > 0 ? profile_->estimate.UndisturbedCycles() / touches : 0;
  played_.waited = 0;
  const auto registers =
      static_cast<std::uint64_t>(spec_.l2.size_bytes > 0 ? spec_.l2.misses : spec_.l1.misses);
  memory_.PlayWithin(profile_->in_flight > 0 ? profile_->in_flight : registers);
  memory_.ResetLateness();
}

/// The lines of a turn that is played, up to the turn's end.
bool CoreCycle::Play(std::uint64_t until) {
  Played& p = played_;
  const TurnTouch* touches = profile_->touches.data();
  const auto limit = static_cast<double>(until);
  const auto place_of = [&p] {
    return p.begin + p.apart * static_cast<double>(p.at) + static_cast<double>(p.waited);
  };
  const auto address_of = [&](std::size_t at) {
    return pointers_[touches[at].pointer] + touches[at].offset;
  };
  for (; p.at < p.end; ++p.at) {
    constexpr std::size_t kAhead = 12, kSoon = 6;
    const double place = place_of();
    if (place > limit) return false;  // what others want before it comes first
    if (p.at + kAhead < p.end && touches[p.at + kAhead].fresh) {
      memory_.WillPlay(address_of(p.at + kAhead));
    }
    if (p.at + kSoon < p.end && touches[p.at + kSoon].fresh) {
      memory_.WillPlaySoon(address_of(p.at + kSoon));
    }
    const TurnTouch& touch = touches[p.at];
    if (!touch.fresh) continue;
    const CoreMemory::Played played = PlayTouch(touch, static_cast<std::uint64_t>(place), until);
    p.waited += played.waited;
    if (played.later) return false;
  }
  TurnFills fills = FillsOfTurn();
  if (p.share == 1) profile_->Played(fills);
  fills.l2 = static_cast<std::int64_t>(static_cast<double>(fills.l2) / p.share);
  fills.far = static_cast<std::int64_t>(static_cast<double>(fills.far) / p.share);
  const double waits = p.apart * static_cast<double>(p.end) + static_cast<double>(p.waited);
  EndTurn(p.share, std::max(profile_->estimate.Cycles(fills), waits / p.share));
  return true;
}

CoreMemory::Played CoreCycle::PlayTouch(const TurnTouch& touch, std::uint64_t place,
                                        std::uint64_t until) {
  const std::int64_t address = pointers_[touch.pointer] + touch.offset;
  switch (touch.kind) {
    case TurnTouch::kRead:
      return memory_.PlayRead(place, address, until);
    case TurnTouch::kWrite:
      return memory_.PlayWrite(place, address, until);
    case TurnTouch::kWriteAround:
      return memory_.PlayWriteAround(place, address, until);
  }
  return {};
}

/// A share of a turn ends that was not simulated; a whole one takes so many cycles. What it takes
/// longer than the one that was simulated last is waiting for memory.
void CoreCycle::EndTurn(double share, double cycles) {
  const TurnCost& like = profile_->sample;
  const double later = std::max(0.0, cycles - like.cycles) * share;
  counters_.Add(like.counters, share, std::min(1.0, cycles / like.cycles));
  counters_.slots[static_cast<std::size_t>(TopDown::kBackEndMemory)] +=
      later * static_cast<double>(spec_.core.width);
  counters_.repeated +=
      static_cast<std::uint64_t>(static_cast<double>(like.counters.micro_ops) * share);
  retire_cycle_ += static_cast<std::uint64_t>(cycles * share);
  retired_ = 0;
  warm_ = again_ = false;
  SleepUntil(retire_cycle_);
  for (std::size_t i = 0; i < pointers_.size(); ++i) {
    pointers_[i] += profile_->shift[i] / profile_->trips * turn_left_;
  }
  std::int64_t& left = left_[profile_->loop];
  left -= turn_left_;
  at_ = profile_->begin;
  history_[call_->code].Skip(profile_->end, static_cast<std::uint64_t>(turn_left_), left == 0);
  if (left == 0) {
    left = call_->trips[profile_->loop];
    at_ = profile_->end + 1;
  }
  in_turn_ = false;
}

}  // namespace siliscope
