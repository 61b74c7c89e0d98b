// SPDX-License-Identifier: Apache-2.0
// A network divided over the chips of a system: what a rank computes, on its chip's model, and what
// ranks exchange between, on the links' model. All ranks do the same, and wait for each exchange.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/contract/compiler.h"
#include "sim/run/output_folder.h"

namespace siliscope {

/// How a network is divided, from "tp=8".
struct ParallelPlan {
  std::int64_t tensor = 1;
};
/// Throws UserError; `chips` is what the system has.
ParallelPlan ParseParallelPlan(const std::string& text, std::int64_t chips);

struct ParallelRequest {
  std::string system;
  std::vector<Override> overrides;
  WorkloadRequest workload;
  ParallelPlan plan;
  std::string host;
};

struct ParallelOperator {
  std::string name, kind, shape, mapping;
  double time_us = 0;
  std::int64_t exchanged_bytes = 0;  ///< of an all_reduce or all_gather
};

struct ParallelResult {
  ClusterSpec cluster;
  ParallelPlan plan;
  std::string workload, dtype;
  std::int64_t batch = 1;
  double time_us = 0, compute_us = 0, communication_us = 0;
  double nominal_flops = 0;  ///< of all ranks
  double peak_operations_per_s = 0;
  std::vector<ParallelOperator> operators;
  std::int64_t weight_bytes = 0, memory_bytes = 0;  ///< of a rank; the second with all tensors
  std::int64_t capacity_bytes = 0;                  ///< of a chip
  double simulate_seconds = 0;
};

/// Throws UserError where the system's chip is not modelled, or the network can't be divided so.
ParallelResult SimulateParallel(const ParallelRequest& request);

nlohmann::ordered_json ParallelSummaryJson(const ParallelResult& result);
void WriteParallelFiles(const OutputFolder& out, const ParallelResult& result,
                        const std::string& command);

}  // namespace siliscope
