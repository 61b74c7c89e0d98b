// SPDX-License-Identifier: Apache-2.0
// LSTM, GRU and RNN on a GPU: one product projects the inputs of all steps; then each step is a
// product with the recurrent weights and a kernel for the gates.
#include <algorithm>

#include "workloads/ir/operator_kind.h"
#include "workloads/lower/gpu/matrix_lowering.h"
#include "workloads/lower/gpu/stream_kernel.h"

namespace siliscope {
namespace {

void LowerRecurrent(GpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& x = InputShape(graph, op, 0);
  const Shape& w = InputShape(graph, op, 1);
  const Shape& r = InputShape(graph, op, 2);
  const std::int64_t steps = x[0], batch = x[1], gates = w[0] * w[1], hidden = r[2];
  const double bytes = lowering.ActivationBytes();
  const auto row = [&](std::int64_t elements) {
    return std::max<std::int64_t>(1,
                                  static_cast<std::int64_t>(bytes * static_cast<double>(elements)));
  };
  lowering.SetLayout(op.inputs[0], steps * batch, row(x[2]));
  lowering.SetLayout(op.inputs[1], gates, row(x[2]));
  lowering.SetLayout(op.inputs[2], gates, row(hidden));
  const std::uint32_t projected =
      lowering.AddTensor(op.name + "_projected", steps * batch, row(gates));
  const std::uint32_t recurrent = lowering.AddTensor(op.name + "_gates", batch, row(gates));
  const std::uint32_t state = lowering.AddTensor(op.name + "_state", batch, row(hidden));
  GemmProblem p;
  p.dtype = lowering.dtype() == "fp8" ? "fp16" : lowering.dtype();
  p.a_bytes = p.b_bytes = p.c_bytes = bytes;
  p.m = steps * batch, p.n = gates, p.k = x[2];
  p.a = lowering.TensorOf(op.inputs[0]);
  p.b = lowering.TensorOf(op.inputs[1]);
  p.c = projected;
  LaunchGemm(lowering, index, p);
  p.m = batch, p.k = hidden;
  p.a = state;
  p.b = lowering.TensorOf(op.inputs[2]);
  p.c = recurrent;
  p.weights_cold = false;
  StreamWork gate;
  gate.name = op.kind + "_gates";
  gate.elements_bytes = bytes;
  gate.operations = 8;
  gate.special = 2;
  gate.loads = {{recurrent, bytes}, {projected, bytes}};
  gate.stores = {{state, bytes / 4}};
  for (std::int64_t step = 0; step < steps; ++step) {
    LaunchGemm(lowering, index, p);
    lowering.Launch(index, MakeStreamKernel(lowering.machine(), lowering.Layout(recurrent), gate));
  }
  for (const TensorId t : op.outputs) lowering.TensorOf(t);
}

const bool kLstm = GpuLowerRegistry::Instance().Add("lstm", &LowerRecurrent);
const bool kGru = GpuLowerRegistry::Instance().Add("gru", &LowerRecurrent);
const bool kRnn = GpuLowerRegistry::Instance().Add("rnn", &LowerRecurrent);

}  // namespace
}  // namespace siliscope
