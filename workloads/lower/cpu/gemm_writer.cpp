// SPDX-License-Identifier: Apache-2.0
// Each thread's part in the blocks and the order of OpenBLAS (driver/level3/level3.c): for each
// block of the contraction, the first block of rows is packed, then groups of columns are packed
// and multiplied by it while they are in the caches, then the further blocks of rows.
#include "workloads/lower/cpu/gemm_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/elementwise_codes.h"
#include "workloads/lower/cpu/gemm_blocking.h"
#include "workloads/lower/cpu/gemm_codes.h"

namespace siliscope {
namespace {

GemmCodeShape CodeShapeOf(const CpuLowering& lowering, const CpuGemm& gemm) {
  const CpuSpec& cpu = lowering.cpu();
  GemmCodeShape s;
  s.lane_bytes = lowering.LaneBytes();
  s.vector_bytes = cpu.core.vector_bytes;
  s.result_bytes = lowering.ElementBytes();
  s.macs_per_lane = static_cast<double>(lowering.Group());
  s.memory_operands = cpu.core.memory_operands;
  s.columns_per_load = s.lane_bytes == 4 ? cpu.library.columns_per_load : 1;
  s.prefetches_sources = cpu.library.prefetches_sources;
  s.epilogue_operations = gemm.epilogue_operations;
  s.epilogue_operand = gemm.epilogue_operand >= 0;
  return s;
}

/// One thread's part of one product.
class PartWriter {
 public:
  PartWriter(CpuLowering& lowering, const CpuGemm& part, std::int64_t thread,
             std::int64_t first_row, std::int64_t all_rows)
      : lowering_(lowering),
        gemm_(part),
        thread_(thread),
        first_row_(first_row),
        all_rows_(all_rows),
        blocking_(BlockingOf(lowering)),
        shape_(CodeShapeOf(lowering, part)),
        e_(lowering.LaneBytes()),
        matrix_(lowering.cpu().MatrixMultiplies(lowering.dtype())) {
    if (lowering.cpu().library.even_tiles && !matrix_) {
      blocking_.tile_columns =
          CeilDivide(part.columns, CeilDivide(part.columns, blocking_.tile_columns));
      blocking_.column_unroll = blocking_.tile_columns;
    }
    const std::int64_t depth = std::min(blocking_.depth, part.depth) + kDepthSlack;
    const std::int64_t rows = std::min(blocking_.rows, part.rows) + blocking_.tile_rows;
    if (!part.rows_packed) {
      packed_rows_ = lowering.ThreadBuffer("packed_rows", thread, rows * depth * e_);
    }
    packed_columns_ = lowering.ThreadBuffer(
        "packed_columns", thread,
        (std::min(blocking_.columns, part.columns) + blocking_.tile_columns) * depth * e_);
  }

  void Write() {
    const std::int64_t blocks = CeilDivide(gemm_.columns, blocking_.columns);
    const std::vector<std::int64_t> begins = Cut(gemm_.columns, blocks, blocking_.column_unroll);
    for (std::size_t b = 0; b + 1 < begins.size(); ++b) {
      if (begins[b] < begins[b + 1]) WriteColumns(begins[b], begins[b + 1] - begins[b]);
    }
  }

  /// Small products: operands are read where they lie.
  void WriteUnpacked() {
    depth_ = gemm_.depth;
    const std::int64_t wide = 4 * lowering_.Lanes(), narrow = 4;  // as OpenBLAS for AVX-512
    for (std::int64_t column = 0; column < gemm_.columns; column += narrow) {
      GemmTileShape t;
      t.columns = std::min(narrow, gemm_.columns - column);
      t.depth = depth_;
      t.row_step = gemm_.by_rows.stride;
      t.column_step = e_;
      t.column_stride = gemm_.by_columns.stride;
      t.result_stride = gemm_.result_stride;
      t.adds = false;
      t.packed = false;
      const std::int64_t whole = gemm_.rows / wide;
      for (const std::int64_t rows : {whole * wide, gemm_.rows - whole * wide}) {
        if (rows == 0) continue;
        const std::int64_t at = rows == whole * wide ? 0 : whole * wide;
        t.rows = std::min(rows, wide);
        Call(TileCode(shape_, t), {depth_, rows / t.rows},
             {gemm_.by_rows.address + at * e_, gemm_.by_columns.address + column * t.column_stride,
              ResultAt(at, column), OperandAt(at, column)});
      }
    }
  }

