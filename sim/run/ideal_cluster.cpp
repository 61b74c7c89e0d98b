// SPDX-License-Identifier: Apache-2.0
#include "sim/run/ideal_cluster.h"

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

constexpr double kUnlimited = 1e18;

void IdealLinks(ClusterSpec* spec) {
  for (LinkSpec& link : spec->topology.kinds) {
    link.bytes_per_s = kUnlimited;
    link.latency_s = 0;
  }
  for (TopologyNode& node : spec->topology.nodes) {
    node.latency_s = 0;
    node.bytes_per_s = 0;
  }
}

void IdealChannels(ClusterSpec* spec) {
  CollectiveLibrarySpec& library = spec->library;
  const double rate = kUnlimited / spec->chip_clock_hz;
  for (CollectiveProtocolSpec* p : {&library.ll, &library.ll128, &library.simple}) {
    p->bytes_per_cycle = p->local_bytes_per_cycle = rate;
  }
  library.p2p_send_bytes_per_cycle = library.p2p_read_bytes_per_cycle = rate;
  library.p2p_drain_bytes_per_cycle = library.nvls_bytes_per_cycle = rate;
}

}  // namespace

void MakeIdeal(const std::vector<std::string>& names, ClusterSpec* spec) {
  ClusterTimesSpec& times = spec->times;
  for (const std::string& name : names) {
    if (name == "launch") {
      times.launch_s = times.skew_s = times.prologue_s = times.group_s = times.group_peer_s = 0;
    } else if (name == "synchronisation") {
      times.ll_hop_s = times.ll128_hop_s = times.sync_hop_s = times.slice_s = 0;
      spec->library.nvls_stage_s = 0;
    } else if (name == "links") {
      IdealLinks(spec);
    } else if (name == "channels") {
      IdealChannels(spec);
    } else {
      throw UserError("--ideal " + name + ": not a resource of a system" +
                      Suggestion(name, {"launch", "synchronisation", "links", "channels"}));
    }
  }
}

}  // namespace siliscope
