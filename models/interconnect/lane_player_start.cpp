// SPDX-License-Identifier: Apache-2.0
// When lanes begin: with the program, with their rank, or after another lane.
#include <algorithm>
#include <numeric>
#include <utility>

#include "models/interconnect/lane_player.h"

namespace siliscope {

void LanePlayer::FindFollowers() {
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    const std::int32_t after = program_.lanes[lane].after;
    if (after != kNoLane) followers_.emplace_back(static_cast<std::uint32_t>(after), lane);
  }
  std::sort(followers_.begin(), followers_.end());
}

void LanePlayer::Start() {
  FindFollowers();
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    const Lane& l = program_.lanes[lane];
    if (l.after == kNoLane) queue_.Schedule(l.start, &OnAdvance, this, lane);
  }
}

void LanePlayer::Tell(RankDone done, void* context) {
  rank_done_ = done;
  context_ = context;
  FindFollowers();
  for (const Lane& lane : program_.lanes) {
    const auto rank = static_cast<std::size_t>(lane.rank);
    if (left_of_rank_.size() <= rank) left_of_rank_.resize(rank + 1, 0);
    ++left_of_rank_[rank];
  }
  first_of_rank_.assign(left_of_rank_.size() + 1, 0);
  std::partial_sum(left_of_rank_.begin(), left_of_rank_.end(), first_of_rank_.begin() + 1);
  by_rank_.resize(program_.lanes.size());
  std::vector<std::uint32_t> next = first_of_rank_;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    by_rank_[next[static_cast<std::size_t>(program_.lanes[lane].rank)]++] = lane;
  }
}

void LanePlayer::StartRank(std::int32_t rank) {
  const auto r = static_cast<std::size_t>(rank);
  const Tick now = queue_.now();
  for (std::uint32_t i = first_of_rank_[r]; i < first_of_rank_[r + 1]; ++i) {
    const Lane& lane = program_.lanes[by_rank_[i]];
    lanes_[by_rank_[i]].since = now;
    if (lane.after == kNoLane) queue_.Schedule(now + lane.start, &OnAdvance, this, by_rank_[i]);
  }
}

void LanePlayer::CountDone(std::uint32_t lane) {
  const std::int32_t rank = program_.lanes[lane].rank;
  if (--left_of_rank_[static_cast<std::size_t>(rank)] == 0) rank_done_(context_, rank);
}

void LanePlayer::StartFollowers(std::uint32_t lane) {
  auto next = std::lower_bound(followers_.begin(), followers_.end(), std::make_pair(lane, 0U));
  for (; next != followers_.end() && next->first == lane; ++next) {
    queue_.Schedule(queue_.now() + program_.lanes[next->second].start, &OnAdvance, this,
                    next->second);
  }
}

}  // namespace siliscope
