// SPDX-License-Identifier: Apache-2.0
// Reads the tile and the grid out of a kernel's name as profilers write it:
// "ampere_sgemm_128x64_tn grid 60x40x1", "sm80_xmma_gemm_..._tilesize128x64x8_stage3_... grid
// 4x24x1".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "workloads/lower/gpu/gemm_kernel.h"

namespace siliscope {

/// The tile of a named kernel for a problem, made from the nearest of the tiles we have. Nothing
/// where the name holds no tile.
std::optional<GemmTile> TileOfName(const std::string& name, const GemmProblem& problem,
                                   const std::vector<GemmTile>& offered);

}  // namespace siliscope
