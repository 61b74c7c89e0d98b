// SPDX-License-Identifier: Apache-2.0
// Graphs of computations and exchanges on a system's links.
#include <gtest/gtest.h>

#include <string>

#include "sim/config/cluster_loader.h"
#include "sim/contract/cluster_model.h"
#include "sim/core/error.h"
#include "sim/run/collective_phases.h"
#include "sim/run/exchange_matching.h"
#include "sim/run/pipeline_schedule.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

constexpr Tick kMicrosecond = 1'000'000;

ExecutionNode Computation(std::int32_t rank, Tick duration) {
  ExecutionNode node;
  node.name = "computation";
  node.rank = rank;
  node.duration = duration;
  return node;
}

ExecutionNode AllReduce(std::int32_t rank, std::int64_t bytes, std::int32_t stream) {
  ExecutionNode node;
  node.name = node.op = "all_reduce";
  node.kind = ExecutionKind::kCollective;
  node.rank = rank;
  node.bytes = bytes;
  node.group = 0;
  node.stream = stream;
  return node;
}

/// Each test runs in a process of its own, since it elaborates once.
ExecutionRecord Play(ExecutionGraph* graph) {
  const ClusterSpec cluster = LoadCluster("dgx-a100", {});
  MatchExchanges(cluster, "test", graph);
  return ClusterModelRegistry::Instance().Get("model of links", "network")(cluster)->Run(*graph,
                                                                                         {});
}

ExecutionGraph OfRanks(std::int32_t ranks) {
  ExecutionGraph graph;
  graph.ranks = ranks;
  graph.groups.emplace_back();
  for (std::int32_t r = 0; r < ranks; ++r) graph.groups.front().push_back(r);
  return graph;
}

TEST(Execution, LanesThatWaitForEachOtherAreNamed) {
  LinkProgram program;
  program.protocols.emplace_back();
  Primitive receive;
  receive.bytes = receive.piece_bytes = 64;
  receive.receives = true;
  program.sequences = {{receive}};
  for (std::int32_t rank = 0; rank < 2; ++rank) {
    Lane lane;
    lane.rank = rank;
    lane.from = 1 - rank;
    program.lanes.push_back(lane);
  }
  const ClusterSpec cluster = LoadCluster("dgx-a100", {});
  const auto model = ClusterModelRegistry::Instance().Get("model of links", "network")(cluster);
  try {
    model->Run(program, {});
    FAIL();
  } catch (const InternalError& e) {
    const std::string waits =
        "the simulation is stuck; waiting: rank 0 channel 0 after 0 pieces for data of rank 1, "
        "rank 1 channel 0 after 0 pieces for data of rank 0";
    EXPECT_EQ(std::string(e.what()).substr(0, waits.size()), waits);
  }
}

TEST(Execution, NodesOfAStreamRunInOrderAndOthersAtOnce) {
  ExecutionGraph graph = OfRanks(1);
  graph.nodes = {Computation(0, 3 * kMicrosecond), Computation(0, 4 * kMicrosecond),
                 Computation(0, 5 * kMicrosecond)};
  graph.nodes[2].stream = 1;
  const ExecutionRecord record = Play(&graph);
  EXPECT_EQ(record.total, 7 * kMicrosecond);
  EXPECT_EQ(record.nodes[1].begin, 3 * kMicrosecond);
  EXPECT_EQ(record.nodes[2].begin, 0U);
  EXPECT_EQ(record.ranks[0].compute, 7 * kMicrosecond);
}

