// SPDX-License-Identifier: Apache-2.0
// Networks by name and parameters.
#pragma once

#include <string>
#include <vector>

#include "sim/contract/compiler.h"
#include "sim/core/registry.h"
#include "workloads/ir/graph.h"

namespace siliscope {

struct ZooNetwork {
  std::string meaning;
  Graph (*make)(const WorkloadRequest& request);
  bool sequence = false;                     ///< whether --seq applies
  std::vector<std::string> dimensions = {};  ///< names that --dim may set
};

using ZooRegistry = Registry<ZooNetwork>;

/// Adds layers one after another.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(const std::string& name) { graph_.name = name; }

  TensorId Input(const std::string& name, const Shape& shape);
  /// An input that stays on the chip: keys or values of earlier tokens.
  TensorId State(const std::string& name, const Shape& shape);
  TensorId Weight(const std::string& name, const Shape& shape);
  /// x [rows, in] times a weight [in, out], then a function ("" = none).
  TensorId FullyConnected(const std::string& name, TensorId x, std::int64_t out,
                          const std::string& function);
  /// The same, which every rank of a divided network keeps whole.
  TensorId Replicated(const std::string& name, TensorId x, std::int64_t out);
  /// A weight for each of the leading dimension: x [experts, rows, in] times [experts, in, out].
  TensorId Experts(const std::string& name, TensorId x, std::int64_t out,
                   const std::string& function);
  /// Rows of x by integer indices, which have a shape of their own.
  TensorId Gather(const std::string& name, TensorId x, const Shape& indices);
  TensorId Softmax(const std::string& name, TensorId x);
  TensorId Reduce(const std::string& name, const std::string& function, TensorId x,
                  std::int64_t axis);
  TensorId Conv(const std::string& name, TensorId x, std::int64_t out_channels, std::int64_t kernel,
                std::int64_t stride, const std::string& function);
  TensorId Pool(const std::string& name, TensorId x, std::int64_t kernel, std::int64_t stride);
  TensorId Function(const std::string& name, const std::string& function,
                    std::vector<TensorId> inputs);
  TensorId Reshape(const std::string& name, TensorId x, const Shape& shape);
  TensorId Transpose(const std::string& name, TensorId x, const Shape& order);
  /// x: [..., length, depth]; cosine, sine: [length, depth].
  TensorId Rotary(const std::string& name, TensorId x, TensorId cosine, TensorId sine);
  TensorId Concat(const std::string& name, std::vector<TensorId> inputs, std::int64_t axis);
  TensorId LayerNorm(const std::string& name, TensorId x);
  TensorId RmsNorm(const std::string& name, TensorId x);
  /// q, k, v: [batch, heads, length, depth].
  TensorId Attention(const std::string& name, TensorId q, TensorId k, TensorId v, double scale);
  const Shape& ShapeOf(TensorId id) const { return graph_.tensor(id).shape; }

  Graph Finish(TensorId output);

 private:
  Graph graph_;
};

}  // namespace siliscope
