// SPDX-License-Identifier: Apache-2.0
// The way between the SMs of a cluster of CTAs, as one of them at cycle zoom sees it: multicast of
// bulk copies, arrivals on each other's mbarriers, the cluster's barrier, and loads from each
// other's shared memory. Members are those of ClusterGrid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/gpu/lane_pattern.h"

namespace siliscope {

/// Which CTA of which cluster.
struct ClusterMember {
  std::uint32_t cluster = 0;
  std::uint32_t member = 0;
};

class ClusterPort {
 public:
  virtual ~ClusterPort() = default;
  /// Fetches sectors of one line once, for `receivers`; `ready` (one for each of them) grows to the
  /// cycle in which each has them.
  virtual void Multicast(ClusterMember from, const std::vector<std::uint32_t>& receivers,
                         std::uint64_t cycle, const TouchedLine& line,
                         std::vector<std::uint64_t>* ready) = 0;
  /// An arrival on a stage of another member's mbarrier, whose data is there at `ready`.
  virtual void Arrive(ClusterMember to, std::size_t ring, std::size_t stage,
                      std::uint64_t ready) = 0;
  /// All warps of the member have come to the cluster's barrier.
  virtual void ArriveAtBarrier(ClusterMember from, std::uint64_t cycle) = 0;
  /// Loads `bytes` from the shared memory of another member, of each of the others in turn; returns
  /// the cycle in which they are there.
  virtual std::uint64_t LoadPeer(ClusterMember to, std::uint64_t cycle, std::int64_t bytes) = 0;
};

}  // namespace siliscope
