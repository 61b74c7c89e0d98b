// SPDX-License-Identifier: Apache-2.0
// Pools over images in blocks of channels: a vector of the result at a time.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/elementwise_codes.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

struct PoolShape {
  std::int64_t in_rows = 1, in_columns = 1, out_rows = 1, out_columns = 1;
  std::int64_t kernel_rows = 1, kernel_columns = 1, stride_down = 1, stride = 1;
};

/// Loops: rows of the window, pixels of a row, rows. Pointers: input, result.
CpuCode PoolCode(const PoolShape& s, std::int64_t vector, std::int64_t element) {
  MicroCodeBuilder b(fmt::format("pool_{}x{}_{}x{}_{}_{}", s.kernel_rows, s.kernel_columns,
                                 s.in_columns, s.out_columns, s.stride_down * 100 + s.stride,
                                 vector));
  const std::int64_t in_row = s.in_columns * vector;
  const std::int32_t pixel = b.Here();
  b.Add(MicroOpClass::kInteger, 100);
  const std::int32_t row = b.Here();
  for (std::int64_t c = 0; c < s.kernel_columns; ++c) {
    const int value = 16 + static_cast<int>(c % 32);
    b.Load(value, 0, c * vector, vector);
    b.Add(MicroOpClass::kFloatAdd, 100, 100, value).flops =
        static_cast<float>(vector) / static_cast<float>(element);
  }
  b.Advance(0, in_row);
  b.Loop(row, 0);
  b.Store(100, 1, 0, vector);
  b.Advance(0, s.stride * vector - s.kernel_rows * in_row);
  b.Advance(1, vector);
  b.Loop(pixel, 1);
  b.Advance(0, s.stride_down * in_row - s.out_columns * s.stride * vector);
  b.Loop(pixel, 2);
  return b.Finish();
}

void LowerPool(CpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& x = graph.tensor(op.inputs[0]).shape;
  const Shape& y = graph.tensor(op.outputs.front()).shape;
  const std::size_t rank = x.size() - 2;
  const std::vector<std::int64_t> kernel = op.Ints("kernel");
  const std::vector<std::int64_t> strides = op.Ints("strides", Shape(rank, 1));
  PoolShape s;
  s.in_columns = x.back(), s.out_columns = y.back();
  s.kernel_columns = std::min(kernel.back(), s.in_columns), s.stride = strides.back();
  if (rank >= 2) {
    s.in_rows = x[rank], s.out_rows = y[rank];
    s.kernel_rows = std::min(kernel[rank - 2], s.in_rows), s.stride_down = strides[rank - 2];
  }
  const std::int64_t e = lowering.ElementBytes(), vector = lowering.cpu().core.vector_bytes;
  std::int64_t planes = x[0] * CeilDivide(x[1] * e, vector);
  for (std::size_t d = 0; d + 2 < rank; ++d) planes *= y[d + 2] * kernel[d];
  const std::int64_t units = planes * s.out_rows, threads = lowering.Threads(units);
  const std::int64_t input = lowering.AddressOf(op.inputs[0]);
  const std::int64_t result = lowering.AddressOf(op.outputs.front());
  const std::uint32_t code = lowering.CodeOf(PoolCode(s, vector, e));
  lowering.BeginRegion(index, threads);
  for (std::int64_t t = 0; t < threads; ++t) {
    std::int64_t unit = units * t / threads;
    const std::int64_t end = units * (t + 1) / threads;
    while (unit < end) {
      const std::int64_t plane = unit / s.out_rows, row = unit % s.out_rows;
      CpuCall call;
      call.code = code;
      call.trips = {s.kernel_rows, s.out_columns, std::min(end - unit, s.out_rows - row)};
      call.pointers = {input + (plane * s.in_rows + row * s.stride_down) * s.in_columns * vector,
                       result + (plane * s.out_rows + row) * s.out_columns * vector};
      lowering.Call(t, call);
      unit += call.trips.back();
    }
  }
}

const bool kPool = CpuLowerRegistry::Instance().Add("pool", &LowerPool);

}  // namespace
}  // namespace siliscope
