// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/occupancy.h"

namespace siliscope {

Occupancy OccupancyOf(const SmSpec& sm, const GpuKernel& kernel) {
  const std::int64_t granule = sm.registers.granule;
  const std::int64_t per_warp =
      (kernel.registers_per_thread * 32 + granule - 1) / granule * granule;
  // Registers belong to the sub-cores: a sub-core holds whole warps of its own share.
  const std::int64_t warps_by_registers =
      sm.registers.registers / sm.subcores / per_warp * sm.subcores;
  Occupancy o;
  o.ctas = sm.max_ctas;
  o.limiter = "ctas";
  const auto limit = [&](std::int64_t ctas, std::string_view name) {
    if (ctas < o.ctas) o.ctas = ctas, o.limiter = name;
  };
  limit(sm.max_warps / kernel.warps, "warps");
  limit(warps_by_registers / kernel.warps, "registers");
  if (kernel.shared_bytes > sm.shared_memory.most_per_cta_bytes) {
    limit(0, "shared_memory");
  } else {
    const std::int64_t per_cta = kernel.shared_bytes + sm.shared_memory.reserved_per_cta_bytes;
    if (per_cta > 0) limit(sm.shared_memory.size_bytes / per_cta, "shared_memory");
  }
  o.share = static_cast<double>(o.ctas * kernel.warps) / static_cast<double>(sm.max_warps);
  return o;
}

}  // namespace siliscope
