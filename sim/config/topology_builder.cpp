// SPDX-License-Identifier: Apache-2.0
// Nodes and edges from the fields of a system's file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <utility>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/config/topology_fields.h"
#include "sim/config/torus_builder.h"
#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

class Builder {
 public:
  Builder(const TopologyFields& fields, std::int64_t chips, std::string chip, std::string place)
      : f_(fields), chips_(chips), chip_(std::move(chip)), place_(std::move(place)) {}

  Topology Build() {
    t_.chips = chips_ * f_.nodes;
    t_.through_host = !f_.peer_to_peer;
    if (f_.nodes > 1) t_.chips_of_node = chips_;
    constexpr std::int64_t kMostChips = 65536, kMostPairs = 1024;
    if (t_.chips > kMostChips) {
      Fail(fmt::format("{} chips in {} nodes: at most {} in all", chips_, f_.nodes, kMostChips));
    }
    if (f_.kind == TopologyKind::kFullyConnected && chips_ > kMostPairs) {
      Fail(fmt::format("topology.kind: fully_connected of {} chips; at most {}", chips_,
                       kMostPairs));
    }
    for (std::int64_t c = 0; c < t_.chips; ++c) {
      t_.nodes.push_back(
          {fmt::format("{}{}", chip_, c), NodeKind::kChip, 0, 0, false, f_.chip_ports});
    }
    link_ = Kind(f_.link, "topology.link");
    for (node_ = 0; node_ < f_.nodes; ++node_) BuildNode();
    if (f_.nodes > 1) BuildScaleOut();
    return std::move(t_);
  }

 private:
  [[noreturn]] void Fail(const std::string& what) const { throw UserError(place_ + ": " + what); }

  std::int32_t Kind(const std::string& name, const char* key) {
    for (std::size_t k = 0; k < t_.kinds.size(); ++k) {
      if (t_.kinds[k].name == name) return static_cast<std::int32_t>(k);
    }
    t_.kinds.push_back(LoadLinkKind(name, place_ + ": " + key));
    return static_cast<std::int32_t>(t_.kinds.size()) - 1;
  }
  std::int32_t AddNode(const std::string& name, NodeKind kind, double latency_s) {
    TopologyNode n;
    n.name = f_.nodes > 1 ? fmt::format("node{}.{}", node_, name) : name;
    n.kind = kind;
    n.latency_s = latency_s;
    t_.nodes.push_back(std::move(n));
    return static_cast<std::int32_t>(t_.nodes.size()) - 1;
  }
  void Connect(std::int32_t a, std::int32_t b, std::int32_t kind, std::int64_t links) {
    t_.edges.push_back({a, b, kind, links});
  }
  std::int32_t Chip(std::int64_t in_node) const {
    return static_cast<std::int32_t>(node_ * chips_ + in_node);
  }

  void CheckFailedLinks() const {
    const auto is_chip = [&](const std::string& name) {
      return !name.empty() && name.size() < 9 &&
             name.find_first_not_of("0123456789") == std::string::npos && std::stoll(name) < chips_;
    };
    for (const auto& [of, count] : f_.failed_links) {
      bool known = (f_.kind == TopologyKind::kMesh && f_.links.count(of) > 0) ||
                   (f_.kind == TopologyKind::kTorus && f_.nodes == 1);  // looked for as it is built
      if (f_.kind == TopologyKind::kSwitched) {
        const std::size_t dash = of.find('-');
        known = is_chip(of) || f_.switches.count(of) > 0 ||
                (dash != std::string::npos && is_chip(of.substr(0, dash)) &&
                 f_.switches.count(of.substr(dash + 1)) > 0);
      }
      if (!known) {
        Fail("topology.failed_links." + of +
             ": not a chip or switch of a switched node, nor a pair of a mesh or torus");
      }
    }
  }

  void BuildNode() {
    CheckFailedLinks();
    BuildLinks();
    if (f_.kind != TopologyKind::kPcieTree && !f_.host_link.empty()) {
      BuildPcieTree(Kind(f_.host_link, "topology.host_link"));
    }
  }

