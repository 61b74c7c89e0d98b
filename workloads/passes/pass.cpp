// SPDX-License-Identifier: Apache-2.0
#include "workloads/passes/pass.h"

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

void RunPasses(Graph* graph) {
  for (const Pass& pass : DefaultPasses()) pass.run(graph);
}

}  // namespace siliscope
