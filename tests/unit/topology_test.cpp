// SPDX-License-Identifier: Apache-2.0
// Systems of several chips: what they publish, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/core/error.h"
#include "workloads/lower/link/ring_search.h"

namespace siliscope {
namespace {

/// Of all links of chip 0 of the first kind, both directions together.
double ChipGigabytesPerSecond(const std::string& system) {
  const Topology t = LoadCluster(system, {}).topology;
  double sum = 0;
  for (std::size_t e = 0; e < t.edges.size(); ++e) {
    const bool own = t.edges[e].a == 0 || t.edges[e].b == 0;
    if (own && t.edges[e].kind == 0) sum += 2 * BytesPerSecond(t, static_cast<int>(2 * e));
  }
  return sum / 1e9;
}

// NVIDIA's whitepapers of P100, V100, A100, H100 and Blackwell.
TEST(Topology, PublishedBandwidthOfAChip) {
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-1-p100"), 160, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-1-v100"), 300, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-2"), 300, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-a100"), 600, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("hgx-a100-4"), 600, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-h100"), 900, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-h200"), 900, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("dgx-b200"), 1800, 1e-6);
  EXPECT_NEAR(ChipGigabytesPerSecond("gb200-nvl72"), 1800, 1e-6);
}

// Jouppi et al., CACM 63-7 (2020): 32 links cross the middle of a 16x16 torus, 15.9 Tbit/s.
TEST(Topology, BisectionOfATorus) {
  const Topology t = LoadCluster("tpu-v2-pod", {}).topology;
  double bits = 0;
  for (std::size_t e = 0; e < t.edges.size(); ++e) {
    const bool low_a = t.edges[e].a / 16 < 8, low_b = t.edges[e].b / 16 < 8;
    if (low_a != low_b) bits += 8 * BytesPerSecond(t, static_cast<int>(2 * e));
  }
  EXPECT_NEAR(bits / 1e12, 15.9, 0.1);
}

TEST(Topology, EverySystemIsConnectedAndEveryPairHasAWay) {
  for (const std::string& name : ListClusters()) {
    const Topology t = LoadCluster(name, {}).topology;
    Routes routes(t);
    const auto last = static_cast<int>(t.chips) - 1;
    for (const int to : {1, last / 2 + 1, last}) {
      const Route route = routes.Between(0, to);
      ASSERT_FALSE(route.empty()) << name << " " << to;
      EXPECT_EQ(BeginOf(t, route.front()), 0);
      EXPECT_EQ(EndOf(t, route.back()), to);
    }
  }
}

// DGX-1 whitepaper: no NVLink between GPU 0 and GPU 5, so the way is over PCIe and the sockets.
std::vector<std::int64_t> LinksOfWays(const Topology& t, int from, int to) {
  std::vector<std::int64_t> links;
  for (const Way& way : Routes(t).SideBySide(from, to)) links.push_back(way.links);
  return links;
}

// Ishii and Wells, "The NVLink-Network Switch", Hot Chips 34 (2022): five, four, four and five.
TEST(Topology, ChipsSpreadTheirPacketsOverTheSwitchesOfANode) {
  const std::vector<std::int64_t> h100 = {5, 4, 4, 5};
  EXPECT_EQ(LinksOfWays(LoadCluster("dgx-h100", {}).topology, 0, 7), h100);
  EXPECT_EQ(LinksOfWays(LoadCluster("gb200-nvl72", {}).topology, 3, 70),
            std::vector<std::int64_t>(18, 1));
  EXPECT_TRUE(LinksOfWays(LoadCluster("dgx-1-v100", {}).topology, 0, 7).empty());
  // Other nodes are reached by their cards.
  EXPECT_TRUE(LinksOfWays(LoadCluster("superpod-h100", {}).topology, 0, 9).empty());
}

// NVIDIA NVSwitch technical overview (2018): six switches a board, 48 links between the boards.
TEST(Topology, BoardsOfDgx2AreJoinedSwitchBySwitch) {
  const Topology t = LoadCluster("dgx-2", {}).topology;
  std::int64_t between = 0;
  for (const TopologyEdge& e : t.edges) between += e.a >= t.chips && e.b >= t.chips ? e.links : 0;
  EXPECT_EQ(between, 48);
  const std::vector<Way> near = Routes(t).SideBySide(0, 7), far = Routes(t).SideBySide(0, 8);
  ASSERT_EQ(near.size(), 6U);
  ASSERT_EQ(far.size(), 6U);
  EXPECT_EQ(near.front().route.size(), 2U);
  EXPECT_EQ(far.front().route.size(), 3U);
}