  void BuildLinks() {
    switch (f_.kind) {
      case TopologyKind::kSwitched:
        return BuildSwitched();
      case TopologyKind::kMesh:
        return BuildMesh();
      case TopologyKind::kFullyConnected:
        for (std::int64_t a = 0; a < chips_; ++a) {
          for (std::int64_t b = a + 1; b < chips_; ++b) {
            Connect(Chip(a), Chip(b), link_, f_.links_per_pair);
          }
        }
        return;
      case TopologyKind::kTorus:
        return AddTorus(f_, Chip(0), chips_, link_, place_, &t_);
      case TopologyKind::kPcieTree:
        return BuildPcieTree(link_);
    }
  }

  /// Each chip has links to all switches of its board, over which it spreads its packets.
  void BuildSwitched() {
    if (f_.switches.empty()) Fail("topology.switches: this key is missing");
    if (chips_ % f_.boards != 0) {
      Fail(fmt::format("topology.boards: {} do not divide {} chips", f_.boards, chips_));
    }
    if (f_.board_links > 0 && f_.boards == 1) {
      Fail("topology.board_links: there is one board (topology.boards)");
    }
    std::int64_t links = 0;
    for (const auto& [name, count] : f_.switches) links += LinksTo(name, count);
    std::vector<std::map<std::string, std::int64_t>> left;  // by chip
    for (std::int64_t c = 0; c < chips_; ++c) left.push_back(WorkingLinks(c, links));
    const std::int64_t of_board = chips_ / f_.boards;
    for (const auto& [name, count] : f_.switches) {
      std::vector<std::int32_t> same;
      for (std::int64_t board = 0; board < f_.boards; ++board) {
        same.push_back(AddNode(f_.boards > 1 ? fmt::format("board{}.{}", board, name) : name,
                               NodeKind::kSwitch, f_.switch_latency_s));
        t_.nodes.back().reduces_in_network = f_.reduces_in_network;
        t_.nodes.back().spreads = true;
        for (std::int64_t c = board * of_board; c < (board + 1) * of_board; ++c) {
          const std::int64_t work = left[static_cast<std::size_t>(c)][name];
          if (work > 0) Connect(Chip(c), same.back(), link_, work);
        }
        for (std::size_t b = 0; b + 1 < same.size() && f_.board_links > 0; ++b) {
          Connect(same[b], same.back(), link_, f_.board_links);
        }
      }
    }
  }

  /// Of each chip to a switch.
  std::int64_t LinksTo(const std::string& name, double count) const {
    const auto each = static_cast<std::int64_t>(count);
    if (each < 1 || static_cast<double>(each) != count) {
      Fail("topology.switches." + name + ": a whole number of links");
    }
    const std::int64_t of_board = chips_ / f_.boards, others = f_.boards - 1;
    const std::int64_t needed = each * of_board + others * f_.board_links;
    if (f_.switch_ports > 0 && needed > f_.switch_ports) {
      Fail(fmt::format(
          "topology.switches.{}: {} chips with {} links each{} need {} ports; it has {}", name,
          of_board, each,
          others > 0 ? fmt::format(" and {} boards with {}", others, f_.board_links) : "", needed,
          f_.switch_ports));
    }
    return each;
  }

  /// A chip's links that work, by switch. Where only their number is known, the switches lose one
  /// each in turn.
  std::map<std::string, std::int64_t> WorkingLinks(std::int64_t chip, std::int64_t links) const {
    std::map<std::string, std::int64_t> left;
    for (const auto& [name, count] : f_.switches) {
      const auto each = static_cast<std::int64_t>(count);
      left[name] = each - std::min(each, FailedLinks(name, each) +
                                             FailedLinks(fmt::format("{}-{}", chip, name), each));
    }
    for (std::int64_t failed = FailedLinks(std::to_string(chip), links); failed > 0;) {
      const std::int64_t before = failed;
      for (auto& [name, work] : left) {
        if (work > 0 && failed > 0) --work, --failed;
      }
      if (failed == before) break;
    }
    return left;
  }

  std::int64_t FailedLinks(const std::string& of, std::int64_t links) const {
    const auto failed = f_.failed_links.find(of);
    if (failed == f_.failed_links.end()) return 0;
    const auto count = static_cast<std::int64_t>(failed->second);
    if (count < 0 || count > links || static_cast<double>(count) != failed->second) {
      Fail(fmt::format("topology.failed_links.{}: of its {} links", of, links));
    }
    return count;
  }

