// SPDX-License-Identifier: Apache-2.0
// The typed content of a system's YAML: chips, their links, and the library that moves data between
// them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/contract/topology.h"
#include "sim/contract/tuner_spec.h"

namespace siliscope {

/// A protocol of a collective library: how the threads of a channel's CTA move data.
struct CollectiveProtocolSpec {
  std::int64_t threads = 512;
  double wire_bytes_per_byte = 1;      ///< flags that travel with the data
  std::int64_t step_bytes = 0;         ///< data of one of the eight parts of a channel's buffer
  std::int64_t chunk_steps = 1;        ///< steps of the buffer that a primitive moves at most
  std::int64_t slice_steps = 1;        ///< of these, that are posted at a time
  std::int64_t chain_chunk_steps = 1;  ///< the same of broadcast and reduce
  std::int64_t chain_slice_steps = 1;
  double bytes_per_cycle = 0;          ///< of one CTA onto the wire
  double local_bytes_per_cycle = 0;    ///< of one CTA from its chip's memory to the same memory
  std::int64_t channel_threshold = 8;  ///< bytes a thread, below which there are fewer channels
  double tuner_share = 1;              ///< of the bandwidth, that the library expects of it
  double tuner_base_s = 0;             ///< the library's own idea of its latency
  double tuner_hop_s = 0, tuner_pcie_hop_s = 0;
  double tuner_net_hop_s = 0;  ///< of a step between nodes
  /// The same of trees; a hop of 0: the library has none.
  double tuner_tree_base_s = 0, tuner_tree_hop_s = 0, tuner_tree_net_hop_s = 0;
  double tuner_tree_node_share = 1, tuner_tree_share = 1;  ///< in a node, and between nodes
};

/// configs/hosts/collectives: what a version of the library does, on any machine.
struct CollectiveLibrarySpec {
  std::string name;
  std::string description;
  CollectiveProtocolSpec ll, ll128, simple;
  std::int64_t least_slice_bytes = 16384;
  std::int64_t p2p_channels = 32;
  std::int64_t p2p_chunk_bytes = 524288;
  bool p2p_parts_first = false;          ///< parts are made before the protocol is chosen (2.29 on)
  std::int64_t p2p_ll_bytes = 0;         ///< at most, for LL: of a peer, or (parts first) of a part
  std::int64_t p2p_ll_part_bytes = 0;    ///< least part of LL
  std::int64_t p2p_part_bytes = 65536;   ///< least part of Simple
  std::int64_t p2p_most_part_bytes = 0;  ///< beyond it a peer has more channels
  double p2p_send_bytes_per_cycle = 0;   ///< half of a CTA's warps send
  double p2p_read_bytes_per_cycle = 0;   ///< or reads, where that is how chips exchange data
  double p2p_drain_bytes_per_cycle = 0;  ///< and half copy out what has come
  double nvls_bytes_per_cycle = 0;       ///< of a CTA in each stage
  double nvls_stage_s = 0;               ///< of one loop's synchronisation
  TunerTables tuner;                     ///< without a name: it believes nothing
};

/// What the machine's host, driver and fabric decide.
struct ClusterTimesSpec {
  double launch_s = 0;      ///< from the call to its first CTA
  double skew_s = 0;        ///< from the first CTA of a launch to the last of many
  double prologue_s = 0;    ///< of protocols with buffers and flags apart
  double group_s = 0;       ///< of a group of sends and receives
  double group_peer_s = 0;  ///< for each peer of a group
  double ll_hop_s = 0;      ///< from a line's store to the peer that saw its flag
  double ll128_hop_s = 0;
  double sync_hop_s = 0;  ///< fence, flag and poll of Simple
  double slice_s = 0;     ///< barriers of a slice
};

/// Hierarchical collectives: along which dimensions they go, one after another.
struct CollectivePhases {
  std::vector<std::int64_t> dimensions;  ///< ranks along each; the first are neighbours
  /// By operation, of each dimension; none = as the library chooses.
  std::map<std::string, std::vector<std::string>> algorithms;
  std::int64_t least_part_bytes = 1 << 20;  ///< small ones gain nothing from following each other
  std::int64_t parts = 4;  ///< of the data, that follow each other through the phases
};

struct ClusterSpec {
  std::string name;
  std::string description;
  std::string chip;          ///< of configs/chips, or only a name where it is not modelled
  double chip_clock_hz = 0;  ///< of the SMs that run channels
  /// Of a chip that is no file of configs/chips, for traces that give operations and bytes only.
  double roofline_operations_per_s = 0, roofline_bytes_per_s = 0;
  bool reads_peers = false;  ///< data is read by its receiver, not written by its sender
  Topology topology;
  CollectiveLibrarySpec library;
  ClusterTimesSpec times;
  CollectivePhases phases;  ///< of every collective of all ranks; without dimensions: none
  TunerSpec tuner;
  std::vector<std::string> notes;  ///< for the user: what of the configuration has no effect
  std::map<std::string, std::string> sources;
  /// The resolved configuration as YAML, for run.yaml.
  std::string resolved_yaml;
};

}  // namespace siliscope
