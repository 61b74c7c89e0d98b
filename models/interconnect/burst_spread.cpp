// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/burst_spread.h"

#include <algorithm>

namespace siliscope {

BurstSpread::BurstSpread(const LinkProgram& program, std::uint32_t window) : turns_(program.turns) {
  if (turns_.empty()) return;
  for (std::vector<std::int32_t> ways : turns_) {
    std::sort(ways.begin(), ways.end());
    const auto count = std::unique(ways.begin(), ways.end()) - ways.begin();
    windows_.push_back(window * static_cast<std::uint32_t>(count));
  }
  turn_.assign(turns_.size(), 0);
  served_.resize(program.lanes.size());
  queues_.resize(program.lanes.size());
}

std::int32_t BurstSpread::Turn(std::int32_t route) {
  const auto at = static_cast<std::size_t>(route);
  const std::vector<std::int32_t>& ways = turns_[at];
  const std::int32_t way = ways[turn_[at]];
  if (++turn_[at] == ways.size()) turn_[at] = 0;
  return way;
}

void BurstSpread::Sent(std::uint32_t lane, std::int32_t route, std::uint32_t burst, Tick served) {
  const std::uint32_t window = WindowOf(route);
  if (served_[lane].size() < window) served_[lane].resize(window, 0);
  served_[lane][burst % window] = served;
}

Tick BurstSpread::Room(std::uint32_t lane, std::int32_t route, std::uint32_t burst) const {
  const std::uint32_t window = WindowOf(route);
  return burst >= window ? served_[lane][burst % window] : 0;
}

std::uint32_t BurstSpread::Leave(std::uint32_t lane, int target, bool last) {
  Queue& queue = queues_[lane][static_cast<std::size_t>(target)];
  if (queue.newest == kNone || pieces_[queue.newest].whole) {
    std::uint32_t piece = 0;
    if (free_.empty()) {
      piece = static_cast<std::uint32_t>(pieces_.size());
      pieces_.emplace_back();
    } else {
      piece = free_.back();
      free_.pop_back();
      pieces_[piece] = Piece{};
    }
    if (queue.newest != kNone) pieces_[queue.newest].next = piece;
    if (queue.oldest == kNone) queue.oldest = piece;
    queue.newest = piece;
  }
  Piece& piece = pieces_[queue.newest];
  ++piece.flying;
  piece.whole = last;
  return queue.newest;
}

void BurstSpread::Arrive(std::uint32_t piece, Tick when) {
  Piece& p = pieces_[piece];
  --p.flying;
  p.latest = std::max(p.latest, when);
}

bool BurstSpread::TakeArrived(std::uint32_t lane, int target, Tick* when) {
  Queue& queue = queues_[lane][static_cast<std::size_t>(target)];
  if (queue.oldest == kNone) return false;
  const Piece& piece = pieces_[queue.oldest];
  if (!piece.whole || piece.flying > 0) return false;
  *when = piece.latest;
  free_.push_back(queue.oldest);
  if (queue.newest == queue.oldest) queue.newest = kNone;
  queue.oldest = piece.next;
  return true;
}

}  // namespace siliscope
