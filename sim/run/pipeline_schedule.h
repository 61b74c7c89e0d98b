// SPDX-License-Identifier: Apache-2.0
// What each rank of a divided network does, micro-batch after micro-batch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/contract/execution_graph.h"

namespace siliscope {

/// How a network is divided, from "tp=8,pp=2,microbatches=4".
struct ParallelPlan {
  std::int64_t tensor = 1;   ///< tp
  bool sequence = false;     ///< sp=on
  std::int64_t experts = 1;  ///< ep
  std::int64_t stages = 1;   ///< pp
  std::int64_t microbatches = 1;

  std::int64_t ranks() const { return tensor * experts * stages; }
  /// Neighbours share weights, then experts; stages are farthest apart.
  std::int32_t RankOf(std::int64_t stage, std::int64_t expert, std::int64_t part) const {
    return static_cast<std::int32_t>((stage * experts + expert) * tensor + part);
  }
};
/// Throws UserError; `chips` is what the system has.
ParallelPlan ParseParallelPlan(const std::string& text, std::int64_t chips);
/// "tp=8, pp=2".
std::string PlanText(const ParallelPlan& plan);

/// Of a stage, one operator after another.
struct StageStep {
  std::string name;
  std::string exchange;    ///< all_reduce, all_gather, reduce_scatter, all_to_all; "" = computes
  Tick duration = 0;       ///< of a computation
  std::int64_t bytes = 0;  ///< that are exchanged, or read and written
  double operations = 0;
};
struct StageWork {
  std::vector<StageStep> steps;
  std::int64_t sent_bytes = 0;  ///< to the next stage, by each rank
};

/// `call`: a host's time for each exchange, before it begins.
ExecutionGraph ScheduleStages(const ParallelPlan& plan, const std::vector<StageWork>& stages,
                              Tick call);

}  // namespace siliscope
