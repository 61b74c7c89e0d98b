// SPDX-License-Identifier: Apache-2.0
// Passes: each rewrites a graph into one that means the same.
#pragma once

#include <string>
#include <vector>

#include "workloads/ir/graph.h"

namespace siliscope {

struct Pass {
  std::string name;
  std::string meaning;
  void (*run)(Graph* graph);
};

// One file each in workloads/passes.
void FoldBatchNorm(Graph* graph);
void RecogniseActivations(Graph* graph);
void RecogniseNormalizations(Graph* graph);
void RecogniseAttention(Graph* graph);
void FuseEpilogues(Graph* graph);

/// The passes of every compilation, in order.
const std::vector<Pass>& DefaultPasses();
/// `tensor_parallel`: over so many ranks the weights are divided, on the way.
void RunPasses(Graph* graph, std::int64_t tensor_parallel = 1);

}  // namespace siliscope
