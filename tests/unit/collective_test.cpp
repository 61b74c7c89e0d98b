// SPDX-License-Identifier: Apache-2.0
// Collectives: conservation, what must emerge, and what the library chooses. One simulation a test.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>

#include "sim/core/error.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

struct Outcome {
  double us = 0, busbw = 0;
  std::string algorithm, protocol;
  double channels = 0, data_bytes = 0, all_bytes = 0;  ///< that chip 0 sends, that all do
  double came_bytes = 0;                               ///< to chip 0
};

ClusterRequest Ask(const std::string& system, const std::string& op, std::int64_t bytes,
                   std::int64_t ranks, const std::string& algorithm = "",
                   const std::string& protocol = "") {
  ClusterRequest r;
  r.system = system;
  r.collective.op = op;
  r.collective.bytes = bytes;
  r.collective.ranks = ranks;
  r.collective.algorithm = algorithm;
  r.collective.protocol = protocol;
  return r;
}

/// Each in a process of its own: SystemC elaborates once.
std::vector<Outcome> RunAll(const std::vector<ClusterRequest>& requests) {
  const auto jobs = RunJobs(
      requests.size(),
      [&](std::size_t i) {
        const ClusterResult r = SimulateCluster(requests[i]);
        double data = 0, all = 0, came = 0;
        for (const LinkUse& link : r.record.links) {
          if (link.name.rfind("chip0 ->", 0) == 0) data += static_cast<double>(link.data_bytes);
          if (link.name.find("-> chip0") != std::string::npos) {
            came += static_cast<double>(link.data_bytes);
          }
          if (link.name.rfind("chip", 0) == 0) all += static_cast<double>(link.data_bytes);
        }
        return std::to_string(ToMicroseconds(r.record.total)) + " " +
               std::to_string(BusBytesPerSecond(r) / 1e9) + " " + r.program.algorithm + " " +
               r.program.protocol_name + " " + std::to_string(r.program.channels) + " " +
               std::to_string(data) + " " + std::to_string(all) + " " + std::to_string(came);
      },
      [](std::size_t) {});
  std::vector<Outcome> outcomes;
  for (const JobResult& job : jobs) {
    EXPECT_EQ(job.exit_code, 0) << job.output;
    std::istringstream words(job.output);
    Outcome o;
    words >> o.us >> o.busbw >> o.algorithm >> o.protocol >> o.channels >> o.data_bytes >>
        o.all_bytes >> o.came_bytes;
    outcomes.push_back(o);
  }
  return outcomes;
}

constexpr std::int64_t kMiB = 1 << 20;

// A rank sends 2 (n-1)/n of an all-reduce and (n-1)/n of the others; LL doubles it.
TEST(Collective, WireBytesAreConserved) {
  const auto o = RunAll({Ask("dgx-a100", "all_reduce", 64 * kMiB, 8, "ring", "simple"),
                         Ask("dgx-a100", "all_gather", 64 * kMiB, 4, "ring", "simple"),
                         Ask("dgx-a100", "reduce_scatter", 8 * kMiB, 8, "ring", "ll"),
                         Ask("dgx-a100", "all_to_all", 64 * kMiB, 8),
                         Ask("dgx-a100", "all_reduce", 8 * kMiB, 8, "ring", "ll128")});
  EXPECT_NEAR(o[0].data_bytes, 2 * 7.0 / 8 * 64 * kMiB, 0.01 * 64 * kMiB);
  EXPECT_NEAR(o[1].data_bytes, 3.0 / 4 * 64 * kMiB, 0.01 * 64 * kMiB);
  EXPECT_NEAR(o[2].data_bytes, 2 * 7.0 / 8 * 8 * kMiB, 0.01 * 8 * kMiB);
  EXPECT_NEAR(o[3].data_bytes, 7.0 / 8 * 64 * kMiB, 0.01 * 64 * kMiB);
  EXPECT_NEAR(o[4].data_bytes, 16.0 / 15 * 2 * 7.0 / 8 * 8 * kMiB, 0.01 * 8 * kMiB);
}

