// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/turn_memory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace siliscope {

void TurnProfile::Learn(const TurnCost& cost) {
  if (warms) wanted = 0;
  // The first turn after one that was played may pay for what went before it.
  if (!cost.warm && known()) return;
  if (known() && !sample.warm) estimate.Clear();
  constexpr double kEqual = 0.03;
  const bool foreseen =
      known() && std::abs(estimate.Cycles(cost.fills) - cost.cycles) <= 2 + kEqual * cost.cycles;
  estimate.Learn(cost.fills, cost.cycles, cost.memory_cycles);
  sample = cost;
  // Few lines don't tell how many could have been on their way.
  constexpr std::uint64_t kMany = 4;
  if (static_cast<std::uint64_t>(cost.fills.l2) >= kMany * cost.in_flight) {
    in_flight = std::max(in_flight, cost.in_flight);
  }
  if (foreseen) wanted = 0;
}

void TurnProfile::Played(const TurnFills& fills) {
  constexpr std::int64_t kAgain = 256;  ///< turns after which some are simulated in any case
  ++played;
  if (!estimate.Covers(fills, static_cast<double>(touches.size())) || played % kAgain == 0) Want();
}

void TurnProfile::Want() {
  constexpr std::int64_t kPlayed = 40;  ///< turns for each that is simulated
  const bool few = simulated < kMostTurns + played / kPlayed;
  if (wanted == 0 && few && !warms) wanted = kFewTurns;
}

void TurnProfile::Forget() {
  wanted = kMostTurns;
  simulated = played = 0;
}

void TurnMemory::Warm(bool warms) {
  warms_ = warms;
  for (TurnProfile& profile : profiles_) {
    profile.warms = warms;
    profile.Forget();
  }
}

std::size_t TurnMemory::BranchOf(const CpuCall& call, std::size_t loop) const {
  const std::vector<MicroOp>& ops = codes_[call.code].ops;
  std::size_t at = ops.size() - 1;
  while (ops[at].op != MicroOpClass::kBranch || ops[at].loop != loop) --at;
  return at;
}

/// Micro-operations of one trip of a loop.
double TurnMemory::OperationsOfTrip(const CpuCall& call, std::size_t loop) const {
  const std::vector<MicroOp>& ops = codes_[call.code].ops;
  const std::size_t end = BranchOf(call, loop);
  const auto begin = static_cast<std::size_t>(ops[end].target);
  std::vector<double> times(end + 1 - begin, 1);
  for (std::size_t i = begin; i < end; ++i) {
    const MicroOp& op = ops[i];
    if (op.op != MicroOpClass::kBranch || op.loop == loop) continue;
    for (auto at = static_cast<std::size_t>(op.target); at <= i; ++at) {
      times[at - begin] *= static_cast<double>(call.trips[op.loop]);
    }
  }
  double sum = 0;
  for (const double t : times) sum += t;
  return sum;
}

TurnProfile* TurnMemory::ProfileOf(const CpuCall& call) {
  key_.assign(call.trips.begin(), call.trips.end());
  key_.push_back(call.code);
  TurnProfile*& profile = of_call_[key_];
  if (profile != nullptr) return profile;
  const double least = windows_ * static_cast<double>(window_);
  // A trip of a loop further out that is much longer is no turn: other cores would meet it late.
  constexpr double kMost = 32;
  std::size_t loop = 0;
  for (double trip = OperationsOfTrip(call, 0); loop + 1 < call.trips.size() && trip < least;
       ++loop) {
    const double all = trip * static_cast<double>(call.trips[loop]);
    trip = OperationsOfTrip(call, loop + 1);
    if (all >= least && trip > kMost * least) break;
  }
  // A call of a few turns is one: how it begins and ends is much of it.
  constexpr std::int64_t kFew = 6;
  const auto trips = static_cast<std::int64_t>(std::ceil(least / OperationsOfTrip(call, loop)));
  const std::int64_t turn = trips * kFew > call.trips[loop] ? call.trips[loop] : trips;
  key_.assign(call.trips.begin(), call.trips.begin() + static_cast<std::ptrdiff_t>(loop));
  for (const std::int64_t k : {static_cast<std::int64_t>(loop), turn, std::int64_t{call.code}}) {
    key_.push_back(k);
  }
  TurnProfile*& of_turn = of_turn_[key_];
  if (of_turn == nullptr) {
    of_turn = &profiles_.emplace_back();
    of_turn->loop = loop;
    of_turn->end = BranchOf(call, loop);
    of_turn->begin = static_cast<std::size_t>(codes_[call.code].ops[of_turn->end].target);
    of_turn->trips = turn;
    of_turn->every = call.walk_bytes > 0;
    of_turn->warms = warms_;
    if (turn < call.trips[loop]) {
      TurnProfile& first = profiles_.emplace_back(*of_turn);
      of_turn->first = &first;
    }
  }
  profile = of_turn;
  return profile;
}

}  // namespace siliscope
