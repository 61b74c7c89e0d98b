// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "sim/core/divisor.h"
#include "sim/core/domain.h"
#include "sim/core/error.h"
#include "sim/core/event_queue.h"
#include "sim/core/nearest_name.h"
#include "sim/core/quantity.h"
#include "sim/core/timeline.h"

namespace siliscope {
namespace {

TEST(Clock, DoesNotDrift) {
  // 1.41 GHz has no whole period in picoseconds: a billion cycles are right to the picosecond.
  EXPECT_EQ(Clock(1.41e9).Cycles(std::uint64_t{1'410'000'000}), kTicksPerSecond);
  EXPECT_EQ(Clock(1e9).Cycles(std::uint64_t{7}), 7000U);
  EXPECT_EQ(Clock(7e8).CyclesIn(Clock(7e8).Cycles(std::uint64_t{12345})), 12345U);
}

TEST(Divisor, DividesLikeTheProcessor) {
  for (const std::int64_t value : {1, 2, 3, 5, 40, 64, 80, 1023, 1024, 1025}) {
    const Divisor divisor(value);
    for (const std::int64_t x :
         {std::int64_t{0}, std::int64_t{1}, value - 1, value, value + 1, std::int64_t{123456789},
          std::int64_t{1} << 32, (std::int64_t{1} << 40) + 12345}) {
      EXPECT_EQ(divisor.Quotient(x), x / value) << x << " / " << value;
      EXPECT_EQ(divisor.Remainder(x), x % value) << x << " % " << value;
    }
  }
}

TEST(Quantity, ReadsUnits) {
  EXPECT_DOUBLE_EQ(ParseQuantity("1.41 GHz", Dimension::kFrequency), 1.41e9);
  EXPECT_DOUBLE_EQ(ParseQuantity("24 MiB", Dimension::kBytes), 24.0 * 1048576);
  EXPECT_DOUBLE_EQ(ParseQuantity("34 GB/s", Dimension::kBandwidth), 34e9);
  EXPECT_DOUBLE_EQ(ParseQuantity("256 B/cycle", Dimension::kBytesPerCycle), 256);
  EXPECT_DOUBLE_EQ(ParseQuantity("5 us", Dimension::kTime), 5e-6);
}

TEST(Quantity, RefusesOtherUnitsAndNonsense) {
  for (const char* text : {"700", "700 MB", "MHz", "", "1e999 GHz", "nan GHz", "7 00 MHz"}) {
    EXPECT_THROW(ParseQuantity(text, Dimension::kFrequency), UserError) << text;
  }
}

TEST(Quantity, WritesEngineeringStyle) {
  EXPECT_EQ(Engineering(1.95e-3, "s"), "1.95 ms");
  EXPECT_EQ(Engineering(33.5e12, "OP/s"), "33.5 TOP/s");
}

TEST(NearestName, FindsMisspellings) {
  EXPECT_EQ(NearestName("colums", {"rows", "columns", "count"}), "columns");
  EXPECT_EQ(NearestName("banana", {"rows", "columns"}), "");
}

void Append(void* list, std::uint64_t value) {
  static_cast<std::vector<std::uint64_t>*>(list)->push_back(value);
}

TEST(EventQueue, RunsEqualTimesFirstInFirstOut) {
  EventQueue queue;
  std::vector<std::uint64_t> order;
  for (std::uint64_t i = 0; i < 12; ++i) queue.Schedule(i % 3, &Append, &order, i);
  EXPECT_EQ(queue.RunUntil(1), 2U);
  EXPECT_EQ(queue.RunUntil(10), kNever);
  EXPECT_EQ(order, (std::vector<std::uint64_t>{0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11}));
}

struct Chain {
  EventQueue queue;
  std::vector<std::uint64_t> order;
};

/// Schedules none, one or several others, at once and later.
void Spawn(void* context, std::uint64_t value) {
  auto* chain = static_cast<Chain*>(context);
  chain->order.push_back(value);
  const std::size_t pending = chain->queue.pending();
  for (std::uint64_t i = 0; value < 40 && i < value % 4; ++i) {
    chain->queue.Schedule(chain->queue.now() + 3 * i, &Spawn, chain, 10 * value + i);
  }
  EXPECT_EQ(chain->queue.pending(), pending + (value < 40 ? value % 4 : 0));
}

TEST(EventQueue, RunsWhatEventsScheduleInItsTurn) {
  Chain chain;
  for (std::uint64_t i = 0; i < 4; ++i) chain.queue.Schedule(i, &Spawn, &chain, i);
  EXPECT_EQ(chain.queue.RunUntil(100), kNever);
  EXPECT_TRUE(chain.queue.empty());
  // As a sorted list of (time, order of scheduling) runs them.
  EXPECT_EQ(chain.order, (std::vector<std::uint64_t>{0, 1, 10, 100, 2, 20, 3, 30, 300, 101, 21, 210,
                                                     31, 301, 310, 32, 311, 312}));
}

TEST(Timeline, QueuesRequests) {
  Timeline timeline;
  EXPECT_EQ(timeline.Reserve(5, 10), 5U);
  EXPECT_EQ(timeline.Reserve(7, 10), 15U);
  EXPECT_EQ(timeline.Reserve(100, 1), 100U);
  EXPECT_EQ(timeline.busy(), 21U);
}

TEST(Domain, WakesForEventsFromOutside) {
  // The known defect of such bridges: an event posted from outside, earlier than all others, is
  // lost.
  Domain domain("domain");
  std::vector<std::uint64_t> order;
  domain.queue().Schedule(1000, &Append, &order, 2);
  sc_core::sc_start(sc_core::sc_time::from_value(10));
  domain.PostFromOutside(500, &Append, &order, 1);
  sc_core::sc_start();
  EXPECT_EQ(order, (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace siliscope