// Measured (nccl-tests): A100 reduce-scatter of 256 MiB 163, 195, 204 GB/s for 2, 4, 8 ranks, as
// the step within the chip counts less. No bandwidth is above the raw link.
TEST(Collective, BusBandwidthRisesWithRanks) {
  const auto o = RunAll({Ask("dgx-a100", "reduce_scatter", 256 * kMiB, 2),
                         Ask("dgx-a100", "reduce_scatter", 256 * kMiB, 4),
                         Ask("dgx-a100", "reduce_scatter", 256 * kMiB, 8),
                         Ask("dgx-h100", "all_gather", 256 * kMiB, 2),
                         Ask("dgx-h100", "all_gather", 256 * kMiB, 4),
                         Ask("dgx-h100", "all_gather", 256 * kMiB, 8)});
  EXPECT_LT(o[0].busbw, o[1].busbw);
  EXPECT_LT(o[1].busbw, o[2].busbw);
  EXPECT_LT(o[2].busbw, 300);
  EXPECT_LT(o[3].busbw, o[4].busbw);
  EXPECT_LT(o[4].busbw, o[5].busbw);
  EXPECT_LT(o[5].busbw, 450);
}

// Each of a tree's n - 1 edges carries all data once up and once down, whatever the number of nodes
// and of their chips.
TEST(Collective, TreesSendEverythingOverEachEdgeTwice) {
  std::vector<ClusterRequest> requests;
  std::vector<double> ranks;
  for (const int nodes : {2, 3, 5, 8}) {
    for (const int chips : {1, 2, 4}) {
      ClusterRequest r = Ask("superpod-h100", "all_reduce", kMiB, nodes * chips, "tree", "simple");
      r.overrides = {{"topology.nodes", std::to_string(nodes)},
                     {"chips", std::to_string(chips)},
                     {"topology.scale_out.cards", std::to_string(chips)}};
      requests.push_back(r);
      ranks.push_back(nodes * chips);
    }
  }
  const auto o = RunAll(requests);
  for (std::size_t i = 0; i < o.size(); ++i) {
    EXPECT_EQ(o[i].algorithm, "tree");
    EXPECT_NEAR(o[i].all_bytes / kMiB, 2 * (ranks[i] - 1), 0.01 * ranks[i]) << ranks[i];
  }
}

// 2 log N steps are fewer than 2 (N - 1); but each link of the ring carries less.
TEST(Collective, TreesAreForSmallSizes) {
  const auto o = RunAll({Ask("superpod-h100", "all_reduce", 1024, 128, "tree"),
                         Ask("superpod-h100", "all_reduce", 1024, 128, "ring"),
                         Ask("superpod-h100", "all_reduce", 256 * kMiB, 128, "tree"),
                         Ask("superpod-h100", "all_reduce", 256 * kMiB, 128, "ring")});
  EXPECT_LT(o[0].us, 0.6 * o[1].us);
  EXPECT_GT(o[2].us, 1.1 * o[3].us);
}

// The library's choices, as measured curves jump: A100 all-reduce of 8 is LL below 4 MiB, LL128
// below 32 MiB; 8 H100 reduce in the switch from 2 MiB, 4 of them don't.
TEST(Collective, TheTunerChooses) {
  const auto o = RunAll(
      {Ask("dgx-a100", "all_reduce", 2 * kMiB, 8), Ask("dgx-a100", "all_reduce", 16 * kMiB, 8),
       Ask("dgx-a100", "all_reduce", 32 * kMiB, 8), Ask("dgx-h100", "all_reduce", 2 * kMiB, 8),
       Ask("dgx-h100", "all_reduce", 1 * kMiB, 8), Ask("dgx-h100", "all_reduce", 32 * kMiB, 4)});
  EXPECT_EQ(o[0].protocol, "ll");
  EXPECT_EQ(o[1].protocol, "ll128");
  EXPECT_EQ(o[2].protocol, "simple");
  EXPECT_EQ(o[3].algorithm, "nvls");
  EXPECT_EQ(o[4].algorithm, "ring");
  EXPECT_EQ(o[5].algorithm, "ring");
}

// The slope of time over steps of the smallest call is LL's hop: links and poll.
TEST(Collective, SmallestCallsGrowByAHopAStep) {
  const auto o =
      RunAll({Ask("dgx-h100", "all_gather", 512, 2), Ask("dgx-h100", "all_gather", 512, 4),
              Ask("dgx-h100", "all_gather", 512, 8)});
  EXPECT_NEAR((o[1].us - o[0].us) / 2, 0.84, 0.05);
  EXPECT_NEAR((o[2].us - o[1].us) / 4, 0.84, 0.05);
}

