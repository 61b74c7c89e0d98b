// SPDX-License-Identifier: Apache-2.0
// Tensor parallelism: each product's weights are divided over ranks, by columns where its input is
// whole, by rows where its input is divided; sums of rows are added up over the ranks (Shoeybi et
// al., "Megatron-LM", 2019, section 3). What lies between stays divided: heads of attention,
// elementwise functions.
#pragma once

#include <cstdint>

#include "workloads/ir/graph.h"

namespace siliscope {

/// What one of `ranks` ranks runs; all ranks run the same, with other parts of the weights. Results
/// that all ranks need whole are made so by operators all_reduce and all_gather. Errors: UserError
/// where a dimension that has to be divided is no multiple of `ranks`.
/// With `sequence`, what is done to each token on its own is divided by tokens: sums are scattered
/// over the ranks and gathered before the next product (Korthikanti et al., "Reducing activation
/// recomputation in large transformer models", 2022, section 4.2.2).
Graph TensorParallel(const Graph& graph, std::int64_t ranks, bool sequence);

}  // namespace siliscope
