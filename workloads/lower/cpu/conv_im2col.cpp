// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/conv_algorithms.h"
#include "workloads/lower/cpu/gemm_writer.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr int kImage = 0, kWindows = 1;
// Loops, from the innermost outwards.
constexpr int kAlongRow = 0, kRows = 1, kKernelColumns = 2, kKernelRows = 3, kChannels = 4;

/// Rows of the matrix of windows: for each channel and each place of the kernel, the pixels that it
/// meets. A stride makes lanes come from as many vectors.
CpuCode WindowsCode(const ConvShape& s, std::int64_t lanes, std::int64_t e) {
  MicroCodeBuilder b(fmt::format("im2col_{}x{}_{}x{}_{}x{}_s{}_{}", s.in_rows, s.in_columns,
                                 s.out_rows, s.out_columns, s.kernel_rows, s.kernel_columns,
                                 s.stride, lanes));
  const std::int64_t vector = lanes * e, turns = CeilDivide(s.out_columns, lanes);
  const std::int64_t row = s.in_columns * e, plane = s.in_rows * row;
  const std::int64_t out_row = s.out_columns * e, out_plane = s.out_rows * out_row;
  const std::int32_t again = b.Here();
  for (std::int64_t part = 0; part < s.stride; ++part) {
    const int loaded = 16 + static_cast<int>(part % 16);
    b.Load(loaded, kImage, part * vector, vector);
    if (s.stride > 1) b.Add(MicroOpClass::kShuffle, 40, 40, loaded);
  }
  b.Store(s.stride > 1 ? 40 : 16, kWindows, 0, vector);
  b.Advance(kImage, vector * s.stride);
  b.Advance(kWindows, vector);
  b.Loop(again, kAlongRow);
  b.Advance(kImage, row * s.stride_down - turns * vector * s.stride);
  b.Advance(kWindows, out_row - turns * vector);
  b.Loop(again, kRows);
  b.Advance(kImage, s.dilation * e - s.out_rows * row * s.stride_down);
  b.Loop(again, kKernelColumns);
  b.Advance(kImage, s.dilation_down * row - s.kernel_columns * s.dilation * e);
  b.Loop(again, kKernelRows);
  b.Advance(kImage, plane - s.kernel_rows * s.dilation_down * row);
  b.Advance(kWindows, s.out_rows * out_row - out_plane);
  b.Loop(again, kChannels);
  return b.Finish();
}

}  // namespace

bool WriteIm2col(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const ConvShape s = ConvShapeOf(lowering.graph(), op);
  if (op.kind != "conv" || (s.groups > 1 && s.in_channels == 1)) return false;
  const std::int64_t e = lowering.LaneBytes(), lanes = lowering.Lanes();
  const std::int64_t channels = CeilDivide(s.in_channels, lowering.Group());
  const std::int64_t pixels = s.out_rows * s.out_columns;
  const std::int64_t depth = channels * s.kernel_rows * s.kernel_columns;
  const std::int64_t planes = s.images * s.groups;
  const std::int64_t image_bytes = channels * s.in_rows * s.in_columns * e;
  const std::int64_t windows_bytes = depth * pixels * e;
  std::int64_t windows = lowering.AddressOf(op.inputs[0]);
  const bool copies = s.kernel_rows * s.kernel_columns > 1 || s.stride > 1 || s.stride_down > 1;
  if (copies) {
    const std::int64_t image = windows;
    windows = lowering.AddBuffer(op.name + "_windows", planes * windows_bytes);
    const std::int64_t threads = lowering.Threads(planes * channels);
    lowering.BeginRegion(index, threads);
    for (std::int64_t t = 0; t < threads; ++t) {
      const std::int64_t first = planes * channels * t / threads;
      const std::int64_t count = planes * channels * (t + 1) / threads - first;
      CpuCall call;
      call.code = lowering.CodeOf(WindowsCode(s, lanes, e));
      call.trips = {CeilDivide(s.out_columns, lanes), s.out_rows, s.kernel_columns, s.kernel_rows,
                    count};
      call.pointers = {image + first * (image_bytes / channels),
                       windows + first * (windows_bytes / channels)};
      lowering.Call(t, call);
    }
  }
  CpuGemm g;
  g.op = index;
  g.rows = pixels;
  g.columns = s.out_channels;
  g.depth = depth;
  g.batch = planes;
  g.by_rows = {windows, false, pixels * e, windows_bytes};
  // Images share their weights; groups have their own.
  const std::int64_t weights = lowering.AddressOf(op.inputs[1]);
  g.by_columns = {weights, true, depth * e, s.groups > 1 ? s.out_channels * depth * e : 0};
  g.result = lowering.AddressOf(op.outputs.front());
  g.result_stride = pixels * lowering.ElementBytes();
  g.result_batch_bytes = s.out_channels * g.result_stride;
  AddEpilogue(lowering, op, &g);
  lowering.info(index).mapping = "im2col, " + WriteGemm(lowering, g);
  return true;
}

}  // namespace siliscope
