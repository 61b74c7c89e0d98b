// SPDX-License-Identifier: Apache-2.0
// Loops over vectors and matrices, element by element in tiles, as compilers' textbooks transform
// them: what their order and their tiles do to the caches (Wolf and Lam, "A Data Locality
// Optimizing Algorithm", PLDI 1991).
#include <fmt/format.h>

#include "sim/core/error.h"
#include "workloads/lower/cpu/cpu_lowering.h"
#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

/// From the innermost loop outwards: two loops of a tile, two over tiles.
struct Nest {
  std::int64_t rows, columns, tile_rows, tile_columns;
  bool rows_inside;  ///< of a tile, the rows are the innermost loop
  std::int64_t element;

  std::int64_t row_tiles() const { return rows / tile_rows; }
  std::int64_t column_tiles() const { return columns / tile_columns; }
};

constexpr int kA = 0, kB = 1;  ///< pointers of A[i] += B[j]
constexpr int kLoadedA = 16, kLoadedB = 17, kSum = 18;

/// A[i] += B[j]; what the innermost loop leaves alone stays in a register.
CpuCode OuterCode(const Nest& n) {
  MicroCodeBuilder b(fmt::format("add_{}x{}_of_{}x{}_{}", n.tile_rows, n.tile_columns, n.rows,
                                 n.columns, n.rows_inside ? "rows" : "columns"));
  const std::int64_t rows = n.tile_rows * n.element, columns = n.tile_columns * n.element;
  const int inner = n.rows_inside ? kA : kB, outer = n.rows_inside ? kB : kA;
  const std::int64_t inner_bytes = n.rows_inside ? rows : columns;
  const std::int64_t outer_bytes = n.rows_inside ? columns : rows;
  const auto add = [&b](int to) {
    b.Add(MicroOpClass::kFloatAdd, to, kLoadedA, kLoadedB).flops = 1;
  };
  const std::int32_t tile = b.Here();
  b.Load(n.rows_inside ? kLoadedB : kLoadedA, outer, 0, n.element);
  const std::int32_t again = b.Here();
  b.Load(n.rows_inside ? kLoadedA : kLoadedB, inner, 0, n.element);
  add(n.rows_inside ? kSum : kLoadedA);
  if (n.rows_inside) b.Store(kSum, kA, 0, n.element);
  b.Advance(inner, n.element);
  b.Loop(again, 0);
  if (!n.rows_inside) b.Store(kLoadedA, kA, 0, n.element);
  b.Advance(inner, -inner_bytes);
  b.Advance(outer, n.element);
  b.Loop(tile, 1);
  // The next tile of columns, from the first row of these; then the next tile of rows.
  b.Advance(outer, -outer_bytes);
  b.Advance(kB, columns);
  b.Loop(tile, 2);
  b.Advance(kB, -n.columns * n.element);
  b.Advance(kA, rows);
  b.Loop(tile, 3);
  return b.Finish();
}

/// The sum of a matrix that lies row by row.
CpuCode MatrixCode(const Nest& n) {
  MicroCodeBuilder b(fmt::format("sum_{}x{}_of_{}x{}_{}", n.tile_rows, n.tile_columns, n.rows,
                                 n.columns, n.rows_inside ? "rows" : "columns"));
  const std::int64_t row = n.columns * n.element;
  const std::int64_t inner = n.rows_inside ? row : n.element;
  const std::int64_t outer = n.rows_inside ? n.element : row;
  const std::int64_t inner_trips = n.rows_inside ? n.tile_rows : n.tile_columns;
  const std::int64_t outer_trips = n.rows_inside ? n.tile_columns : n.tile_rows;
  const std::int32_t again = b.Here();
  b.Load(kLoadedA, 0, 0, n.element);
  b.Add(MicroOpClass::kFloatAdd, kSum, kSum, kLoadedA).flops = 1;
  b.Advance(0, inner);
  b.Loop(again, 0);
  b.Advance(0, outer - inner_trips * inner);
  b.Loop(again, 1);
  b.Advance(0, n.tile_columns * n.element - outer_trips * outer);
  b.Loop(again, 2);
  b.Advance(0, n.tile_rows * row - row);
  b.Loop(again, 3);
  return b.Finish();
}

void LowerLoopNest(CpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  Nest n{};
  n.rows = op.Int("rows", 1);
  n.columns = op.Int("columns", 1);
  n.tile_rows = op.Int("tile_rows", n.rows);
  n.tile_columns = op.Int("tile_columns", n.columns);
  n.rows_inside = op.Text("inner", "cols") == "rows";
  n.element = lowering.ElementBytes();
  if (n.rows % n.tile_rows != 0 || n.columns % n.tile_columns != 0) {
    throw UserError("loops: rows are no multiple of tile_rows, or cols of tile_cols");
  }
  const bool matrix = lowering.graph().tensor(op.inputs[0]).shape.size() > 1;
  CpuCall call;
  call.code = lowering.CodeOf(matrix ? MatrixCode(n) : OuterCode(n));
  call.trips = {n.rows_inside ? n.tile_rows : n.tile_columns,
                n.rows_inside ? n.tile_columns : n.tile_rows, n.column_tiles(), n.row_tiles()};
  if (matrix) {
    call.pointers = {lowering.AddressOf(op.inputs[0])};
  } else {
    call.pointers = {lowering.AddressOf(op.outputs[0]), lowering.AddressOf(op.inputs[0])};
  }
  lowering.info(index).mapping = fmt::format("tiles of {} x {}, {} inside", n.tile_rows,
                                             n.tile_columns, n.rows_inside ? "rows" : "columns");
  lowering.BeginRegion(index, 1);
  lowering.Call(0, call);
}

const bool kLoops = CpuLowerRegistry::Instance().Add("loop_nest", &LowerLoopNest);

}  // namespace
}  // namespace siliscope
