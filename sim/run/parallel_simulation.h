// SPDX-License-Identifier: Apache-2.0
// A network divided over the chips of a system: what the ranks of a stage compute is simulated on
// their chip's model, and then all ranks together, with what they exchange on the links' model.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/compiler.h"
#include "sim/run/pipeline_schedule.h"

namespace siliscope {

struct ParallelRequest {
  std::string system;
  std::vector<Override> overrides;
  WorkloadRequest workload;
  ParallelPlan plan;
  std::string host;
  std::string lock_clock;
  bool autotune = false;
};

/// One operator of a stage, as its ranks run it.
struct ParallelOperator {
  std::int64_t stage = 0;
  std::string name, kind, shape, mapping;
  double time_us = 0;                ///< of one micro-batch; of an exchange the mean over ranks
  std::int64_t exchanged_bytes = 0;  ///< of an all_reduce, all_gather, ...
};

struct ParallelResult {
  ClusterSpec cluster;
  ParallelPlan plan;
  std::string workload, dtype;
  std::int64_t batch = 1;
  ExecutionGraph graph;
  ExecutionRecord record;
  double nominal_flops = 0;  ///< of all ranks
  double peak_operations_per_s = 0;
  std::vector<ParallelOperator> operators;
  std::vector<MemoryUse> memory;    ///< of a rank, by stage
  std::int64_t capacity_bytes = 0;  ///< of a chip
  double simulate_seconds = 0;
};

/// Throws UserError where the system's chip is not modelled, or the network can't be divided so;
/// DoesNotFit where a stage needs more memory than a chip has.
ParallelResult SimulateParallel(const ParallelRequest& request);

}  // namespace siliscope