  void WriteVectorProduct() {
    if (gemm_.by_rows.along_depth) {
      Call(DotProductCode(shape_, gemm_.by_rows.stride / e_),
           {CeilDivide(gemm_.depth * e_, 2 * shape_.vector_bytes), CeilDivide(gemm_.rows, 4)},
           {gemm_.by_columns.address, gemm_.by_rows.address, gemm_.result});
      return;
    }
    Call(VectorProductCode(shape_, gemm_.rows, gemm_.by_rows.stride),
         {CeilDivide(gemm_.rows * e_, 2 * shape_.vector_bytes), CeilDivide(gemm_.depth, 8)},
         {gemm_.by_columns.address, gemm_.by_rows.address, gemm_.result});
  }

 private:
  void WriteColumns(std::int64_t first, std::int64_t columns) {
    for (std::int64_t k = 0; k < gemm_.depth;) {
      depth_ = NextBlock(gemm_.depth - k, blocking_.depth, blocking_.tile_rows);
      at_depth_ = k;
      for (std::int64_t row = 0; row < gemm_.rows;) {
        const std::int64_t rows = NextBlock(gemm_.rows - row, blocking_.rows, blocking_.tile_rows);
        PackRows(row, rows);
        if (row == 0) {
          MultiplyWhilePacking(rows, first, columns);
        } else {
          Multiply(row, rows, first, columns);
        }
        row += rows;
      }
      k += depth_;
    }
  }

  static constexpr std::int64_t kDepthSlack = 16;  ///< a last step of the matrix unit may be padded

  void Call(CpuCode code, const decltype(CpuCall::trips)& trips,
            const decltype(CpuCall::pointers)& pointers) {
    CpuCall call;
    call.code = lowering_.CodeOf(std::move(code));
    call.trips = trips;
    call.pointers = pointers;
    lowering_.Call(thread_, call);
  }

  std::int64_t ResultAt(std::int64_t row, std::int64_t column) const {
    return gemm_.result + column * gemm_.result_stride + row * shape_.result_bytes;
  }
  std::int64_t OperandAt(std::int64_t row, std::int64_t column) const {
    return gemm_.epilogue_operand < 0
               ? 0
               : gemm_.epilogue_operand + column * gemm_.result_stride + row * shape_.result_bytes;
  }

  /// Row tiles of a block: whole ones, then powers of two of what is left, or that with a mask.
  template <typename Tile>
  void ForRowTiles(std::int64_t rows, Tile tile) const {
    const std::int64_t whole = rows / blocking_.tile_rows;
    if (whole > 0) tile(0, blocking_.tile_rows, whole);
    std::int64_t at = whole * blocking_.tile_rows;
    if (lowering_.cpu().library.even_tiles) {
      if (at < rows) tile(at, rows - at, 1);
      return;
    }
    for (std::int64_t size = blocking_.tile_rows / 2; size > 0; size /= 2) {
      if (rows - at < size) continue;
      tile(at, size, 1);
      at += size;
    }
  }

  void Pack(const GemmOperand& from, std::int64_t at, std::int64_t width, std::int64_t strips,
            std::int64_t to) {
    if (from.along_depth && lowering_.cpu().library.packs_squares) {
      Call(SquarePackCode(shape_, width, depth_, from.stride),
           {CeilDivide(depth_, lowering_.Lanes()), strips},
           {from.address + at * from.stride + at_depth_ * e_, to});
    } else if (from.along_depth) {
      Call(InterleavePackCode(shape_, width, depth_, from.stride), {CeilDivide(depth_, 4), strips},
           {from.address + at * from.stride + at_depth_ * e_, to});
    } else if (lowering_.cpu().library.packs_along_rows) {
      Call(RowPackCode(shape_, width, depth_, from.stride, strips),
           {strips, CeilDivide(depth_, RowsAtATime(width))},
           {from.address + at_depth_ * from.stride + at * e_, to});
    } else {
      Call(CopyPackCode(shape_, width, depth_, from.stride), {depth_, strips},
           {from.address + at_depth_ * from.stride + at * e_, to});
    }
  }

  void PackRows(std::int64_t row, std::int64_t rows) {
    if (gemm_.rows_packed) return;
    ForRowTiles(rows, [&](std::int64_t at, std::int64_t size, std::int64_t strips) {
      Pack(gemm_.by_rows, row + at, size, strips, packed_rows_ + at * depth_ * e_);
    });
  }

  std::int64_t PackedColumns(std::int64_t column) const {
    return packed_columns_ + (column - first_column_) * depth_ * e_;
  }

  std::int64_t PackedRows(std::int64_t row, std::int64_t in_block) const {
    if (!gemm_.rows_packed) return packed_rows_ + in_block * depth_ * e_;
    return gemm_.by_rows.address +
           (at_depth_ * all_rows_ + (first_row_ + row + in_block) * depth_) * e_;
  }

