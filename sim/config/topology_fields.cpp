// SPDX-License-Identifier: Apache-2.0
#include "sim/config/topology_fields.h"

namespace siliscope {

void VisitTopology(FieldVisitor& v, TopologyFields& s) {
  int kind = static_cast<int>(s.kind);
  v.Choice("kind", kind, {"switched", "mesh", "fully_connected", "torus", "pcie_tree"},
           Need::kRequired, "how the chips of a node are connected");
  s.kind = static_cast<TopologyKind>(kind);
  v.Text("link", s.link, Need::kRequired, "the kind of link: a file of configs/links");
  v.Table("switches", s.switches, Dimension::kPlain, Need::kOptional,
          "switched: links from each chip to each switch, by the switch's name");
  v.Table("failed_links", s.failed_links, Dimension::kPlain, Need::kOptional,
          "that do not work: switched, of a chip (its number), of each chip to a switch (its "
          "name), or of both (3-nvswitch1); mesh and torus, of a pair such as 0-1");
  v.Integer("boards", s.boards, {1, 64}, Need::kOptional,
            "switched: boards of a node, each with a part of the chips and with all the switches");
  v.Integer("board_links", s.board_links, {0, 4096}, Need::kOptional,
            "switched: links between the switches of one name on two boards");
  v.Integer("switch_ports", s.switch_ports, {0, 4096}, Need::kOptional,
            "links that a switch has room for");
  v.Integer("chip_ports", s.chip_ports, {0, 4096}, Need::kOptional,
            "links of the kind above that a chip has room for");
  v.Real("switch_latency", s.switch_latency_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "of a packet through a switch");
  v.Flag("reduces_in_network", s.reduces_in_network, Need::kOptional,
         "switches add up what is read through them, and multicast");
  v.Table("links", s.links, Dimension::kPlain, Need::kOptional,
          "mesh: links between two chips, by their numbers, such as 0-1: 2");
  v.Integer("links_per_pair", s.links_per_pair, {1, 4096}, Need::kOptional,
            "fully_connected: links between any two chips");
  v.Text("shape", s.shape, Need::kOptional, "torus: chips along each dimension, such as 16x16");
  v.Flag("wrapped", s.wrapped, Need::kOptional, "torus: the ends of each dimension are connected");
  v.Integer(
      "twist", s.twist, {0, 65536}, Need::kOptional,
      "torus: chips along its longest dimension by which the ends of the others meet shifted");
  v.Text("host_link", s.host_link, Need::kOptional,
         "the kind of link of a PCIe tree beside the others, for pairs that have no better way");
  v.Integer("chips_per_switch", s.chips_per_switch, {0, 4096}, Need::kOptional,
            "PCIe: chips below a switch; 0 = each is below a host bridge");
  v.Integer("switches_per_bridge", s.switches_per_bridge, {1, 4096}, Need::kOptional,
            "PCIe: switches (or chips) below a host bridge");
  v.Text("bridge_link", s.bridge_link, Need::kOptional,
         "PCIe: the kind of link between host bridges, or none; default: link");
  v.Real("bridge_bandwidth", s.bridge_bytes_per_s, Dimension::kBandwidth, {0, 1e15},
         Need::kOptional, "PCIe: of all that passes through a host bridge, each direction");
  v.Flag("peer_to_peer", s.peer_to_peer, Need::kOptional,
         "PCIe: chips reach each other's memory; else data goes through the host's");
  v.Integer("nodes", s.nodes, {1, 65536}, Need::kOptional, "nodes alike, each with its chips");
  if (v.BeginSection("scale_out", Need::kOptional, "the network between nodes")) {
    int network = static_cast<int>(s.scale_out.kind);
    v.Choice("network", network, {"fat_tree", "dragonfly"}, Need::kOptional,
             "leaf switches a rail with spines above, or groups of switches joined to each other");
    s.scale_out.kind = static_cast<ScaleOutKind>(network);
    v.Text("link", s.scale_out.link, Need::kRequired, "between cards and switches");
    v.Text("card_link", s.scale_out.card_link, Need::kRequired, "between a chip and its card");
    v.Integer("cards", s.scale_out.cards, {1, 4096}, Need::kOptional, "of a node: one a rail");
    v.Real("card_latency", s.scale_out.card_latency_s, Dimension::kTime, {0, 1}, Need::kOptional,
           "of a packet through a card");
    v.Real("card_bandwidth", s.scale_out.card_bytes_per_s, Dimension::kBandwidth, {0, 1e15},
           Need::kOptional, "of all that passes through a card, each direction; 0 = its links'");
    v.Flag("rails", s.scale_out.rails, Need::kOptional,
           "fat tree: each card of a node has a leaf switch of its own; default: true");
    v.Integer("nodes_per_leaf", s.scale_out.nodes_per_leaf, {1, 65536}, Need::kOptional,
              "whose cards of a rail meet in one leaf switch");
    v.Integer("spines", s.scale_out.spines, {1, 4096}, Need::kOptional,
              "fat tree: spine switches, to each of which a leaf has a part of its links up");
    v.Integer("leaves_per_group", s.scale_out.leaves_per_group, {1, 4096}, Need::kOptional,
              "dragonfly: leaf switches of a group, any two of which are joined");
    v.Integer("local_links", s.scale_out.local_links, {1, 4096}, Need::kOptional,
              "dragonfly: between two leaf switches of a group");
    v.Integer("global_links", s.scale_out.global_links, {1, 4096}, Need::kOptional,
              "dragonfly: between two groups");
    v.Real("oversubscription", s.scale_out.oversubscription, Dimension::kPlain, {0.01, 1e3},
           Need::kOptional, "links down of a leaf switch / links up");
    v.Integer("switch_ports", s.scale_out.switch_ports, {0, 4096}, Need::kOptional,
              "links that a leaf switch has room for");
    v.Real("switch_latency", s.scale_out.switch_latency_s, Dimension::kTime, {0, 1},
           Need::kOptional, "of a packet through a switch");
    v.EndSection();
  }
}

}  // namespace siliscope
