// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cluster_slots.h"

namespace siliscope {

ClusterSlots MakeClusterSlots(const GpuSpec& gpu, std::int64_t size) {
  std::vector<std::vector<std::uint32_t>> gpcs(static_cast<std::size_t>(gpu.gpcs));
  for (std::uint32_t s = 0; s < static_cast<std::uint32_t>(gpu.sms); ++s) {
    gpcs[GpcOf(gpu, s)].push_back(s);
  }
  ClusterSlots slots;
  for (std::size_t at = 0;; at += static_cast<std::size_t>(size)) {
    bool any = false;
    for (const auto& gpc : gpcs) {
      if (at + static_cast<std::size_t>(size) > gpc.size()) continue;
      const auto first = gpc.begin() + static_cast<std::ptrdiff_t>(at);
      slots.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
      any = true;
    }
    if (!any) return slots;
  }
}

}  // namespace siliscope
