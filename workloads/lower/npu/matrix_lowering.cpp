// SPDX-License-Identifier: Apache-2.0
// matmul, conv and conv_transpose on an NPU: each is a matrix product, or several.
//
// Convolution by im2col: rows are output positions of all images, the contraction is kernel x input
// channels. In hardware the windows are formed on the way into the array; explicit im2col writes
// them out with the vector unit first. Grouped and depthwise convolutions put as many groups as fit
// side by side on the diagonal of a tile, or run depthwise on the vector unit where that is faster.
#include <algorithm>

#include "sim/core/error.h"
#include "workloads/lower/npu/gemm_lowering.h"
#include "workloads/lower/npu/vector_lowering.h"

namespace siliscope {
namespace {

void FinishGemm(NpuLowering& lowering, const GemmTask& task, TensorId result) {
  lowering.FinishResult(result, task.op, EmitGemm(lowering, task));
  lowering.info(task.op).executed_flops = lowering.info(task.op).macs * 2;
}

/// A result of one row: every weight is used once, so the vector unit can keep up with memory.
bool LowerGemv(NpuLowering& lowering, std::uint32_t index, const GemmTask& task, TensorId result) {
  const NpuSpec& npu = lowering.npu();
  if (!npu.mapping.vector_gemv || task.groups * task.m != 1 || npu.weight_fifo_tiles > 0 ||
      lowering.home(task.stationary).on_chip) {
    return false;
  }
  VectorWork work = task.epilogue;
  work.label = "gemv";
  work.functions = {{"mul", 1}, {"add", 1}};
  work.load_bytes_per_element = static_cast<double>(lowering.WeightBytes(8)) / 8;
  work.store_bytes_per_element = 0;
  work.matrix_flops_per_element = 2;
  const double vector_s =
      lowering.cost().VectorCycles(work, task.k, task.n) / lowering.machine().clock_hz;
  const double copy_s =
      lowering.cost().CopySeconds(task.stationary_bytes, lowering.home(task.stationary).space);
  if (vector_s > copy_s) return false;
  std::vector<VectorInput> inputs = {{task.streamed, 1, true}, {task.stationary, 1, false}};
  LowerVector(lowering, index, result, {work, task.k, task.n, inputs, task.result_bytes, true});
  lowering.info(index).mapping = "vector unit, weights streamed";
  return true;
}

void LowerMatmul(NpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& a = graph.tensor(op.inputs[0]);
  const Tensor& b = graph.tensor(op.inputs[1]);
  const Tensor& y = graph.tensor(op.outputs[0]);
  if (!op.Text("sparsity", "").empty()) {
    throw UserError(lowering.machine().name + ": its arrays don't skip zeros, sparsity=" +
                    op.Text("sparsity", "") + " has no meaning");
  }
  if (!op.Text("accumulate", "").empty()) {
    throw UserError(lowering.machine().name + ": its arrays' accumulators have one width, " +
                    "accumulate=" + op.Text("accumulate", "") + " has no meaning");
  }
  GemmTask task;
  task.op = index;
  const bool ta = op.Int("transpose_a", 0) != 0, tb = op.Int("transpose_b", 0) != 0;
  const std::size_t ra = a.shape.size(), rb = b.shape.size();
  task.k = ra == 1 ? a.shape[0] : a.shape[ra - (ta ? 2 : 1)];
  task.n = rb == 1 ? 1 : b.shape[rb - (tb ? 2 : 1)];
  const std::int64_t stationary_matrices = rb <= 2 ? 1 : b.elements() / (task.k * task.n);
  // One stationary matrix: all rows stream through it. Several: one product each.
  task.groups = stationary_matrices;
  task.m =
      std::max<std::int64_t>(1, y.elements() / std::max<std::int64_t>(1, task.n * task.groups));
  task.streamed = op.inputs[0];
  task.stationary = op.inputs[1];
  task.streamed_bytes = lowering.TensorBytes(op.inputs[0]);
  task.stationary_bytes = lowering.TensorBytes(op.inputs[1]);
  task.epilogue = EpilogueWork(lowering, op, false);
  task.epilogue_operands = EpilogueOperands(op);
  task.result_bytes = lowering.TensorBytes(op.outputs[0]);
  if (task.epilogue_operands.empty() && LowerGemv(lowering, index, task, op.outputs[0])) return;
  task.result = &lowering.PlaceResult(op.outputs[0], index);
  FinishGemm(lowering, task, op.outputs[0]);
}

/// Groups that share a tile of the array, on its diagonal.
std::int64_t GroupsPerTile(const NpuSpec& npu, std::int64_t groups, std::int64_t k,
                           std::int64_t n) {
  if (npu.array.dataflow == Dataflow::kOutputStationary) return 1;
  const std::int64_t fit = std::min(npu.array.rows / std::max<std::int64_t>(k, 1),
                                    npu.array.columns / std::max<std::int64_t>(n, 1));
  return std::clamp<std::int64_t>(fit, 1, groups);
}

/// Depthwise convolution on the vector unit: kernel taps of multiply and add for each element.
bool LowerDepthwise(NpuLowering& lowering, std::uint32_t index, const GemmTask& task,
                    std::int64_t taps) {
  const Operator& op = lowering.op(index);
  VectorWork work = task.epilogue;
  work.label = "depthwise";
  const double bytes = static_cast<double>(lowering.ActivationBytes(8)) / 8;
  work.load_bytes_per_element = bytes * static_cast<double>(taps);
  work.matrix_flops_per_element = 2 * static_cast<double>(taps);
  work.functions.emplace_back("mul", static_cast<int>(taps));
  work.functions.emplace_back("add", static_cast<int>(taps));
  const Tensor& y = lowering.graph().tensor(op.outputs[0]);
  const std::int64_t columns = y.shape[1], rows = y.elements() / columns;
  const NpuSpec& npu = lowering.npu();
  const double vector_s =
      lowering.cost().VectorCycles(work, (rows + npu.cores - 1) / npu.cores, columns);
  const std::int64_t tiles = task.groups * ((task.n + npu.array.columns - 1) / npu.array.columns) *
                             ((task.k + npu.array.rows - 1) / npu.array.rows);
  const double per_array = static_cast<double>(tiles) / static_cast<double>(npu.array.count);
  const double array_s = per_array * lowering.cost().MatmulIntervalCycles(
                                         (task.m + npu.cores - 1) / npu.cores, lowering.rate(),
                                         npu.array.dataflow == Dataflow::kOutputStationary);
  // Results of the arrays pass through the vector unit too, a tile at a time.
  const std::int64_t width = std::min(task.n, npu.array.columns);
  const std::int64_t result_tiles = task.groups * ((task.n + width - 1) / width);
  const double epilogue_s =
      static_cast<double>(result_tiles) *
      lowering.cost().VectorCycles(task.epilogue, (task.m + npu.cores - 1) / npu.cores, width);
  if (vector_s >= std::max(array_s, epilogue_s)) return false;
  std::vector<VectorInput> inputs = {{op.inputs[0], 1, false}, {op.inputs[1], 1, true}};
  for (const TensorId operand : task.epilogue_operands) inputs.push_back({operand, 1, false});
  LowerVector(lowering, index, op.outputs[0],
              {work, rows, columns, inputs, task.result_bytes, false});
  lowering.info(index).mapping = "vector unit, a tap at a time";
  return true;
}

/// Writes the windows out, where the hardware can't form them: rows x columns elements, on chip
/// where they fit. Returns the tensor that then streams.
TensorId ExplicitIm2col(NpuLowering& lowering, std::uint32_t index, std::int64_t rows,
                        std::int64_t columns) {
  VectorTask task;
  task.work.label = "im2col";
  task.work.functions = {{"copy", 1}};
  const double bytes = static_cast<double>(lowering.ActivationBytes(8)) / 8;
  task.work.load_bytes_per_element = bytes;
  task.work.store_bytes_per_element = bytes;
  task.rows = rows;
  task.columns = columns;
  task.inputs = {{lowering.op(index).inputs[0], 1, false}};
  task.result_bytes = lowering.ActivationBytes(rows * columns);
  const TensorId windows = lowering.PlaceTemporary(task.result_bytes, index, true);
  TensorHome& home = lowering.home(windows);
  home.ready = EmitVector(lowering, index, home, task);
  return windows;
}

GemmTask ConvTask(NpuLowering& lowering, std::uint32_t index, std::int64_t positions,
                  std::int64_t k, std::int64_t n, std::int64_t groups) {
  const Operator& op = lowering.op(index);
  GemmTask task;
  task.op = index;
  task.m = positions;
  task.k = k;
  task.n = n;
  task.groups = groups;
  task.streamed = op.inputs[0];
  task.stationary = op.inputs[1];
  task.streamed_bytes = lowering.TensorBytes(op.inputs[0]);
  task.stationary_bytes = lowering.TensorBytes(op.inputs[1]);
  task.result_bytes = lowering.TensorBytes(op.outputs[0]);
  const bool bias = op.inputs.size() > 2 && op.inputs[2] != kNoTensor;
  task.epilogue = EpilogueWork(lowering, op, bias);
  task.epilogue_operands = EpilogueOperands(op);
  if (bias) task.epilogue_operands.push_back(op.inputs[2]);
  return task;
}

void LowerConv(NpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& w = graph.tensor(op.inputs[1]);
  const Tensor& y = graph.tensor(op.outputs[0]);
  const std::int64_t group = op.Int("group", 1);
  const std::int64_t taps = ElementCount(Shape(w.shape.begin() + 2, w.shape.end()));
  const std::int64_t k = w.shape[1] * taps, n = w.shape[0] / group;
  GemmTask task = ConvTask(lowering, index, y.elements() / y.shape[1], k, n, group);
  if (group > 1) {
    const std::int64_t together = GroupsPerTile(lowering.npu(), group, k, n);
    task.groups = (group + together - 1) / together;
    task.k = k * together;
    task.n = n * together;
    task.useful =
        static_cast<double>(group) / static_cast<double>(task.groups * together * together);
    // A diagonal tile is stored with its zeros.
    task.stationary_bytes = lowering.WeightBytes(task.groups * task.k * task.n);
    if (k == taps && n == 1 && LowerDepthwise(lowering, index, task, taps)) return;
  }
  const bool explicit_im2col = !lowering.npu().mapping.im2col_in_hardware && taps > 1;
  if (explicit_im2col) {
    task.streamed = ExplicitIm2col(lowering, index, task.m, k * group);
    task.streamed_bytes = lowering.ActivationBytes(task.m * k * group);
  }
  task.result = &lowering.PlaceResult(op.outputs[0], index);
  FinishGemm(lowering, task, op.outputs[0]);
  if (explicit_im2col) lowering.ReleaseTemporary(task.streamed);
}

void LowerConvTranspose(NpuLowering& lowering, std::uint32_t index) {
  // One product x^T w per input position gives the taps; the vector unit adds those that meet.
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& x = graph.tensor(op.inputs[0]);
  const Tensor& w = graph.tensor(op.inputs[1]);
  const std::int64_t group = op.Int("group", 1);
  const std::int64_t n = w.elements() / w.shape[0];
  GemmTask task =
      ConvTask(lowering, index, x.elements() / x.shape[1], x.shape[1] / group, n, group);
  task.epilogue.functions.emplace_back("add", 1);
  task.result = &lowering.PlaceResult(op.outputs[0], index);
  FinishGemm(lowering, task, op.outputs[0]);
}

auto& registry = NpuLowerRegistry::Instance();
const bool kMatmul = registry.Add("matmul", &LowerMatmul);
const bool kConv = registry.Add("conv", &LowerConv);
const bool kConvTranspose = registry.Add("conv_transpose", &LowerConvTranspose);

}  // namespace
}  // namespace siliscope
