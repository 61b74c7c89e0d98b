// SPDX-License-Identifier: Apache-2.0
// Plain attention on a GPU: q k^T, a softmax over the scores, and the product with v, each a kernel
// of its own; the scores pass through memory.
#include <algorithm>

#include "workloads/lower/gpu/matrix_lowering.h"
#include "workloads/lower/gpu/row_kernel.h"

namespace siliscope {
namespace {

void LowerAttention(GpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& q = graph.tensor(op.inputs[0]).shape;
  const Shape& k = graph.tensor(op.inputs[1]).shape;
  const Shape& v = graph.tensor(op.inputs[2]).shape;
  const std::size_t rank = q.size();
  const std::int64_t rows = q[rank - 2], depth = q[rank - 1], keys = k[rank - 2];
  const std::int64_t width = v[rank - 1];
  const std::int64_t heads = std::max<std::int64_t>(1, ElementCount(q) / (rows * depth));
  const std::int64_t kv_heads = std::max<std::int64_t>(1, ElementCount(k) / (keys * depth));
  const double bytes = lowering.ActivationBytes();
  const auto row = [&](std::int64_t elements) {
    return std::max<std::int64_t>(1,
                                  static_cast<std::int64_t>(bytes * static_cast<double>(elements)));
  };
  lowering.SetLayout(op.inputs[0], heads * rows, row(depth));
  lowering.SetLayout(op.inputs[1], kv_heads * keys, row(depth));
  lowering.SetLayout(op.inputs[2], kv_heads * keys, row(width));
  lowering.SetLayout(op.outputs[0], heads * rows, row(width));
  const std::uint32_t scores = lowering.AddTensor(op.name + "_scores", heads * rows, row(keys));
  const std::uint32_t weights = lowering.AddTensor(op.name + "_weights", heads * rows, row(keys));
  GemmProblem p;
  p.dtype = lowering.dtype() == "fp8" ? "fp16" : lowering.dtype();
  p.m = rows, p.n = keys, p.k = depth, p.batch = heads;
  p.a = lowering.TensorOf(op.inputs[0]);
  p.b = lowering.TensorOf(op.inputs[1]);
  p.c = scores;
  p.b_batch_divisor = std::max<std::int64_t>(1, heads / kv_heads);
  p.a_bytes = p.b_bytes = p.c_bytes = bytes;
  p.weights_cold = false;
  LaunchGemm(lowering, index, p);
  lowering.Launch(index, MakeRowKernel(SoftmaxWork(heads * rows, keys, bytes), scores, weights));
  p.n = width, p.k = keys;
  p.a = weights;
  p.b = lowering.TensorOf(op.inputs[2]);
  p.b_k_contiguous = false;
  p.c = lowering.TensorOf(op.outputs[0]);
  LaunchGemm(lowering, index, p);
}

const bool kAttention = GpuLowerRegistry::Instance().Add("attention", &LowerAttention);

}  // namespace
}  // namespace siliscope
