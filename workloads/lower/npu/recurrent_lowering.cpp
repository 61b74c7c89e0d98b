// SPDX-License-Identifier: Apache-2.0
// LSTM, GRU and RNN on an NPU: the inputs of all steps are projected in one product; then, step by
// step, the hidden state passes through the recurrent weights (kept on chip where they fit,
// streamed again in every step where not) and the gates through the vector unit.
#include "workloads/ir/operator_kind.h"
#include "workloads/lower/npu/gemm_lowering.h"
#include "workloads/lower/npu/vector_lowering.h"

namespace siliscope {
namespace {

VectorWork GateWork(const NpuLowering& lowering, const std::string& kind) {
  VectorWork work;
  work.label = kind + " gates";
  if (kind == "lstm") {  // an element is one gate of four
    work.functions = {{"exp", 1}, {"add", 2}, {"reciprocal", 1}, {"mul", 1}, {"tanh", 1}};
  } else if (kind == "gru") {
    work.functions = {{"exp", 1}, {"add", 2}, {"reciprocal", 1}, {"mul", 1}};
  } else {
    work.functions = {{"add", 1}, {"tanh", 1}};
  }
  const double bytes = static_cast<double>(lowering.ActivationBytes(8)) / 8;
  work.load_bytes_per_element = 2 * bytes;
  work.store_bytes_per_element = bytes;
  return work;
}

/// The projected gates of one step, copied where they are not on chip.
CommandIds LoadStep(NpuLowering& lowering, std::uint32_t index, const TensorHome& projected,
                    std::int64_t step, std::int64_t steps) {
  if (projected.on_chip) return projected.ready;
  const std::int64_t bytes = projected.bytes / steps;
  CommandIds loads;
  for (std::int64_t core = 0; core < lowering.cores(); ++core) {
    const std::int64_t from = bytes * core / lowering.cores();
    const std::int64_t to = bytes * (core + 1) / lowering.cores();
    AddDependency(&loads, lowering.Copy(NpuOpcode::kLoad, index, core, projected,
                                        step * bytes + from, to - from, false, projected.ready));
  }
  return loads;
}

void LowerRecurrent(NpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& x = InputShape(graph, op, 0);
  const Shape& w = InputShape(graph, op, 1);
  const Shape& r = InputShape(graph, op, 2);
  const std::int64_t dirs = w[0], gates_hidden = w[1], hidden = r[2];
  for (const TensorId t : op.outputs) lowering.PlaceResult(t, index);
  lowering.Pin(op.inputs[2], index);
  GemmTask project;
  project.op = index;
  project.groups = 1;
  project.m = x[0] * x[1];
  project.k = x[2];
  project.n = gates_hidden * dirs;
  project.streamed = op.inputs[0];
  project.stationary = op.inputs[1];
  project.streamed_bytes = lowering.TensorBytes(op.inputs[0]);
  project.stationary_bytes = lowering.TensorBytes(op.inputs[1]);
  project.result_bytes = lowering.ActivationBytes(project.m * project.n);
  project.epilogue = EpilogueWork(lowering, op, true);
  const TensorId gates_tensor = lowering.PlaceTemporary(project.result_bytes, index, true);
  TensorHome& projected = lowering.home(gates_tensor);
  project.result = &projected;
  projected.ready = EmitGemm(lowering, project);
  CommandIds last;
  GemmTask step = project;
  step.result = nullptr;
  step.groups = dirs;
  step.m = x[1];
  step.k = hidden;
  step.n = gates_hidden;
  step.streamed = kNoTensor;
  step.stationary = op.inputs[2];
  step.streamed_bytes = lowering.ActivationBytes(x[1] * hidden * dirs);
  step.stationary_bytes = lowering.TensorBytes(op.inputs[2]);
  step.result_bytes = lowering.ActivationBytes(step.m * step.n * dirs);
  const VectorWork gates = GateWork(lowering, op.kind);
  for (std::int64_t t = 0; t < x[0]; ++t) {
    step.wait_for = last;
    CommandIds sums = EmitGemm(lowering, step);
    AddDependencies(&sums, LoadStep(lowering, index, projected, t, x[0]));
    last = EmitVectorCommands(lowering, index, gates, x[1] * dirs, gates_hidden, sums);
  }
  projected.readers = last;
  lowering.ReleaseTemporary(gates_tensor);
  for (const TensorId t : op.outputs) {
    const TensorHome& home = lowering.home(t);
    CommandIds done = last;
    if (!home.on_chip) {
      done = {lowering.Copy(NpuOpcode::kStore, index, 0, home, 0, home.bytes, false, last)};
    }
    lowering.FinishResult(t, index, done);
  }
}

auto& registry = NpuLowerRegistry::Instance();
const bool kLstm = registry.Add("lstm", &LowerRecurrent);
const bool kGru = registry.Add("gru", &LowerRecurrent);
const bool kRnn = registry.Add("rnn", &LowerRecurrent);

}  // namespace
}  // namespace siliscope
