// SPDX-License-Identifier: Apache-2.0
// conv on a GPU by implicit GEMM: rows are output pixels, columns are output channels, and a step
// of the contraction is one place of the window and a stretch of channels. Images lie channels
// last, so a step reads a stretch of pixels, shifted by its place in the window.
#include <algorithm>

#include "workloads/ir/elementwise_function.h"
#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/matrix_lowering.h"
#include "workloads/lower/gpu/stream_kernel.h"

namespace siliscope {
namespace {

/// Depthwise: no product to speak of, a window of multiply-adds for each element.
/// Channels lie last; the weights of each are loaded once, as CTAs of other pixels find them in L1.
void LowerDepthwise(GpuLowering& lowering, std::uint32_t index, std::int64_t taps) {
  const Operator& op = lowering.op(index);
  const TensorId x = op.inputs[0], w = op.inputs[1], y = op.outputs.front();
  const auto pixels = [&](TensorId t) {
    return lowering.graph().tensor(t).elements() / lowering.graph().tensor(t).shape[1];
  };
  const auto bytes = [&](TensorId t, std::int64_t elements) {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(lowering.ElementBytes(t) * static_cast<double>(elements)));
  };
  for (const TensorId t : {x, y}) {
    lowering.SetLayout(t, pixels(t), bytes(t, lowering.graph().tensor(t).shape[1]));
  }
  lowering.SetLayout(w, 1, bytes(w, lowering.graph().tensor(w).elements()));
  const double rows = static_cast<double>(pixels(x)) / static_cast<double>(pixels(y));
  StreamWork work;
  work.name = "depthwise_conv";
  work.operations = static_cast<int>(2 * taps);
  work.elements_bytes = lowering.ElementBytes(y);
  work.loads = {{lowering.TensorOf(x), work.elements_bytes, std::max(1.0, rows)},
                {lowering.TensorOf(w), lowering.ElementBytes(w) * static_cast<double>(taps)}};
  work.stores = {{lowering.TensorOf(y), work.elements_bytes}};
  lowering.Launch(
      index, MakeStreamKernel(lowering.machine(), lowering.Layout(lowering.TensorOf(y)), work));
}

void LowerConv(GpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& x = graph.tensor(op.inputs[0]);
  const Tensor& w = graph.tensor(op.inputs[1]);
  const Tensor& y = graph.tensor(op.outputs[0]);
  const std::int64_t group = op.Int("group", 1);
  const std::int64_t channels = w.shape[1];
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < w.shape.size(); ++i) taps *= w.shape[i];
  if (group > 1 && channels == 1) {
    LowerDepthwise(lowering, index, taps);
    return;
  }
  GemmProblem p;
  p.dtype = lowering.dtype() == "fp8" ? "fp16" : lowering.dtype();
  p.a_bytes = lowering.ElementBytes(op.inputs[0]);
  p.b_bytes = p.a_bytes;
  p.c_bytes = lowering.ElementBytes(op.outputs[0]);
  const std::int64_t pixels = y.elements() / y.shape[1];
  p.m = pixels;
  p.n = y.shape[1] / group;
  p.k = channels * taps;
  p.batch = group;
  p.b_shared = group == 1;
  const std::int64_t in_pixels = x.elements() / x.shape[1];
  const auto bytes = [&](std::int64_t elements) {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(p.a_bytes * static_cast<double>(elements)));
  };
  lowering.SetLayout(op.inputs[0], in_pixels, bytes(x.shape[1]));
  lowering.SetLayout(op.inputs[1], w.shape[0], bytes(channels * taps));
  lowering.SetLayout(op.outputs[0], pixels, bytes(y.shape[1]));
  p.a = lowering.TensorOf(op.inputs[0]);
  p.b = lowering.TensorOf(op.inputs[1]);
  p.c = lowering.TensorOf(op.outputs[0]);
  // A tile of output pixels reads as many input pixels, times the stride; windows overlap.
  p.a_rows_numerator = in_pixels;
  p.a_rows_denominator = pixels;
  const std::int64_t width = x.shape.size() > 3 ? x.shape[3] : 1;
  const std::int64_t kw = w.shape.size() > 3 ? w.shape[3] : 1;
  // With a stride the places of the window read in turn from as many parts of the image, each with
  // as many pixels as the output has.
  const bool plane = op.kind == "conv" && x.shape.size() == 4;
  const Shape strides = plane ? op.Ints("strides", {1, 1}) : Shape{1, 1};
  const std::int64_t down = strides[0], across = strides[1];
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    const std::int64_t row = tap / kw, column = tap % kw;
    p.a_steps.push_back(
        {row / down * (width / across) + column / across, row % down * across + column % across});
  }
  p.a_step_k = channels;
  AddEpilogue(lowering, op, &p);
  LaunchGemm(lowering, index, p);
}

const bool kConv = GpuLowerRegistry::Instance().Add("conv", &LowerConv);
const bool kConvTranspose = GpuLowerRegistry::Instance().Add("conv_transpose", &LowerConv);

}  // namespace
}  // namespace siliscope
