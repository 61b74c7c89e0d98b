// SPDX-License-Identifier: Apache-2.0
// softmax and normalisations on a GPU.
#include <algorithm>

#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/row_kernel.h"

namespace siliscope {
namespace {

/// The rows of an operator's input: their number, columns and bytes of an element.
RowWork RowsOf(GpuLowering& lowering, std::uint32_t index) {
  const TensorId input = lowering.op(index).inputs[0];
  const Tensor& x = lowering.graph().tensor(input);
  RowWork work;
  work.columns = std::max<std::int64_t>(1, x.shape.empty() ? 1 : x.shape.back());
  work.rows = x.elements() / work.columns;
  work.bytes = lowering.ElementBytes(input);
  return work;
}

void LowerRows(GpuLowering& lowering, std::uint32_t index, const RowWork& work) {
  const Operator& op = lowering.op(index);
  const TensorId result = op.outputs.front();
  const auto row_bytes = static_cast<std::int64_t>(static_cast<double>(work.columns) * work.bytes);
  for (const TensorId t : {op.inputs[0], result}) {
    lowering.SetLayout(t, work.rows, row_bytes);
  }
  const std::uint32_t in = lowering.TensorOf(op.inputs[0]), out = lowering.TensorOf(result);
  lowering.Launch(index, MakeRowKernel(work, in, out));
}

/// What scales and shifts the normalised values, a value a column.
void AddParameters(GpuLowering& lowering, std::uint32_t index, RowWork* work) {
  const Operator& op = lowering.op(index);
  for (std::size_t i = 1; i < op.inputs.size(); ++i) {
    if (op.inputs[i] == kNoTensor) continue;
    work->parameter_bytes = lowering.ElementBytes(op.inputs[i]);
    lowering.SetLayout(op.inputs[i], 1, lowering.TensorBytes(op.inputs[i]));
    work->parameters.push_back(lowering.TensorOf(op.inputs[i]));
  }
}

void LowerSoftmax(GpuLowering& lowering, std::uint32_t index) {
  const RowWork rows = RowsOf(lowering, index);
  LowerRows(lowering, index, SoftmaxWork(rows.rows, rows.columns, rows.bytes));
}
void LowerLayerNorm(GpuLowering& lowering, std::uint32_t index) {
  RowWork work = RowsOf(lowering, index);
  work.name = "layer_norm";
  work.passes = {{4}, {4}};
  work.welford = true;
  // Assumed: on V100 the second pass finds nothing in L1, whatever the row.
  work.past_l1 = true;
  AddParameters(lowering, index, &work);
  LowerRows(lowering, index, work);
}
void LowerRmsNorm(GpuLowering& lowering, std::uint32_t index) {
  RowWork work = RowsOf(lowering, index);
  work.name = "rms_norm";
  work.passes = {{2}, {2}};
  AddParameters(lowering, index, &work);
  LowerRows(lowering, index, work);
}

const bool kSoftmax = GpuLowerRegistry::Instance().Add("softmax", &LowerSoftmax);
const bool kLayerNorm = GpuLowerRegistry::Instance().Add("layer_norm", &LowerLayerNorm);
const bool kRmsNorm = GpuLowerRegistry::Instance().Add("rms_norm", &LowerRmsNorm);

}  // namespace
}  // namespace siliscope
