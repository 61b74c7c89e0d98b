// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/division.h"

#include "workloads/parallel/expert_parallel.h"
#include "workloads/parallel/pipeline_stage.h"
#include "workloads/parallel/tensor_parallel.h"

namespace siliscope {

Graph DivideLayers(const Graph& graph, const Division& division) {
  return TensorParallel(ExpertParallel(graph, division.experts), division.tensor,
                        division.sequence);
}

Graph DivideStages(const Graph& graph, const Division& division) {
  return PipelineStage(graph, division.stage, division.stages);
}

}  // namespace siliscope