  void MultiplyWhilePacking(std::int64_t rows, std::int64_t first, std::int64_t columns) {
    const std::int64_t unroll = blocking_.column_unroll;
    first_column_ = first;
    for (std::int64_t column = first; column < first + columns;) {
      const std::int64_t left = first + columns - column;
      const std::int64_t most = lowering_.cpu().library.packs_squares ? unroll : 3 * unroll;
      const std::int64_t group = left >= most ? most : std::min(left, unroll);
      Pack(gemm_.by_columns, column, group, 1, PackedColumns(column));
      Multiply(0, rows, column, group);
      column += group;
    }
  }

  void Multiply(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
    if (matrix_) {
      MultiplyOnMatrixUnit(row, rows, column, columns);
      return;
    }
    GemmTileShape t;
    t.depth = depth_;
    t.column_stride = e_;
    t.result_stride = gemm_.result_stride;
    t.adds = true;
    t.prefetches_result = lowering_.cpu().library.prefetches_result;
    t.finishes = at_depth_ + depth_ == gemm_.depth;
    for (std::int64_t at = 0; at < columns;) {
      t.columns = TileColumns(columns - at);
      t.column_step = t.columns * e_;
      t.sums = t.columns == lowering_.cpu().library.two_sums_columns ? 2 : 1;
      t.unroll = StepsAtATime(t.sums);
      ForRowTiles(rows, [&](std::int64_t r, std::int64_t tile_rows, std::int64_t tiles) {
        t.rows = tile_rows;
        t.row_step = tile_rows * e_;
        Call(TileCode(shape_, t), {CeilDivide(depth_, t.unroll), tiles},
             {PackedRows(row, r), PackedColumns(column + at), ResultAt(row + r, column + at),
              OperandAt(row + r, column + at)});
      });
      at += t.columns;
    }
  }

  void MultiplyOnMatrixUnit(std::int64_t row, std::int64_t rows, std::int64_t column,
                            std::int64_t columns) {
    const CpuMatrixSpec& unit = lowering_.cpu().matrix;
    const std::int64_t steps = CeilDivide(depth_ * e_, unit.row_bytes);
    for (std::int64_t at = 0; at < columns; at += 2 * unit.rows) {
      Call(MatrixTileCode(shape_, unit, steps, gemm_.result_stride, at_depth_ > 0),
           {steps, CeilDivide(rows, 2 * unit.rows)},
           {PackedRows(row, 0), PackedColumns(column + at), ResultAt(row, column + at)});
    }
  }

  /// The library's, or less where the block would end within them.
  std::int64_t StepsAtATime(std::int64_t sums) const {
    std::int64_t steps = std::max(sums, lowering_.cpu().library.unroll);
    while (steps > sums && (depth_ % steps != 0 || steps % sums != 0)) --steps;
    return steps;
  }

  /// The widest of the kernel's tiles: multiples of four up to its own, then powers of two.
  std::int64_t TileColumns(std::int64_t left) const {
    const std::int64_t size = std::min(left, blocking_.tile_columns);
    if (size == blocking_.tile_columns || lowering_.cpu().library.even_tiles) return size;
    if (size >= 4) return size / 4 * 4;
    return size == 3 ? 2 : size;
  }

