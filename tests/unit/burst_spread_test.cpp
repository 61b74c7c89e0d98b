// SPDX-License-Identifier: Apache-2.0
// Bursts that go side by side.
#include "models/interconnect/burst_spread.h"

#include <gtest/gtest.h>

#include <vector>

namespace siliscope {
namespace {

/// A lane whose bursts go over routes 0 and 1, twice as often over the first.
LinkProgram TwoWays() {
  LinkProgram program;
  program.routes = {{0}, {2}};
  program.turns = {{0, 1, 0}, {}};
  program.lanes.resize(1);
  return program;
}

TEST(BurstSpread, WaysAreTakenInTurn) {
  const LinkProgram program = TwoWays();
  BurstSpread spread(program, 2);
  EXPECT_TRUE(spread.Spreads(0));
  EXPECT_FALSE(spread.Spreads(1));
  std::vector<std::int32_t> taken;
  for (int i = 0; i < 6; ++i) taken.push_back(spread.Turn(0));
  EXPECT_EQ(taken, (std::vector<std::int32_t>{0, 1, 0, 0, 1, 0}));
}

TEST(BurstSpread, SoManyBurstsWaitForEachWay) {
  const LinkProgram program = TwoWays();
  BurstSpread spread(program, 2);
  for (std::uint32_t burst = 0; burst < 4; ++burst) {
    EXPECT_EQ(spread.Room(0, 0, burst), 0U);
    spread.Sent(0, 0, burst, 100 + burst);
  }
  EXPECT_EQ(spread.Room(0, 0, 4), 100U);
  EXPECT_EQ(spread.Room(0, 0, 5), 101U);
}

TEST(BurstSpread, APieceIsThereWithItsLastBurstAndOvertakesNone) {
  const LinkProgram program = TwoWays();
  BurstSpread spread(program, 2);
  const std::uint32_t first = spread.Leave(0, 0, false);
  EXPECT_EQ(spread.Leave(0, 0, true), first);
  const std::uint32_t second = spread.Leave(0, 0, true);
  EXPECT_NE(second, first);
  Tick when = 0;
  spread.Arrive(first, 50);
  spread.Arrive(second, 40);
  EXPECT_FALSE(spread.TakeArrived(0, 0, &when));
  spread.Arrive(first, 30);
  ASSERT_TRUE(spread.TakeArrived(0, 0, &when));
  EXPECT_EQ(when, 50U);
  ASSERT_TRUE(spread.TakeArrived(0, 0, &when));
  EXPECT_EQ(when, 40U);
  EXPECT_FALSE(spread.TakeArrived(0, 0, &when));
}

}  // namespace
}  // namespace siliscope