TEST(Execution, AComputationSlowsDownWhileChannelsHoldSms) {
  ExecutionGraph graph = OfRanks(2);
  for (std::int32_t r = 0; r < 2; ++r) {
    graph.nodes.push_back(AllReduce(r, 1 << 26, 1));
    graph.nodes.push_back(Computation(r, 5000 * kMicrosecond));
    graph.nodes.back().beside = {{1, 10'000 * kMicrosecond}};  // half as fast
  }
  const ExecutionRecord record = Play(&graph);
  const Tick exchange = record.nodes[0].end;
  ASSERT_LT(exchange, 5000 * kMicrosecond);
  // In the meantime half of that time's work is done.
  EXPECT_NEAR(static_cast<double>(record.nodes[1].end),
              static_cast<double>(5000 * kMicrosecond + exchange / 2), 2.0);
  EXPECT_EQ(record.ranks[0].overlapped, exchange);
}

TEST(Execution, ExchangesThatShareLinksSlowEachOtherDown) {
  ExecutionGraph graph = OfRanks(8);
  for (std::int32_t r = 0; r < 8; ++r) {
    graph.nodes.push_back(AllReduce(r, 1 << 28, 0));
    graph.nodes.push_back(AllReduce(r, 1 << 28, 0));
    graph.nodes.push_back(AllReduce(r, 1 << 28, 1));
    graph.nodes.back().after = {static_cast<std::uint32_t>(graph.nodes.size()) - 2};
    graph.nodes.push_back(AllReduce(r, 1 << 28, 2));
    graph.nodes.back().after = {static_cast<std::uint32_t>(graph.nodes.size()) - 3};
  }
  const ExecutionRecord record = Play(&graph);
  const auto length = [&](std::size_t n) {
    return static_cast<double>(record.nodes[n].end - record.nodes[n].begin);
  };
  EXPECT_NEAR(length(1) / length(0), 1, 0.001);  // one after another: the same again
  EXPECT_GT(length(2) / length(0), 1.7);         // two side by side
  EXPECT_LT(length(2) / length(0), 2.3);
}

TEST(Execution, NamesMakeNoDifference) {
  ParallelPlan plan;
  plan.tensor = plan.stages = 2;
  plan.microbatches = 3;
  StageWork work;
  work.steps = {{"product", "", 100 * kMicrosecond, 0, 0}, {"sum", "all_reduce", 0, 1 << 22, 0}};
  work.sent_bytes = 1 << 20;
  const auto jobs = RunJobs(
      2,
      [&](std::size_t job) {
        ExecutionGraph graph = ScheduleStages(plan, {work, work}, 0);
        if (job == 1) {
          graph.workload.clear();
          for (ExecutionNode& node : graph.nodes) node.name.clear();
        }
        std::string times;
        for (const NodeTimes& t : Play(&graph).nodes) times += std::to_string(t.end) + " ";
        return times;
      },
      [](std::size_t) {});
  EXPECT_EQ(jobs[0].exit_code, 0) << jobs[0].output;
  EXPECT_GT(jobs[0].output.size(), 100U);
  EXPECT_EQ(jobs[0].output, jobs[1].output);
}

TEST(Execution, PhasesOfACollectiveSumToTheWhole) {
  ExecutionGraph graph = OfRanks(8);
  for (std::int32_t r = 0; r < 8; ++r) graph.nodes.push_back(AllReduce(r, 1 << 20, 0));
  CollectivePhases phases;
  phases.dimensions = {2, 4};
  phases.parts = 2;
  phases.least_part_bytes = 1;
  DivideIntoPhases(phases, "test", &graph);
  // Two parts of: scatter over 2, sum over 4, gather over 2.
  ASSERT_EQ(graph.nodes.size(), 8U * 2 * 3);
  EXPECT_EQ(graph.nodes[0].bytes, 1 << 19);
  EXPECT_EQ(graph.nodes[1].bytes, 1 << 18);
  EXPECT_EQ(graph.groups[static_cast<std::size_t>(graph.nodes[0].group)],
            (std::vector<std::int32_t>{0, 1}));
  EXPECT_EQ(graph.groups[static_cast<std::size_t>(graph.nodes[1].group)],
            (std::vector<std::int32_t>{0, 2, 4, 6}));
  const ExecutionRecord record = Play(&graph);
  EXPECT_GT(record.total, 0U);
  phases.dimensions = {3, 2};
  EXPECT_THROW(DivideIntoPhases(phases, "test", &graph), UserError);
}

TEST(Execution, RanksOfAPlanAreNumberedTensorFirst) {
  const ParallelPlan plan = ParseParallelPlan("tp=4,pp=2,ep=2,sp=on,microbatches=8", 16);
  EXPECT_EQ(plan.ranks(), 16);
  EXPECT_EQ(plan.RankOf(1, 0, 3), 11);
  EXPECT_EQ(plan.RankOf(0, 1, 0), 4);
  EXPECT_TRUE(plan.sequence);
  EXPECT_THROW(ParseParallelPlan("tp=4,pp=8", 16), UserError);
}

}  // namespace
}  // namespace siliscope
