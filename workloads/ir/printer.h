// SPDX-License-Identifier: Apache-2.0
// The readable text form of a graph, one line a tensor and an operator. Parsing what was printed
// gives the same graph, known values of small constants included:
//
//   graph "resnet18"
//   tensor 0 "input" fp32 activation [1, 3, 224, 224]
//   op conv "conv1" (0, 1, -) -> (5) {strides=[2, 2], group=1} then relu(-) {} from ["Conv_0"]
//   inputs [0]
//   outputs [44]
#pragma once

#include <string>

#include "workloads/ir/graph.h"

namespace siliscope {

std::string PrintGraph(const Graph& graph);

/// Throws UserError with the line and column where the text is malformed.
Graph ParseGraph(const std::string& text);

}  // namespace siliscope