  void BuildMesh() {
    for (const auto& [pair, count] : f_.links) {
      std::int64_t a = -1, b = -1;
      char dash = 0;
      std::istringstream words(pair);
      words >> a >> dash >> b;
      if (!words || dash != '-' || a < 0 || b < 0 || a >= chips_ || b >= chips_ || a == b) {
        Fail("topology.links." + pair + ": not a pair of chips such as 0-1");
      }
      if (count < 1 || std::floor(count) != count) {
        Fail("topology.links." + pair + ": a whole number of links");
      }
      for (const TopologyEdge& e : t_.edges) {
        if ((e.a == Chip(a) && e.b == Chip(b)) || (e.a == Chip(b) && e.b == Chip(a))) {
          Fail("topology.links." + pair +
               ": this pair is given twice; links are of both directions");
        }
      }
      const auto links = static_cast<std::int64_t>(count);
      const std::int64_t left = links - FailedLinks(pair, links);
      if (left > 0) Connect(Chip(a), Chip(b), link_, left);
    }
  }

  void BuildPcieTree(std::int32_t link) {
    const std::int64_t below = std::max<std::int64_t>(1, f_.chips_per_switch);
    const std::int64_t per_bridge = below * f_.switches_per_bridge;
    const bool meet = f_.bridge_link != "none";
    const std::int32_t between =
        !meet || f_.bridge_link.empty() ? link : Kind(f_.bridge_link, "topology.bridge_link");
    std::vector<std::int32_t> bridges;
    for (std::int64_t first = 0; first < chips_; first += per_bridge) {
      bridges.push_back(AddNode(fmt::format("host{}", bridges.size()), NodeKind::kHostBridge,
                                f_.switch_latency_s));
      t_.nodes.back().bytes_per_s = f_.bridge_bytes_per_s;
      for (std::int64_t s = first; s < std::min(chips_, first + per_bridge); s += below) {
        std::int32_t above = bridges.back();
        if (f_.chips_per_switch > 0) {
          above = AddNode(fmt::format("pcie_switch{}", s / below), NodeKind::kSwitch,
                          f_.switch_latency_s);
          Connect(above, bridges.back(), link, 1);
        }
        for (std::int64_t c = s; c < std::min(chips_, s + below); ++c) {
          Connect(Chip(c), above, link, 1);
        }
      }
    }
    for (std::size_t b = 1; b < bridges.size() && meet; ++b) {
      Connect(bridges[b - 1], bridges[b], between, 1);
    }
  }

  void BuildScaleOut() {
    const ScaleOutFields& s = f_.scale_out;
    if (s.link.empty()) Fail("topology.scale_out: this key is missing; there are several nodes");
    if (chips_ % s.cards != 0) Fail("topology.scale_out.cards: must divide the chips of a node");
    const std::int32_t wire = Kind(s.link, "topology.scale_out.link");
    const std::int32_t to_card = Kind(s.card_link, "topology.scale_out.card_link");
    if (s.kind == ScaleOutKind::kFatTree) {
      if (s.local_links > 1 || s.global_links > 1) {
        Fail("topology.scale_out: local_links and global_links are of a dragonfly");
      }
      BuildFatTree(wire, to_card);
    } else {
      if (s.spines > 1 || s.oversubscription != 1) {
        Fail("topology.scale_out: spines and oversubscription are of a fat tree");
      }
      BuildDragonfly(wire, to_card);
    }
  }

  std::int32_t AddSwitch(const std::string& name) {
    t_.nodes.push_back({name, NodeKind::kSwitch, f_.scale_out.switch_latency_s, 0, false, 0});
    return static_cast<std::int32_t>(t_.nodes.size()) - 1;
  }

  /// The card of one rail of the node, its chips, and the leaf switch above it.
  void AddCard(std::int64_t rail, std::int32_t leaf, std::int32_t wire, std::int32_t to_card) {
    const std::int32_t card =
        AddNode(fmt::format("nic{}", rail), NodeKind::kNetworkCard, f_.scale_out.card_latency_s);
    t_.nodes.back().bytes_per_s = f_.scale_out.card_bytes_per_s;
    const std::int64_t share = chips_ / f_.scale_out.cards;
    for (std::int64_t c = 0; c < share; ++c) Connect(Chip(rail * share + c), card, to_card, 1);
    Connect(card, leaf, wire, 1);
  }

