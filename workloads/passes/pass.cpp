// SPDX-License-Identifier: Apache-2.0
#include "workloads/passes/pass.h"

#include "workloads/parallel/division.h"

namespace siliscope {

const std::vector<Pass>& DefaultPasses() {
  static const std::vector<Pass> kPasses = {
      {"fold_batch_norm", "a batch normalisation after a convolution becomes part of its weights",
       &FoldBatchNorm},
      {"recognise_activations", "decomposed GELU and SiLU become one function",
       &RecogniseActivations},
      {"recognise_normalizations", "decomposed softmax, LayerNorm and RMSNorm become one operator",
       &RecogniseNormalizations},
      {"recognise_attention", "q k^T, softmax, times v becomes attention, grouped-query too",
       &RecogniseAttention},
      {"fuse_epilogues", "bias, activation and residual are applied on the way out of a product",
       &FuseEpilogues}};
  return kPasses;
}

void RunPasses(Graph* graph, const Division& division) {
  for (const Pass& pass : DefaultPasses()) {
    // Sums are added up over ranks before a bias or residual is.
    if (pass.run == &FuseEpilogues) *graph = DivideLayers(*graph, division);
    pass.run(graph);
  }
  *graph = DivideStages(*graph, division);
}

}  // namespace siliscope
