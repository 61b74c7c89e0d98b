// SPDX-License-Identifier: Apache-2.0
// Passes: each rewrites a graph into one that means the same.
#pragma once

#include <string>
#include <vector>

#include "sim/contract/compiler.h"
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
/// Leaves what one rank runs of it.
void RunPasses(Graph* graph, const Division& division = {});

}  // namespace siliscope