TEST(Topology, LinksThatFailLeaveTheirSwitchesToOthers) {
  const auto ways = [](const char* failed, const char* count) {
    return LinksOfWays(
        LoadCluster("dgx-h100", {{std::string("topology.failed_links.") + failed, count}}).topology,
        0, 3);
  };
  EXPECT_EQ(ways("nvswitch1", "4"), (std::vector<std::int64_t>{5, 4, 5}));
  EXPECT_EQ(ways("3-nvswitch0", "2"), (std::vector<std::int64_t>{3, 4, 4, 5}));
  EXPECT_EQ(ways("3", "6"), (std::vector<std::int64_t>{3, 2, 3, 4}));
  EXPECT_EQ(ways("5", "6"), (std::vector<std::int64_t>{5, 4, 4, 5}));
}

TEST(Topology, CubeMeshHasPairsWithoutANeighbour) {
  const Topology t = LoadCluster("dgx-1-v100", {}).topology;
  Routes routes(t);
  EXPECT_EQ(routes.Between(0, 4).size(), 1U);
  const Route far = routes.Between(0, 5);
  EXPECT_GT(far.size(), 3U);
  for (const int link : far) EXPECT_NE(t.edges[static_cast<std::size_t>(link) / 2].kind, 0);
}

/// Steps of rings over each link of one direction.
TEST(Topology, RingsOfACubeMeshUseEachLinkOnce) {
  for (const auto& [name, rings_each_way] : {std::pair<const char*, std::size_t>{"dgx-1-v100", 3},
                                             {"dgx-1-p100", 2},
                                             {"hgx-a100-4", 6}}) {
    const Topology t = LoadCluster(name, {}).topology;
    const auto rings = FindRings(t, t.chips);
    EXPECT_EQ(rings.size(), 2 * rings_each_way) << name;
    std::map<std::pair<int, int>, std::int64_t> used;
    for (const auto& ring : rings) {
      for (std::size_t i = 0; i < ring.size(); ++i) {
        ++used[{ring[i], ring[(i + 1) % ring.size()]}];
      }
    }
    for (const auto& [pair, count] : used) {
      std::int64_t links = 0;
      for (const TopologyEdge& e : t.edges) {
        const bool this_way = e.a == pair.first && e.b == pair.second;
        const bool other_way = e.b == pair.first && e.a == pair.second;
        if (this_way || other_way) links += e.links;
      }
      EXPECT_LE(count, links) << name << pair.first << "-" << pair.second;
    }
  }
}

std::string Refusal(const std::string& system, const std::vector<Override>& overrides) {
  try {
    LoadCluster(system, overrides);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

TEST(Topology, MistakesAreNamed) {
  const auto says = [](const std::string& text, const std::string& what) {
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  says(Refusal("dgx-h100", {{"topology.switch_ports", "16"}}), "8 chips with 5 links each need 40");
  says(Refusal("dgx-1-v100", {{"topology.links.0-3", "3"}}), "chip0 has 7 links and 6 ports");
  says(Refusal("dgx-h100", {{"topology.chip_ports", "17"}}), "chip0 has 18 links and 17 ports");
  says(Refusal("superpod-h100", {{"topology.scale_out.oversubscription", "0.5"},
                                 {"topology.scale_out.switch_ports", "64"}}),
       "leaf0.0 has 96 links and 64 ports");
  says(Refusal("dgx-h100", {{"topology.link", "nvlink9"}}), "is not a kind of link");
  says(Refusal("dgx-h100", {{"library", "nccl-1"}}), "is not a library");
  says(Refusal("dgx-1-v100", {{"topology.links.0-9", "1"}}), "not a pair of chips");
  says(Refusal("dgx-1-v100", {{"topology.links.1-0", "1"}}), "given twice");
  says(Refusal("tpu-v2-pod", {{"topology.shape", "16x15"}}), "is not 256 chips");
  says(Refusal("ascend-910-8p", {{"chips", "9"}, {"topology.host_link", "hccs"}}), "");
  says(Refusal("superpod-h100", {{"topology.scale_out.cards", "3"}}), "must divide");
  says(Refusal("dgx-h200x", {}), "unknown system");
  says(Refusal("dgx-2", {{"topology.boards", "3"}}), "do not divide 16 chips");
  says(Refusal("dgx-2", {{"topology.board_links", "0"}}), "chip8 can't be reached from chip0");
  says(Refusal("dgx-h100", {{"topology.board_links", "5"}}), "one board");
  says(Refusal("dgx-2", {{"topology.failed_links.3", "6"}}), "chip3 has no link");
  says(Refusal("dgx-h100", {{"topology.failed_links.nvswitch9", "1"}}), "not a chip or switch");
}

TEST(Topology, ChipsWithoutALinkAreNamed) {
  YamlDocument document = YamlDocument::FromText(
      "name: two\nkind: cluster\nchip: x\nchip_clock: 1 GHz\nchips: 3\nlibrary: dma\n"
      "topology: {kind: mesh, link: nvlink1, links: {0-1: 1}}\n"
      "tuner: {channels: 1, channel_bandwidth: 1 GB/s, run_channels: 1}\n",
      "two.yaml");
  try {
    ParseCluster(std::move(document), {});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_STREQ(e.what(), "two.yaml: topology: chip2 has no link");
  }
}

}  // namespace
}  // namespace siliscope
