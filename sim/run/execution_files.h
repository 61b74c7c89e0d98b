// SPDX-License-Identifier: Apache-2.0
// The files of a run of many ranks: a divided network, or an execution trace.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "sim/run/output_folder.h"
#include "sim/run/parallel_simulation.h"

namespace siliscope {

RankUse SumOfRanks(const ExecutionRecord& record);
/// Mean shares of the ranks' time, in microseconds.
nlohmann::ordered_json RankTimesJson(const ExecutionRecord& record);
/// A row a rank; `memory` by stage, may be empty.
std::string RanksCsv(const ExecutionRecord& record, const ParallelPlan& plan,
                     const std::vector<MemoryUse>& memory);
/// What all runs of many ranks write.
void WriteRankFiles(const OutputFolder& out, const ClusterSpec& cluster,
                    const ExecutionGraph& graph, const ExecutionRecord& record,
                    const std::string& command);
nlohmann::ordered_json ParallelSummaryJson(const ParallelResult& result);
void WriteParallelFiles(const OutputFolder& out, const ParallelResult& result,
                        const std::string& command);

}  // namespace siliscope
