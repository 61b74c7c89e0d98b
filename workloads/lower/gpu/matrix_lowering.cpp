// SPDX-License-Identifier: Apache-2.0
// matmul and conv on a GPU. A product that is split over k writes partial sums, which a second
// kernel adds up.
#include "workloads/lower/gpu/matrix_lowering.h"

#include <algorithm>

#include "sim/core/error.h"
#include "workloads/ir/elementwise_function.h"
#include "workloads/lower/gpu/gemm_choice.h"
#include "workloads/lower/gpu/stream_kernel.h"

namespace siliscope {

void AddEpilogue(GpuLowering& lowering, const Operator& op, GemmProblem* p) {
  const std::int64_t outputs = lowering.graph().tensor(op.outputs.front()).elements();
  for (const EpilogueStep& step : op.epilogue) {
    p->epilogue_operations += static_cast<int>(FunctionOperations(step.function));
    if (step.operand == kNoTensor) continue;
    if (lowering.graph().tensor(step.operand).elements() == outputs) {
      p->epilogue_operands.push_back(lowering.TensorOf(step.operand));
    }
  }
}

void LaunchGemm(GpuLowering& lowering, std::uint32_t index, const GemmProblem& p) {
  const MachineSpec& machine = lowering.machine();
  const GemmTile tile = ChooseTile(lowering, index, p);
  if (tile.stream_k) {
    const std::int64_t row = 4 * tile.bn;
    const std::uint32_t sums = lowering.AddTensor("partial_tiles", machine.gpu.sms * tile.bm, row);
    lowering.Launch(index, MakeGemmKernel(machine, p, tile, sums));
    return;
  }
  if (tile.split == 1 || tile.cluster_split) {
    lowering.Launch(index, MakeGemmKernel(machine, p, tile, 0));
    return;
  }
  const std::uint32_t sums = lowering.AddTensor("partial_sums", p.m * tile.split, p.n * 4);
  lowering.Launch(index, MakeGemmKernel(machine, p, tile, sums));
  lowering.Launch(index, MakeReductionKernel(machine, lowering.Layout(sums), sums, p.c, tile.split,
                                             p.m, p.c_bytes));
}

namespace {

/// An 8-bit product takes activations that another kernel has quantised: it finds the largest
/// value, then scales and rounds, one value a load (TensorRT-LLM 0.x, cpp/tensorrt_llm/common/
/// cudaFp8Utils.cu: 1024 CTAs of 1024 threads, then 1024 of 256).
std::uint32_t Quantise(GpuLowering& lowering, std::uint32_t index, TensorId activation) {
  const Tensor& tensor = lowering.graph().tensor(activation);
  const std::uint32_t from = lowering.TensorOf(activation);
  const GpuTensor layout = lowering.Layout(from);
  const std::uint32_t to = lowering.AddTensor(tensor.name + "_fp8", layout.rows,
                                              std::max<std::int64_t>(1, layout.row_bytes / 2));
  const std::uint32_t scale = lowering.AddTensor(tensor.name + "_scale", 1, 128);
  StreamWork zero{"fill", {}, {{scale, 4}}, 1, 0, 1, 4, 128, 0, {}};
  lowering.Launch(index, MakeStreamKernel(lowering.machine(), lowering.Layout(scale), zero));
  StreamWork largest{"absolute_maximum", {{from, 2}}, {}, 3, 0, 1, 2, 1024, 1024, scale};
  lowering.Launch(index, MakeStreamKernel(lowering.machine(), lowering.Layout(from), largest));
  StreamWork quantise{"quantise", {{from, 2}}, {{to, 1}}, 4, 0, 1, 2, 256, 1024, {}};
  lowering.Launch(index, MakeStreamKernel(lowering.machine(), lowering.Layout(from), quantise));
  return to;
}

void CheckSparse(const MachineSpec& machine, const GemmProblem& p) {
  const TensorCoreSpec& core = machine.gpu.tensor_core;
  if (!core.sparse || core.macs_per_cycle.count(p.dtype) == 0 || p.dtype == "fp64") {
    throw UserError(machine.name + " has no Tensor Cores for 2:4 sparse operands of " + p.dtype);
  }
  if (!p.b_k_contiguous || p.k % 4 != 0) {
    throw UserError("a 2:4 sparse operand needs k along its rows, a multiple of 4");
  }
}

void LowerMatmul(GpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& a = graph.tensor(op.inputs[0]);
  const Tensor& b = graph.tensor(op.inputs[1]);
  const Tensor& y = graph.tensor(op.outputs[0]);
  const bool ta = op.Int("transpose_a", 0) != 0, tb = op.Int("transpose_b", 0) != 0;
  const bool column_major = op.Int("column_major", 0) != 0;
  const std::size_t ra = a.shape.size(), rb = b.shape.size();
  GemmProblem p;
  p.dtype = lowering.dtype();
  p.k = ra == 1 ? a.shape[0] : a.shape[ra - (ta ? 2 : 1)];
  p.n = rb == 1 ? 1 : b.shape[rb - (tb ? 2 : 1)];
  p.batch = rb <= 2 ? 1 : b.elements() / (p.k * p.n);
  p.m = std::max<std::int64_t>(1, y.elements() / std::max<std::int64_t>(1, p.n * p.batch));
  const bool weight = b.role == Role::kWeight;
  // Linear layers keep weights with k running along a row; BLAS lists say how operands lie.
  p.a_k_contiguous = column_major ? ta : !ta;
  p.b_k_contiguous = column_major ? !tb : (tb || (weight && p.batch == 1));
  p.b_shared = p.batch == 1;
  p.a_bytes = lowering.ElementBytes(op.inputs[0]);
  p.b_bytes = lowering.ElementBytes(op.inputs[1]);
  p.c_bytes = lowering.ElementBytes(op.outputs[0]);
  p.b_sparse = op.Text("sparsity", "") == "2:4";
  p.half_sums = op.Text("accumulate", "") == "fp16";
  if (p.half_sums && p.dtype != "fp16") {
    throw UserError("accumulate=fp16 is for products of fp16, not of " + p.dtype);
  }
  if (p.b_sparse) {
    CheckSparse(lowering.machine(), p);
    p.b_bytes = p.b_bytes / 2 + 0.125;
  }
  const auto layout = [&](TensorId id, std::int64_t outer, std::int64_t inner, double bytes) {
    lowering.SetLayout(id, outer, static_cast<std::int64_t>(static_cast<double>(inner) * bytes));
  };
  layout(op.inputs[0], p.batch * (p.a_k_contiguous ? p.m : p.k), p.a_k_contiguous ? p.k : p.m,
         p.a_bytes);
  layout(op.inputs[1], p.batch * (p.b_k_contiguous ? p.n : p.k), p.b_k_contiguous ? p.k : p.n,
         p.b_bytes);
  layout(op.outputs[0], p.batch * p.m, p.n, p.c_bytes);
  p.a = lowering.TensorOf(op.inputs[0]);
  p.b = lowering.TensorOf(op.inputs[1]);
  p.c = lowering.TensorOf(op.outputs[0]);
  AddEpilogue(lowering, op, &p);
  if (p.dtype == "fp8") {
    p.a = Quantise(lowering, index, op.inputs[0]);
    p.a_bytes = 1;
  }
  LaunchGemm(lowering, index, p);
}

const bool kMatmul = GpuLowerRegistry::Instance().Add("matmul", &LowerMatmul);

}  // namespace
}  // namespace siliscope
