// SPDX-License-Identifier: Apache-2.0
// What turns of a core's loop are taken to cost, from those that were simulated.
#include "models/cpu/turn_estimate.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "models/cpu/branch_history.h"
#include "models/cpu/full_stretches.h"

namespace siliscope {
namespace {

TurnFills Fills(std::int64_t l2, std::int64_t far, double late) { return {0, l2, far, late}; }

TEST(TurnEstimate, KnowsWhatALineCosts) {
  TurnEstimate estimate;
  for (int i = 0; i < 24; ++i) {
    const std::int64_t l2 = 10 + i % 5 * 10, far = i % 4 * 3;
    estimate.Learn(Fills(l2, far, 0),
                   1000 + 2.0 * static_cast<double>(l2) + 30.0 * static_cast<double>(far), 0);
  }
  EXPECT_NEAR(estimate.Cycles(Fills(25, 5, 0)), 1200, 12);
  EXPECT_NEAR(estimate.Cycles(Fills(50, 9, 0)), 1370, 14);
  EXPECT_DOUBLE_EQ(estimate.UndisturbedCycles(), 1020);
}

TEST(TurnEstimate, NoLineMakesATurnShorter) {
  TurnEstimate estimate;
  for (int i = 0; i < 20; ++i) estimate.Learn(Fills(i, 0, 0), 1000 - 10 * i, 0);
  EXPECT_GE(estimate.Cycles(Fills(100, 0, 0)), estimate.Cycles(Fills(19, 0, 0)) - 1);
}

TEST(TurnEstimate, WhatATurnWaitedForLinesGoesWithThem) {
  TurnEstimate estimate;
  estimate.Learn(Fills(100, 0, 0), 1000, 600);
  EXPECT_NEAR(estimate.Cycles(Fills(50, 0, 0)), 700, 1);
  EXPECT_NEAR(estimate.Cycles(Fills(0, 0, 0)), 400, 1);
  EXPECT_DOUBLE_EQ(estimate.UndisturbedCycles(), 400);
}

TEST(TurnEstimate, NoiseIsNotDrawnOut) {
  // About as many lines each time; ten times as many cost at most ten times as much.
  TurnEstimate estimate;
  for (int i = 0; i < 20; ++i) estimate.Learn(Fills(100 + i % 2, 0, 0), 1000 + 500 * (i % 2), 900);
  EXPECT_LT(estimate.Cycles(Fills(1000, 0, 0)), 13'000);
}

TEST(TurnEstimate, TellsWhatIsNews) {
  TurnEstimate estimate;
  estimate.Learn(Fills(10, 0, 0), 1000, 0);
  estimate.Learn(Fills(20, 4, 5), 1100, 0);
  EXPECT_TRUE(estimate.Covers(Fills(15, 2, 3), 20));
  EXPECT_FALSE(estimate.Covers(Fills(60, 2, 3), 20));
  EXPECT_FALSE(estimate.Covers(Fills(15, 40, 3), 20));
  EXPECT_FALSE(estimate.Covers(Fills(15, 2, 500), 20));
}

TEST(BranchHistory, TurnsThatAreSkippedCountAsTripsOfALoop) {
  BranchHistory history(BranchPredictor::kLoop, 1);
  const auto loop = [&history](int trips) {
    int foreseen = 0;
    for (int i = 1; i <= trips; ++i) foreseen += history.Foresees(0, true, i < trips) ? 1 : 0;
    return foreseen;
  };
  loop(10);
  EXPECT_EQ(loop(10), 10);
  history.Skip(0, 10, true);
  EXPECT_EQ(loop(10), 10);
  history.Skip(0, 4, false);
  EXPECT_EQ(loop(6), 6);
}

TEST(FullStretches, AreSkippedAndNoOther) {
  FullStretches full(64);
  for (const std::uint64_t s : {3, 4, 5, 7}) full.Note(s);
  EXPECT_EQ(full.LookFrom(2), 2);
  EXPECT_EQ(full.LookFrom(3), 6);
  EXPECT_EQ(full.LookFrom(7), 8);
  full.Note(6);
  EXPECT_EQ(full.LookFrom(3), 8);
}

}  // namespace
}  // namespace siliscope
