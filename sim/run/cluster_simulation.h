// SPDX-License-Identifier: Apache-2.0
// One simulation of chips that exchange data, from front to back.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/compiler.h"

namespace siliscope {

struct ClusterRequest {
  std::string system;
  std::vector<Override> overrides;
  CollectiveRequest collective;
  std::vector<CollectiveRequest> beside{};  ///< others that begin at the same time
  ClusterOptions options{};
  std::vector<std::string> ideal{};  ///< resources that cost nothing (sim/run/ideal_cluster.h)
};

struct ClusterResult {
  ClusterSpec cluster;
  LinkProgram program;
  ClusterRecord record;
  double simulate_seconds = 0;  ///< wall clock, for the terminal only
};

/// From a row's operator and shape: bytes, ranks, algo, protocol. Throws UserError.
CollectiveRequest ParseCollective(const std::string& op,
                                  const std::map<std::string, std::string>& shape);

/// When each of the collectives of a program was done, in order.
std::vector<double> EndsMicroseconds(const ClusterResult& result);

/// At most one call a process (SystemC's elaboration is global).
ClusterResult SimulateCluster(const ClusterRequest& request);

/// Bytes of the collective over its time, and the same as links see it (nccl-tests,
/// doc/PERFORMANCE.md).
double AlgorithmBytesPerSecond(const ClusterResult& result);
double BusBytesPerSecond(const ClusterResult& result);

/// What a rank must send at least, at the raw rate of its links.
double CollectiveRooflineMicroseconds(const ClusterResult& result);

}  // namespace siliscope