  /// A rail connects the cards of equal place of all nodes: leaf switches, and spines above them.
  /// Without rails all cards of a node meet in one leaf.
  void BuildFatTree(std::int32_t wire, std::int32_t to_card) {
    const ScaleOutFields& s = f_.scale_out;
    const std::int64_t leaves = CeilDivide(f_.nodes, s.nodes_per_leaf);
    std::vector<std::int32_t> all, leaf;
    for (std::int64_t rail = 0; rail < s.cards; ++rail) {
      if (s.rails) leaf.clear();
      const bool adds = leaf.empty();
      for (std::int64_t i = 0; i < leaves && adds; ++i) {
        leaf.push_back(
            AddSwitch(s.rails ? fmt::format("leaf{}.{}", rail, i) : fmt::format("leaf{}", i)));
        t_.nodes.back().ports = s.switch_ports;
      }
      for (node_ = 0; node_ < f_.nodes; ++node_) {
        AddCard(rail, leaf[static_cast<std::size_t>(node_ / s.nodes_per_leaf)], wire, to_card);
      }
      if (adds) all.insert(all.end(), leaf.begin(), leaf.end());
    }
    const auto up = std::max<std::int64_t>(
        1, std::llround(static_cast<double>(s.nodes_per_leaf * (s.rails ? 1 : s.cards)) /
                        s.oversubscription));
    if (up % s.spines != 0) {
      Fail(fmt::format("topology.scale_out.spines: {} do not divide the {} links up of a leaf",
                       s.spines, up));
    }
    for (std::int64_t i = 0; i < s.spines; ++i) {
      const std::int32_t spine = AddSwitch(s.spines > 1 ? fmt::format("spine{}", i) : "spine");
      if (s.spines > 1) t_.nodes.back().ports = s.switch_ports;  // else it stands for many
      for (const std::int32_t l : all) Connect(l, spine, wire, up / s.spines);
    }
  }

  /// All cards of a node meet in one leaf switch; those of a group are joined pair by pair, and the
  /// groups are, each by another of its switches (Kim et al., "Technology-driven, highly-scalable
  /// dragonfly topology", ISCA 2008).
  void BuildDragonfly(std::int32_t wire, std::int32_t to_card) {
    const ScaleOutFields& s = f_.scale_out;
    const std::int64_t leaves = CeilDivide(f_.nodes, s.nodes_per_leaf);
    std::vector<std::int32_t> leaf;
    for (std::int64_t i = 0; i < leaves; ++i) {
      leaf.push_back(
          AddSwitch(fmt::format("group{}.leaf{}", i / s.leaves_per_group, i % s.leaves_per_group)));
      t_.nodes.back().ports = s.switch_ports;
    }
    for (node_ = 0; node_ < f_.nodes; ++node_) {
      for (std::int64_t rail = 0; rail < s.cards; ++rail) {
        AddCard(rail, leaf[static_cast<std::size_t>(node_ / s.nodes_per_leaf)], wire, to_card);
      }
    }
    const auto group_end = [&](std::int64_t group) {
      return std::min(leaves, (group + 1) * s.leaves_per_group);
    };
    const std::int64_t groups = CeilDivide(leaves, s.leaves_per_group);
    for (std::int64_t g = 0; g < groups; ++g) {
      for (std::int64_t a = g * s.leaves_per_group; a < group_end(g); ++a) {
        for (std::int64_t b = a + 1; b < group_end(g); ++b) {
          Connect(leaf[static_cast<std::size_t>(a)], leaf[static_cast<std::size_t>(b)], wire,
                  s.local_links);
        }
      }
    }
    const auto gate = [&](std::int64_t from, std::int64_t to) {
      const std::int64_t first = from * s.leaves_per_group;
      return leaf[static_cast<std::size_t>(first + (to + groups - from - 1) % groups %
                                                       (group_end(from) - first))];
    };
    for (std::int64_t a = 0; a < groups; ++a) {
      for (std::int64_t b = a + 1; b < groups; ++b) {
        Connect(gate(a, b), gate(b, a), wire, s.global_links);
      }
    }
  }

  const TopologyFields& f_;
  std::int64_t chips_;
  std::string chip_, place_;
  Topology t_;
  std::int32_t link_ = 0;
  std::int64_t node_ = 0;
};

}  // namespace

Topology BuildTopology(const TopologyFields& fields, std::int64_t chips, const std::string& chip,
                       const std::string& place) {
  return Builder(fields, chips, chip, place).Build();
}

}  // namespace siliscope
