// SPDX-License-Identifier: Apache-2.0
// What a network needs of a chip's memory.
#pragma once

#include "sim/contract/program.h"
#include "workloads/lower/operator_infos.h"

namespace siliscope {

/// Weights and caches stay; of activations as many bytes as live at once, at most, when each is
/// given back after its last use.
MemoryUse MemoryUseOf(const Graph& graph, const TensorBytesFunction& bytes);

}  // namespace siliscope
