// SPDX-License-Identifier: Apache-2.0
// Where clusters of CTAs can lie: on SMs of one GPC.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/contract/gpu_spec.h"

namespace siliscope {

/// SMs that can hold a cluster of a given size: they lie in one GPC.
using ClusterSlots = std::vector<std::vector<std::uint32_t>>;

/// The GPC that an SM lies in: TPCs are divided over the GPCs as evenly as they can be.
inline std::size_t GpcOf(const GpuSpec& gpu, std::uint32_t sm) {
  return static_cast<std::size_t>(sm / gpu.sms_per_tpc % gpu.gpcs);
}

/// Groups of `size` SMs that lie in one GPC, in the order in which CTAs are placed: across the GPCs
/// first, then inside of them. SMs that are left over in a GPC hold no cluster.
ClusterSlots MakeClusterSlots(const GpuSpec& gpu, std::int64_t size);

}  // namespace siliscope
