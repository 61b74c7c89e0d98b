// SPDX-License-Identifier: Apache-2.0
// Chips, switches and hosts, and the links between them. Chips come first and are numbered as
// ranks.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/contract/link_spec.h"

namespace siliscope {

enum class NodeKind : std::uint8_t { kChip, kSwitch, kHostBridge, kNetworkCard };

struct TopologyNode {
  std::string name;
  NodeKind kind = NodeKind::kChip;
  double latency_s = 0;             ///< of what passes through
  double bytes_per_s = 0;           ///< of all that passes through; 0 = without limit
  bool reduces_in_network = false;  ///< adds up what is read through it, and multicasts
  std::int64_t ports = 0;           ///< links that it has room for; 0 = as many as there are
  bool spreads = false;  ///< chips spread their packets over all such switches between them
};

/// Links of one kind between two nodes, side by side: packets are spread over all of them.
struct TopologyEdge {
  std::int32_t a = 0, b = 0;
  std::int32_t kind = 0;  ///< index into Topology::kinds
  std::int64_t links = 1;
};

struct Topology {
  std::vector<LinkSpec> kinds;
  std::vector<TopologyNode> nodes;
  std::vector<TopologyEdge> edges;
  std::int64_t chips = 0;
  std::int64_t chips_of_node = 0;   ///< of a system of several nodes; 0 = there is one
  std::vector<std::int64_t> torus;  ///< chips along each dimension of a wrapped torus
  bool chips_forward = false;       ///< packets pass through chips, as in a torus
  bool through_host = false;        ///< chips of a PCIe tree meet in their host's memory
};

/// A way of a packet: directed links, 2 x edge, plus 1 where it goes from b to a; and nodes that
/// limit what passes through them, 2 x edges + node.
using Route = std::vector<std::int32_t>;

/// One of several ways side by side.
struct Way {
  Route route;
  std::int64_t links = 1;  ///< of its narrowest part
};

/// Shortest ways between nodes: fewest links, then the widest, then the first of the topology; of
/// ways as good through other switches one by the number of the destination, as fat trees route
/// (d-mod-k). Only network nodes are passed, and chips where these forward.
class Routes {
 public:
  explicit Routes(const Topology& topology);
  /// Empty where there is none.
  Route Between(std::int32_t from, std::int32_t to);
  /// Where switches that spread lie between two chips: the shortest way through each; else none.
  std::vector<Way> SideBySide(std::int32_t from, std::int32_t to) const;

 private:
  void Search(std::int32_t from);
  Route Shortest(std::int32_t from, std::int32_t to);
  bool AvoidsHost(const Route& route) const;
  std::int32_t HostOf(std::int32_t chip);
  std::size_t SpreadBy(std::int32_t to) const;
  void Extend(const Way& way, std::int32_t to, std::size_t hops, std::vector<Way>* found) const;

  const Topology& topology_;
  std::vector<std::vector<std::int32_t>> leaving_;  ///< directed links, by node
  std::int32_t from_ = -1;                          ///< of the last search
  std::vector<std::int32_t> by_;                    ///< the link by which each node is reached
  std::map<std::size_t, std::vector<std::int32_t>> others_;  ///< ways in as good, from switches
};

inline std::int32_t EndOf(const Topology& topology, std::int32_t link) {
  const TopologyEdge& e = topology.edges[static_cast<std::size_t>(link) / 2];
  return link % 2 == 0 ? e.b : e.a;
}
inline std::int32_t BeginOf(const Topology& topology, std::int32_t link) {
  return EndOf(topology, link ^ 1);
}
inline double BytesPerSecond(const Topology& topology, std::int32_t link) {
  const TopologyEdge& e = topology.edges[static_cast<std::size_t>(link) / 2];
  return topology.kinds[static_cast<std::size_t>(e.kind)].bytes_per_s *
         static_cast<double>(e.links);
}

}  // namespace siliscope
