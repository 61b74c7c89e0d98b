// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/turn_memory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace siliscope {
namespace {

constexpr std::size_t kMostCosts = 32;

double Distance(const TurnFills& a, const TurnFills& b) {
  constexpr double kL2 = 3, kFar = 12;  // a line from there, about, in lines from L2
  return kL2 * static_cast<double>(std::abs(a.l2 - b.l2)) +
         kFar * static_cast<double>(std::abs(a.far - b.far));
}

}  // namespace

std::size_t TurnProfile::Nearest(const TurnFills& fills) const {
  std::size_t best = 0;
  double least = 1e300;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const double distance = Distance(costs[i].fills, fills);
    if (distance >= least) continue;
    least = distance;
    best = i;
  }
  return best;
}

/// A line from memory may cost as much as the rest of a turn; one from L2 is mostly hidden.
bool TurnProfile::IsLike(const TurnCost& cost, const TurnFills& fills) const {
  const auto near = [](std::int64_t a, std::int64_t b, double apart, double share) {
    return static_cast<double>(std::abs(a - b)) <=
           apart + share * static_cast<double>(std::max(a, b));
  };
  const auto lines = static_cast<double>(touches.size());
  const double t = tolerance;
  return near(cost.fills.l2, fills.l2, 0.01 * t * lines, 0.05 * t) &&
         near(cost.fills.far, fills.far, 0, 0.05 * t);
}

bool TurnProfile::MayBe(std::int64_t below) const {
  constexpr double kApart = 0.2;  // of the lines; a sample of them was looked at
  const double most = 4 + kApart * static_cast<double>(touches.size());
  return std::any_of(costs.begin(), costs.end(), [&](const TurnCost& cost) {
    return static_cast<double>(std::abs(cost.fills.l2 - below)) <= most;
  });
}

void TurnProfile::Learn(const TurnCost& cost) {
  wanted = warms ? 0 : std::max(0, wanted - 1);
  ++simulated;
  const bool follows = cost.warm && before.warm && IsLike(before, cost.fills);
  TurnCost mean = cost;
  if (follows) {
    mean.cycles = (cost.cycles + before.cycles) / 2;
    mean.late = (cost.late + before.late) / 2;
    if (IsEqual(cost, before)) wanted = 0;
  }
  before = cost;
  // The first turn after one that was played may pay for what went before it.
  if (!cost.warm && !costs.empty()) return;
  if (!costs.empty() && !costs.front().warm) costs.clear();
  last = Nearest(cost.fills);
  if (costs.empty() || !IsLike(costs[last], cost.fills)) {
    if (!costs.empty()) Adapt(IsEqual(costs[last], cost));
    last = costs.size();
    costs.push_back(mean);
  } else {
    costs[last].Average(mean);
  }
}

void TurnCost::Average(const TurnCost& more) {
  constexpr double kMost = 8;
  times = std::min(times + 1, kMost);
  const double share = 1 / times;
  cycles += (more.cycles - cycles) * share;
  late += (more.late - late) * share;
}

bool TurnProfile::IsEqual(const TurnCost& a, const TurnCost& b) {
  constexpr double kEqual = 0.03;
  return std::abs(a.cycles - b.cycles) <= 2 + kEqual * a.cycles;
}

/// Where unlike turns cost the same, fewer need to be told apart.
void TurnProfile::Adapt(bool equal) {
  constexpr double kLeast = 0.25, kMost = 4;
  tolerance = std::clamp(tolerance * (equal ? 1.5 : 0.7), kLeast, kMost);
}

void TurnProfile::Played(const TurnFills& fills) {
  last = Nearest(fills);
  ++played;
  if (!IsLike(costs[last], fills)) Want();
}

void TurnProfile::Want() {
  constexpr std::int64_t kPlayed = 40;  ///< turns for each that is simulated
  const bool few = simulated < kMostTurns + played / kPlayed;
  if (wanted == 0 && costs.size() < kMostCosts && few && !warms) wanted = kFewTurns;
}

void TurnMemory::Warm(bool warms) {
  warms_ = warms;
  for (TurnProfile& profile : profiles_) {
    profile.warms = warms;
    profile.costs.clear();
    profile.wanted = TurnProfile::kMostTurns;
    profile.simulated = profile.played = 0;
    profile.tolerance = 1;
    profile.before = {};
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
  }
  profile = of_turn;
  return profile;
}

}  // namespace siliscope
