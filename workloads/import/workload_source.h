// SPDX-License-Identifier: Apache-2.0
// Where networks come from: the zoo, the graphs we ship, ONNX files.
#pragma once

#include <vector>

#include "sim/contract/compiler.h"
#include "workloads/ir/graph.h"

namespace siliscope {

/// Loads a network by name or file. Throws UserError with the nearest name where there is none.
Graph LoadWorkload(const WorkloadRequest& request);

/// The zoo's networks and the shipped graphs, with a line about each.
std::vector<NamedText> ListWorkloadSources();

}  // namespace siliscope
