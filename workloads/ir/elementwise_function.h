// SPDX-License-Identifier: Apache-2.0
// Functions that are applied element by element, alone or on the way out of a matrix operator.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "workloads/ir/graph.h"

namespace siliscope {

struct ElementwiseFunction {
  int operands = 1;       ///< at least; "max" and "sum" take more
  double operations = 1;  ///< counted as FLOP an element
  double (*evaluate)(const double* x, const Operator& op) = nullptr;
  /// What the vector unit executes: names of machine functions with their counts.
  std::vector<std::pair<std::string, int>> machine_functions;
};

/// The function of that name, or null.
const ElementwiseFunction* FindFunction(const std::string& name);
double FunctionOperations(const std::string& name);
std::vector<std::string> FunctionNames();

}  // namespace siliscope
