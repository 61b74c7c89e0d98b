// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/pipe_share.h"

#include <gtest/gtest.h>

#include <vector>

namespace siliscope {
namespace {

/// When each of the steps ends, all of which begin at 0.
std::vector<Tick> Ends(PipeShare share, std::size_t count) {
  std::vector<Tick> ends(count, 0);
  for (std::size_t left = count; left > 0;) {
    const Tick now = share.NextEnd();
    std::uint32_t id = 0;
    while (share.TakeEnded(now, &id)) {
      ends[id] = now;
      --left;
    }
  }
  return ends;
}

TEST(PipeShare, StepsThatLeaveRoomRunAsIfAlone) {
  PipeShare share;
  share.Add(0, 1000, 400, 1, 1, 0);
  share.Add(0, 1000, 500, 1, 2, 1);
  EXPECT_EQ(Ends(share, 2), (std::vector<Tick>{1000, 1000}));
}

TEST(PipeShare, TheYoungerGetsWhatTheOlderLeaves) {
  PipeShare share;
  share.Add(0, 1000, 800, 1, 2, 0);  // the younger: a quarter of its speed until 1000
  share.Add(0, 1000, 800, 1, 1, 1);
  EXPECT_EQ(Ends(share, 2), (std::vector<Tick>{1750, 1000}));
}

TEST(PipeShare, WithoutPrecedenceAllGetTheSame) {
  PipeShare share;
  for (std::uint32_t i = 0; i < 2; ++i) share.Add(0, 1000, 800, 0, i, i);
  EXPECT_EQ(Ends(share, 2), (std::vector<Tick>{1600, 1600}));
  PipeShare half;  // speeds of 0.5 + 0.5 / 1.6 and what is left of it
  for (std::uint32_t i = 0; i < 2; ++i) half.Add(0, 1000, 800, 0.5, i, i);
  const std::vector<Tick> ends = Ends(half, 2);
  EXPECT_NEAR(static_cast<double>(ends[0]), 1000 / (0.5 + 0.5 / 1.6), 2);
  EXPECT_GT(ends[1], ends[0]);
}

TEST(PipeShare, NoTimeOfThePipesIsLost) {
  PipeShare share;
  for (std::uint32_t i = 0; i < 9; ++i) share.Add(0, 1000, 1000, 1, i, i);
  EXPECT_EQ(Ends(share, 9).back(), 9000u);
}

}  // namespace
}  // namespace siliscope
