// SPDX-License-Identifier: Apache-2.0
// What operators that are matrix products share on a GPU.
#pragma once

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/gpu_lowering.h"

namespace siliscope {

/// The operator's epilogue steps become part of the product.
void AddEpilogue(GpuLowering& lowering, const Operator& op, GemmProblem* problem);
/// Launches the kernel that is estimated to be the fastest, or the one that was named.
void LaunchGemm(GpuLowering& lowering, std::uint32_t index, const GemmProblem& problem);

}  // namespace siliscope
