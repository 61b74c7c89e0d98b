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
  return static_cast<double>(std::abs(a.l1 - b.l1)) +
         kL2 * static_cast<double>(std::abs(a.l2 - b.l2)) +
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

bool TurnProfile::IsLike(const TurnCost& cost, const TurnFills& fills) const {
  const auto lines = static_cast<double>(touches.size());
  const auto near = [&](std::int64_t a, std::int64_t b, double share) {
    return static_cast<double>(std::abs(a - b)) <= 2 + share * lines;
  };
  return near(cost.fills.l1, fills.l1, 0.1) && near(cost.fills.l2, fills.l2, 0.05) &&
         near(cost.fills.far, fills.far, 0.03);
}

void TurnProfile::Learn(const TurnCost& cost) {
  wanted = cost.warm ? 0 : wanted - 1;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    if (!IsLike(costs[i], cost.fills)) continue;
    if (cost.warm || !costs[i].warm) costs[i] = cost;
    last = i;
    return;
  }
  last = costs.size();
  costs.push_back(cost);
}

void TurnProfile::Played(const TurnFills& fills) {
  last = Nearest(fills);
  if (wanted == 0 && costs.size() < kMostCosts && !IsLike(costs[last], fills)) wanted = 2;
}

/// Micro-operations of one trip of the outermost loop.
double TurnMemory::OperationsOfTrip(const CpuCall& call) const {
  const std::vector<MicroOp>& ops = codes_[call.code].ops;
  std::vector<double> times(ops.size(), 1);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const MicroOp& op = ops[i];
    if (op.op != MicroOpClass::kBranch || op.loop + std::size_t{1} == call.trips.size()) continue;
    for (auto at = static_cast<std::size_t>(op.target); at <= i; ++at) {
      times[at] *= static_cast<double>(call.trips[op.loop]);
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
  constexpr double kWindows = 4;  ///< shorter turns say nothing: the window is still filling up
  const double trips = std::ceil(kWindows * static_cast<double>(window_) / OperationsOfTrip(call));
  std::int64_t& outermost = key_[call.trips.size() - 1];
  outermost = std::min(call.trips.back(), static_cast<std::int64_t>(trips));
  TurnProfile*& of_turn = of_turn_[key_];
  if (of_turn == nullptr) {
    of_turn = &profiles_.emplace_back();
    of_turn->trips = outermost;
    of_turn->every = call.walk_bytes > 0;
  }
  profile = of_turn;
  return profile;
}

}  // namespace siliscope
