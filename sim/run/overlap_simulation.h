// SPDX-License-Identifier: Apache-2.0
// Operators beside collectives on the same chips: the channels of a collective are CTAs that fill
// an SM each (NCCL's kernels take up to 640 threads with 96 registers, nearly all that an SM has),
// so that the operator has fewer SMs for as long as they run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/config/cluster_loader.h"
#include "sim/contract/cluster_model.h"
#include "sim/contract/compiler.h"
#include "sim/run/output_folder.h"

namespace siliscope {

struct OverlapRequest {
  std::string system;
  std::vector<Override> overrides;
  std::vector<CollectiveRequest> collectives;
  std::vector<OperatorRequest> operators;  ///< one after another
};

struct OverlapPart {
  std::string name;
  double alone_us = 0, beside_us = 0;
  std::int64_t channels = 0;  ///< of a collective
};

struct OverlapResult {
  ClusterSpec cluster;
  ExecutionGraph graph;
  ExecutionRecord record;
  std::vector<OverlapPart> parts;  ///< operators, then collectives
  std::int64_t units = 0;          ///< SMs of a chip
  double simulate_seconds = 0;
};

/// Whether this is the name of a collective.
bool IsCollective(const std::string& op);

/// All begin at once on all ranks; collectives of the first ranks of the system. Errors: UserError
/// where the chip is no GPU.
OverlapResult SimulateOverlap(const OverlapRequest& request);

void WriteOverlapFiles(const OutputFolder& out, const OverlapResult& result,
                       const std::string& command);

}  // namespace siliscope
