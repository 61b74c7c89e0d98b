// SPDX-License-Identifier: Apache-2.0
// Operators that move elements: transposes in square blocks of vectors, gathers row by row.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/elementwise_codes.h"
#include "workloads/lower/cpu/micro_code_builder.h"
#include "workloads/lower/matrix_transpose.h"

namespace siliscope {
namespace {

/// `side` rows of a vector each are loaded, shuffled (log2(side) times each) and stored as columns.
/// Loops: blocks along a row, blocks of rows. Pointers: input, result.
CpuCode TransposeCode(std::int64_t side, std::int64_t vector, std::int64_t rows_bytes,
                      std::int64_t columns_bytes, std::int64_t blocks) {
  MicroCodeBuilder b(fmt::format("transpose_{}_{}_{}_{}", side, rows_bytes, columns_bytes, blocks));
  const std::int32_t again = b.Here();
  for (std::int64_t r = 0; r < side; ++r) {
    b.Load(16 + static_cast<int>(r), 0, r * columns_bytes, vector);
  }
  for (std::int64_t step = 1; step < side; step *= 2) {
    for (std::int64_t r = 0; r < side; ++r) {
      b.Add(MicroOpClass::kShuffle, 16 + static_cast<int>(r), 16 + static_cast<int>(r),
            16 + static_cast<int>((r + step) % side));
    }
  }
  for (std::int64_t r = 0; r < side; ++r) {
    b.Store(16 + static_cast<int>(r), 1, r * rows_bytes, vector);
  }
  b.Advance(0, vector);
  b.Advance(1, side * rows_bytes);
  b.Loop(again, 0);
  b.Advance(0, side * columns_bytes - blocks * vector);
  b.Advance(1, vector - blocks * side * rows_bytes);
  b.Loop(again, 1);
  return b.Finish();
}

void LowerTranspose(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Shape& shape = lowering.graph().tensor(op.inputs[0]).shape;
  const auto matrices = AsMatrices(shape, op.Ints("perm"));
  const std::int64_t e = lowering.ElementBytes(), vector = lowering.cpu().core.vector_bytes;
  const std::int64_t side = std::max<std::int64_t>(1, vector / e);
  if (!matrices || matrices->rows < side || matrices->columns < side) {
    WriteCopy(lowering, index);
    return;
  }
  const std::int64_t rows = CeilDivide(matrices->rows, side);
  const std::int64_t columns = CeilDivide(matrices->columns, side);
  const std::int64_t units = matrices->batch * rows, threads = lowering.Threads(units);
  const std::int64_t matrix = matrices->rows * matrices->columns * e;
  const std::uint32_t code = lowering.CodeOf(
      TransposeCode(side, vector, matrices->rows * e, matrices->columns * e, columns));
  const std::int64_t from = lowering.AddressOf(op.inputs[0]);
  const std::int64_t to = lowering.AddressOf(op.outputs.front());
  lowering.BeginRegion(index, threads);
  for (std::int64_t t = 0; t < threads; ++t) {
    std::int64_t unit = units * t / threads;
    const std::int64_t end = units * (t + 1) / threads;
    while (unit < end) {
      const std::int64_t batch = unit / rows, row = unit % rows;
      CpuCall call;
      call.code = code;
      call.trips = {columns, std::min(end - unit, rows - row)};
      call.pointers = {from + batch * matrix + row * side * matrices->columns * e,
                       to + batch * matrix + row * vector};
      lowering.Call(t, call);
      unit += call.trips.back();
    }
  }
}

/// Rows of a table that lie anywhere in it.
void LowerGather(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Graph& graph = lowering.graph();
  const Tensor& table = graph.tensor(op.inputs[0]);
  const std::int64_t elements = graph.tensor(op.outputs.front()).elements();
  const std::int64_t indices = std::max<std::int64_t>(1, graph.tensor(op.inputs[1]).elements());
  const std::int64_t row_bytes =
      std::max<std::int64_t>(1, elements / indices) * lowering.ElementBytes();
  constexpr std::int64_t kMostRows = 1 << 16;
  if (indices > kMostRows) {
    WriteCopy(lowering, index);
    return;
  }
  const std::int64_t vector = lowering.cpu().core.vector_bytes;
  const std::int64_t table_rows =
      std::max<std::int64_t>(1, table.elements() * lowering.ElementBytes() / row_bytes);
  MicroCodeBuilder b("gather_row");
  const std::int32_t again = b.Here();
  b.Load(16, 0, 0, vector);
  b.Store(16, 1, 0, vector);
  b.Advance(0, vector);
  b.Advance(1, vector);
  b.Loop(again, 0);
  const std::uint32_t code = lowering.CodeOf(b.Finish());
  const std::int64_t from = lowering.AddressOf(op.inputs[0]);
  const std::int64_t to = lowering.AddressOf(op.outputs.front());
  const std::int64_t threads = lowering.Threads(indices * row_bytes / 4096);
  lowering.BeginRegion(index, threads);
  std::uint64_t chance = 1;
  for (std::int64_t i = 0; i < indices; ++i) {
    chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
    CpuCall call;
    call.code = code;
    call.trips = {CeilDivide(row_bytes, vector)};
    const auto row = static_cast<std::int64_t>(chance >> 33) % table_rows;
    call.pointers = {from + row * row_bytes, to + i * row_bytes};
    lowering.Call(i * threads / indices, call);
  }
}

const bool kTranspose = CpuLowerRegistry::Instance().Add("transpose", &LowerTranspose);
const bool kGather = CpuLowerRegistry::Instance().Add("gather", &LowerGather);

}  // namespace
}  // namespace siliscope