// Measured on 8 A100 (mechanisms of NCCL): flat up to 16 KiB, one rise of about 5 us where more
// data than a line of each thread is sent, nearly flat again while channels are added: 30.1 us of
// 512 KiB (configs/measurements/collectives.csv).
TEST(Collective, SmallSizesHavePlateaus) {
  const auto o =
      RunAll({Ask("dgx-a100", "all_reduce", 512, 8), Ask("dgx-a100", "all_reduce", 16384, 8),
              Ask("dgx-a100", "all_reduce", 65536, 8), Ask("dgx-a100", "all_reduce", 524288, 8)});
  EXPECT_LT(o[1].us - o[0].us, 3.5);
  EXPECT_NEAR(o[2].us - o[1].us, 5, 1);
  EXPECT_NEAR(o[3].us, 30.1, 1);
}

// A loop of all chunks passes each of the three stages in 4.8 us and its data's time: 18.3 us of
// chunks of 32 KiB, 31.8 us of 64 KiB (published logs of an H100 node).
TEST(Collective, StagesInTheSwitch) {
  const auto o = RunAll({Ask("dgx-h100", "all_reduce", 8 * kMiB, 8, "nvls"),
                         Ask("dgx-h100", "all_reduce", 16 * kMiB, 8, "nvls"),
                         Ask("dgx-h100", "all_reduce", 64 * kMiB, 8, "nvls"),
                         Ask("dgx-h100", "all_reduce", 128 * kMiB, 8, "nvls")});
  EXPECT_NEAR((o[1].us - o[0].us) / 2, 18.3, 0.5);  // 2 and 4 loops
  EXPECT_NEAR((o[3].us - o[2].us) / 8, 31.8, 0.5);  // 8 and 16
}

// A rank sends all it has up and gets a part of the sums, or sends its part and gets all: half of
// what an all-reduce moves through each of its links.
TEST(Collective, HalvesOfAnAllReduceInTheSwitch) {
  constexpr double kBytes = 256 * kMiB;
  const auto o = RunAll({Ask("dgx-h100", "all_reduce", 256 * kMiB, 8, "nvls"),
                         Ask("dgx-h100", "reduce_scatter", 256 * kMiB, 8, "nvls"),
                         Ask("dgx-h100", "all_gather", 256 * kMiB, 8, "nvls")});
  EXPECT_NEAR(o[0].data_bytes, kBytes * 9 / 8, 0.01 * kBytes);
  EXPECT_NEAR(o[0].came_bytes, kBytes * 9 / 8, 0.01 * kBytes);
  EXPECT_NEAR(o[1].data_bytes, kBytes, 0.01 * kBytes);
  EXPECT_EQ(o[1].came_bytes, 0);
  EXPECT_NEAR(o[2].came_bytes, kBytes, 0.01 * kBytes);
  EXPECT_EQ(o[2].data_bytes, 0);
  for (const Outcome& half : {o[1], o[2]}) {
    EXPECT_EQ(half.algorithm, "nvls");
    EXPECT_LT(half.us, o[0].us);
  }
}

// CTAs limit an all-reduce in the switch and all-to-all of two, not the links; a ring is limited by
// its links.
TEST(Collective, TwiceTheLinkHelpsTheRingOnly) {
  std::vector<ClusterRequest> requests;
  for (const char* link : {"nvlink4", "nvlink5"}) {
    for (ClusterRequest r : {Ask("dgx-h100", "all_reduce", 512 * kMiB, 8, "nvls"),
                             Ask("dgx-h100", "all_to_all", 256 * kMiB, 2),
                             Ask("dgx-h100", "all_reduce", 512 * kMiB, 8, "ring", "simple")}) {
      r.overrides = {{"topology.link", link}};
      requests.push_back(r);
    }
  }
  const auto o = RunAll(requests);
  EXPECT_NEAR(o[3].us / o[0].us, 1, 0.03);
  EXPECT_NEAR(o[4].us / o[1].us, 1, 0.03);
  EXPECT_LT(o[5].us / o[2].us, 0.85);
}

