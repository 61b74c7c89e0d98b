// SPDX-License-Identifier: Apache-2.0
// Reads an ONNX file into the operator IR. Shapes follow from the inputs node by node; what is
// computed from shapes and small constants is folded on the way, so no unknown shape is left.
// Weights may be absent (external data without its file): only their shapes are needed.
#pragma once

#include <map>
#include <string>

#include "workloads/ir/graph.h"

namespace siliscope {

struct OnnxOptions {
  std::int64_t batch = 0;     ///< 0 = as exported
  std::int64_t sequence = 0;  ///< for symbolic dimensions named seq, sequence, ...
  std::map<std::string, std::int64_t> dimensions;  ///< symbolic dimensions by name
};

/// Throws UserError, in one line, for a file that is no ONNX model, operators that are not
/// supported (all of them at once, with their nodes), symbolic dimensions without a value, and a
/// batch that can't be rewritten.
Graph ImportOnnx(const std::string& path, const OnnxOptions& options);

}  // namespace siliscope
