// SPDX-License-Identifier: Apache-2.0
// What a collective library believes of a machine when it chooses: tables by generation of chips
// and kind of host that come with a version of the library, and what it finds of the machine.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace siliscope {

/// By nodes: one, two, more.
using ByNodes = std::array<double, 3>;
inline constexpr double kTunerUnlimited = 1e18;

/// Of a generation of chips; bandwidths that the tuner does not believe to be passed.
struct TunerGeneration {
  double ll_bytes_per_s = kTunerUnlimited;  ///< within a node
  ByNodes ring_ll128_channel_bytes_per_s = {kTunerUnlimited, kTunerUnlimited, kTunerUnlimited};
  ByNodes tree_channel_bytes_per_s = {kTunerUnlimited, kTunerUnlimited, kTunerUnlimited};
  ByNodes tree_ll128_channel_bytes_per_s = {kTunerUnlimited, kTunerUnlimited, kTunerUnlimited};
  double ring_plateau = 1;  ///< latencies of long rings between nodes, times this
};

/// Of a kind of host.
struct TunerHost {
  double ll_two_nodes_bytes_per_s = kTunerUnlimited, ll_more_nodes_bytes_per_s = kTunerUnlimited;
  double post_s = 0;  ///< of a message to another node
};

/// configs/hosts/tuners: what comes with a version of the library.
struct TunerTables {
  std::string name;
  std::string description;
  std::map<std::string, TunerGeneration> generations;
  std::map<std::string, TunerHost> hosts;
  double tree_share = 1;  ///< of the bandwidth, that trees are believed to reach
  double pat_share = 0;   ///< the same of PAT; 0 = the library has none
  double pat_base_s = 0;  ///< latency that is expected of it
  double pat_steps_of_tree_hop = 1, pat_rank_s = 0;
  /// By protocol, of the bandwidth of trees, by the logarithm of the bytes in parts of 64.
  std::vector<double> tree_correction_ll, tree_correction_ll128, tree_correction_simple;
};

/// A machine's.
struct TunerSpec {
  std::int64_t channels = 0;  ///< of its graph, each direction; they are doubled to run
  double channel_bytes_per_s = 0;
  std::int64_t run_channels = 0;  ///< CTAs of a collective at most
  std::int64_t nvls_channels = 0;
  double nvls_base_s = 0, nvls_bytes_per_s = 0;
  bool pcie = false;  ///< hops cost what they cost over PCIe; LL128 is off
  bool ll128 = true;  ///< the chips keep the order of 128-byte stores that it needs
  std::string generation_name, host_name;  ///< of the library's tables; none = no limits
  TunerGeneration generation;
  TunerHost host;
};

}  // namespace siliscope