  CpuLowering& lowering_;
  CpuGemm gemm_;
  std::int64_t thread_, first_row_, all_rows_;
  GemmBlocking blocking_;
  GemmCodeShape shape_;
  std::int64_t e_;
  bool matrix_;
  std::int64_t depth_ = 0, at_depth_ = 0;  ///< of the block
  std::int64_t packed_rows_ = 0, packed_columns_ = 0, first_column_ = 0;
};

/// Of the product's rows, columns and contraction, what lies in these ranges.
CpuGemm PartOf(const CpuGemm& g, std::int64_t element_bytes, std::int64_t lane_bytes,
               std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
  CpuGemm part = g;
  part.rows = rows;
  part.columns = columns;
  if (!g.rows_packed) {
    part.by_rows.address += row * (g.by_rows.along_depth ? g.by_rows.stride : lane_bytes);
  }
  part.by_columns.address += column * (g.by_columns.along_depth ? g.by_columns.stride : lane_bytes);
  const std::int64_t at = column * g.result_stride + row * element_bytes;
  part.result += at;
  if (part.epilogue_operand >= 0) part.epilogue_operand += at;
  return part;
}

bool IsSmall(const CpuLowering& lowering, const CpuGemm& g) {
  const std::int64_t limit = lowering.cpu().library.unpacked_macs;
  return !g.by_rows.along_depth && g.by_columns.along_depth &&
         g.rows * g.columns * g.depth <= limit && !g.rows_packed;
}

void WritePart(CpuLowering& lowering, const CpuGemm& part, std::int64_t thread,
               std::int64_t first_row, std::int64_t all_rows, bool small) {
  PartWriter writer(lowering, part, thread, first_row, all_rows);
  if (part.columns == 1 && !part.rows_packed) {
    writer.WriteVectorProduct();
  } else if (small) {
    writer.WriteUnpacked();
  } else {
    writer.Write();
  }
}

}  // namespace

std::string WriteGemm(CpuLowering& lowering, const CpuGemm& gemm) {
  const GemmBlocking blocking = BlockingOf(lowering);
  const std::int64_t cores = lowering.cpu().Threads();
  const std::int64_t e = lowering.ElementBytes(), lane = lowering.LaneBytes();
  const bool small = IsSmall(lowering, gemm);
  GemmGrid grid;
  if (!small) {
    grid = GridOf(lowering, blocking, gemm.rows, gemm.columns, gemm.depth,
                  std::max<std::int64_t>(1, cores / gemm.batch));
  }
  if (gemm.rows_packed) grid.depth = 1;
  const std::vector<std::int64_t> rows = Cut(gemm.rows, grid.rows, blocking.tile_rows);
  const std::vector<std::int64_t> columns = Cut(gemm.columns, grid.columns, 1);
  const std::vector<std::int64_t> depths = Cut(gemm.depth, grid.depth, 1);
  const std::int64_t tasks = gemm.batch * grid.parts();
  const std::int64_t threads = lowering.Threads(tasks);
  const std::int64_t sums_bytes = gemm.rows * gemm.columns * e;
  const std::int64_t sums =
      grid.depth > 1 ? lowering.AddBuffer("partial_sums", sums_bytes * grid.depth) : 0;
  lowering.BeginRegion(gemm.op, threads);
  for (std::int64_t task = 0; task < tasks; ++task) {
    const std::int64_t batch = task / grid.parts(), in_grid = task % grid.parts();
    const auto r = static_cast<std::size_t>(in_grid % grid.rows);
    const auto c = static_cast<std::size_t>(in_grid / grid.rows % grid.columns);
    const auto d = static_cast<std::size_t>(in_grid / grid.rows / grid.columns);
    if (rows[r + 1] == rows[r] || columns[c + 1] == columns[c]) continue;
    CpuGemm whole = gemm;
    whole.by_rows.address += batch * gemm.by_rows.batch_bytes +
                             depths[d] * (gemm.by_rows.along_depth ? lane : gemm.by_rows.stride);
    whole.by_columns.address +=
        batch * gemm.by_columns.batch_bytes +
        depths[d] * (gemm.by_columns.along_depth ? lane : gemm.by_columns.stride);
    whole.depth = depths[d + 1] - depths[d];
    whole.result += batch * gemm.result_batch_bytes;
    if (grid.depth > 1) {
      whole.result = sums + static_cast<std::int64_t>(d) * sums_bytes;
      whole.result_stride = gemm.rows * e;
      whole.epilogue_operations = 0;
      whole.epilogue_operand = -1;
    }
    const CpuGemm part = PartOf(whole, e, lane, rows[r], rows[r + 1] - rows[r], columns[c],
                                columns[c + 1] - columns[c]);
    WritePart(lowering, part, task * threads / tasks, rows[r], gemm.rows, small);
  }
  if (grid.depth > 1) {
    WriteSumOfParts(lowering, gemm.op, sums, grid.depth, gemm.result, gemm.rows * gemm.columns);
  }
  if (small) return "operands not packed";
  if (gemm.columns == 1) return fmt::format("vector product, {} threads", threads);
  return fmt::format("blocks of {} x {}, tiles of {} x {}, threads {} x {} x {}", blocking.rows,
                     blocking.depth, blocking.tile_rows, blocking.tile_columns, grid.rows,
                     grid.columns, grid.depth);
}

void AddEpilogue(CpuLowering& lowering, const Operator& op, CpuGemm* gemm) {
  const Graph& graph = lowering.graph();
  for (const EpilogueStep& step : op.epilogue) {
    gemm->epilogue_operations += VectorOperations(step.function);
    if (step.operand == kNoTensor) continue;
    if (graph.tensor(step.operand).elements() == graph.tensor(op.outputs.front()).elements()) {
      gemm->epilogue_operand = lowering.AddressOf(step.operand);
    }
  }
}

}  // namespace siliscope