TEST(Collective, RanksAlikePlayedOnceTakeTheSameTime) {
  std::vector<ClusterRequest> requests;
  for (const bool symmetry : {true, false}) {
    for (ClusterRequest r : {Ask("superpod-h100", "all_reduce", 8 * kMiB, 64),
                             Ask("dgx-a100", "all_gather", 64 * kMiB, 8),
                             Ask("tpu-v2-pod", "all_reduce", 16 * kMiB, 0)}) {
      r.collective.symmetry = symmetry;
      requests.push_back(r);
    }
  }
  const auto o = RunAll(requests);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_DOUBLE_EQ(o[i].us, o[i + 3].us) << i;
}

// One buffer step less, one link less, a slower clock: times move the documented way.
TEST(Collective, StructureMovesTimes) {
  const ClusterRequest base = Ask("dgx-h100", "all_reduce", 128 * kMiB, 8, "ring", "simple");
  std::vector<ClusterRequest> requests(5, base);
  requests[1].overrides = {{"topology.switches.nvswitch0", "4"}};
  requests[2].overrides = {{"times.slice", "4 us"}};
  requests[3].overrides = {{"tuner.run_channels", "4"}};
  requests[4].overrides = {{"times.sync_hop", "20 us"}};
  const auto o = RunAll(requests);
  EXPECT_GT(o[1].us, o[0].us);
  EXPECT_LT(o[1].us, 1.1 * o[0].us);
  EXPECT_GT(o[2].us, o[0].us);
  EXPECT_GT(o[3].us, 2 * o[0].us);  // four CTAs can't fill the links
  EXPECT_GT(o[4].us, o[0].us);
}

// (c) Two that share links slow each other down; one of few bytes is done long before the other.
TEST(Collective, TwoOnTheSameLinksSlowEachOther) {
  const ClusterRequest alone = Ask("dgx-h100", "all_reduce", 128 * kMiB, 8, "ring", "simple");
  ClusterRequest both = alone;
  both.beside = {alone.collective};
  const auto o = RunAll({alone, both});
  EXPECT_GT(o[1].us, 1.7 * o[0].us);
  EXPECT_LT(o[1].us, 2.1 * o[0].us);
}

// All wait for a rank that begins late, for about as long as it is late.
TEST(Collective, ALateRankDelaysAll) {
  ClusterRequest late = Ask("dgx-a100", "all_reduce", 64 * kMiB, 8);
  const ClusterRequest in_time = late;
  late.collective.late_rank = 3;
  late.collective.late_s = 500e-6;
  const auto o = RunAll({in_time, late});
  EXPECT_GT(o[1].us, o[0].us + 400);
  EXPECT_LT(o[1].us, o[0].us + 520);
}

// A ring is as fast as its slowest link; a mesh finds rings over the links that are left.
TEST(Collective, BrokenLinksAreRoutedAround) {
  const ClusterRequest switched = Ask("dgx-h100", "all_reduce", 128 * kMiB, 8, "ring", "simple");
  ClusterRequest half = switched;
  half.overrides = {{"topology.failed_links.3", "9"}};
  const ClusterRequest mesh = Ask("dgx-1-v100", "all_reduce", 128 * kMiB, 8, "ring", "simple");
  ClusterRequest broken = mesh;
  broken.overrides = {{"topology.failed_links.0-4", "2"}};
  const auto o = RunAll({switched, half, mesh, broken});
  EXPECT_NEAR(o[1].us / o[0].us, 2, 0.25);
  EXPECT_NEAR(o[3].us / o[2].us, 1.5, 0.2);  // two rings of three each way
}

TEST(Collective, MistakesAreNamed) {
  const auto says = [](const ClusterRequest& r, const std::string& what) {
    try {
      SimulateCluster(r);
      FAIL() << what;
    } catch (const UserError& e) {
      EXPECT_NE(std::string(e.what()).find(what), std::string::npos) << e.what();
    }
  };
  says(Ask("dgx-a100", "all_reduce", kMiB, 9), "from 2 to its 8 chips");
  says(Ask("dgx-a100", "all_redduce", kMiB, 8), "did you mean \"all_reduce\"");
  says(Ask("dgx-a100", "all_reduce", kMiB, 8, "nvls"), "can't be");
  says(Ask("pcie-8xl40s", "all_reduce", kMiB, 8, "", "ll128"), "can't be");
}

}  // namespace
}  // namespace siliscope
