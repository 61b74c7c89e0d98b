// SPDX-License-Identifier: Apache-2.0
// What a collective library decides before it moves a byte: algorithm, protocol, channels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/compiler.h"

namespace siliscope {

enum class CollectiveOperation : std::uint8_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kAllToAll,
  kBroadcast,
  kReduce,
  kSendReceive,
  kSend,
  kBarrier,
  kCopy,
};

enum class CollectiveAlgorithm : std::uint8_t {
  kRing,
  kTree,
  kTorus,
  kNvls,
  kDirect,
  kHalvingDoubling,
  kPat,
};
enum class CollectiveProtocol : std::uint8_t { kLl, kLl128, kSimple };

struct CollectivePlan {
  CollectiveOperation operation = CollectiveOperation::kAllReduce;
  CollectiveAlgorithm algorithm = CollectiveAlgorithm::kRing;
  CollectiveProtocol protocol = CollectiveProtocol::kSimple;
  std::int64_t bytes = 0;
  std::int64_t ranks = 0;
  std::int64_t channels = 1;
  std::int64_t from = 0, to = 1;  ///< of a copy: nodes of the topology
  bool symmetry = true;           ///< ranks alike may be played once
};

std::vector<std::string> CollectiveNames();
const char* OperationName(CollectiveOperation operation);
const char* AlgorithmName(CollectiveAlgorithm algorithm);
const char* ProtocolName(CollectiveProtocol protocol);

const CollectiveProtocolSpec& SpecOf(const CollectiveLibrarySpec& library,
                                     CollectiveProtocol protocol);

/// Steps of a ring, one after another: 2 (n - 1) of an all-reduce.
std::int64_t RingSteps(const CollectivePlan& plan);
/// Whether its data goes along a chain, from the root (broadcast) or to it (reduce).
bool IsChain(const CollectivePlan& plan);

/// As NCCL's tuner (src/graph/tuning.cc) and its rules for channels (src/enqueue.cc) have it,
/// unless the request names an algorithm or protocol. Errors: UserError for an operation,
/// algorithm, protocol or number of ranks that can't be.
CollectivePlan PlanCollective(const CollectiveRequest& request, const ClusterSpec& cluster);

}  // namespace siliscope
