// SPDX-License-Identifier: Apache-2.0
// Which kernel of the library a product takes: the one that is asked for, the one that the chip's
// library is known to settle on, the one of the least estimated time, or, where trials are allowed,
// the one of the best few that is simulated in the least time.
#pragma once

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/gpu_lowering.h"

namespace siliscope {

GemmTile ChooseTile(GpuLowering& lowering, std::uint32_t op, const GemmProblem& problem);

}  // namespace siliscope
