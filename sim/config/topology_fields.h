// SPDX-License-Identifier: Apache-2.0
// A system's topology as its file writes it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/config/field_visitor.h"
#include "sim/contract/topology.h"

namespace siliscope {

enum class TopologyKind : std::uint8_t { kSwitched, kMesh, kFullyConnected, kTorus, kPcieTree };

enum class ScaleOutKind : std::uint8_t { kFatTree, kDragonfly };

/// Network cards of a node and the switches between nodes.
struct ScaleOutFields {
  ScaleOutKind kind = ScaleOutKind::kFatTree;
  std::string link, card_link;
  std::int64_t cards = 8;                           ///< of a node
  double card_latency_s = 0, card_bytes_per_s = 0;  ///< of what passes a card; 0 = no limit
  bool rails = true;  ///< of a fat tree: each card of a node has a leaf switch of its own
  std::int64_t nodes_per_leaf = 32;   ///< whose cards of a rail meet in one switch
  std::int64_t spines = 1;            ///< each leaf has links to all
  std::int64_t leaves_per_group = 4;  ///< of a dragonfly, each with links to all others
  std::int64_t local_links = 1, global_links = 1;  ///< between two of a group, two groups
  double oversubscription = 1;
  std::int64_t switch_ports = 0;  ///< of a leaf
  double switch_latency_s = 0;
};

struct TopologyFields {
  TopologyKind kind = TopologyKind::kSwitched;
  std::string link;
  std::map<std::string, double> switches;      ///< links from each chip, by switch
  std::map<std::string, double> failed_links;  ///< by chip, switch or pair
  std::int64_t boards = 1;       ///< each with a part of the chips and with switches of its own
  std::int64_t board_links = 0;  ///< between switches of one name on two boards
  std::int64_t switch_ports = 0, chip_ports = 0;  ///< 0 = as many as there are links
  double switch_latency_s = 0;
  bool reduces_in_network = false;
  std::map<std::string, double> links;  ///< by pair of chips, "0-1"
  std::int64_t links_per_pair = 1;
  std::string shape;  ///< of a torus, "16 x 16"
  bool wrapped = true;
  std::int64_t twist = 0;  ///< of a torus: along its longest dimension, where others wrap
  std::int64_t chips_per_switch = 0, switches_per_bridge = 1;  ///< of a PCIe tree
  std::string host_link;  ///< of a PCIe tree beside other links
  std::string bridge_link;
  double bridge_bytes_per_s = 0;
  bool peer_to_peer = true;
  std::int64_t nodes = 1;
  ScaleOutFields scale_out;
};

void VisitTopology(FieldVisitor& visitor, TopologyFields& fields);

/// Nodes and edges. `place` begins messages. Errors: UserError where links are missing or don't
/// fit.
Topology BuildTopology(const TopologyFields& fields, std::int64_t chips, const std::string& chip,
                       const std::string& place);

/// Names unconnected chips, ports that a switch lacks, pairs that can't reach each other.
void CheckTopology(const Topology& topology, const std::string& place);

}  // namespace siliscope
