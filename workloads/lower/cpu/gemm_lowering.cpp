// SPDX-License-Identifier: Apache-2.0
// Matrix products on a CPU core, in the blocks and the order of OpenBLAS (driver/level3/level3.c):
// for each block of the contraction, the first block of rows is packed, then groups of columns are
// packed and multiplied by it while they are in the caches, then the further blocks of rows.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"
#include "workloads/lower/cpu/cpu_lowering.h"
#include "workloads/lower/cpu/gemm_codes.h"

namespace siliscope {
namespace {

/// A row-major m x n x k product as the library sees it: rows are n, columns are m.
struct CpuGemm {
  std::uint32_t op = 0;
  std::int64_t rows = 0, columns = 0, depth = 0;
  std::int64_t a = 0, b = 0, c = 0;  ///< addresses: columns x depth, depth x rows, columns x rows
};

struct Blocking {
  std::int64_t rows, depth, tile_rows, tile_columns, column_unroll;
};

/// Halves of the first-level cache for a tile's columns, of the second-level for a block of rows,
/// where no library is named.
Blocking BlockingOf(const CpuLowering& lowering) {
  const CpuSpec& cpu = lowering.cpu();
  const std::string type = lowering.ElementBytes() == 8 ? "fp64" : "fp32";
  const auto value = [&](const std::map<std::string, double>& table, std::int64_t otherwise) {
    const auto it = table.find(type);
    return it == table.end() ? otherwise : static_cast<std::int64_t>(it->second);
  };
  Blocking blocking{};
  const CpuLibrarySpec& library = cpu.library;
  blocking.tile_rows = value(library.tile_rows, 2 * lowering.Lanes());
  blocking.tile_columns = value(library.tile_columns, 6);
  blocking.column_unroll = value(library.column_unroll, 2);
  const std::int64_t e = lowering.ElementBytes();
  constexpr std::int64_t kMostSums = 96;  // registers that a code has names for
  const std::int64_t lanes = lowering.Lanes();
  const std::int64_t sums = CeilDivide(blocking.tile_rows, lanes) * blocking.tile_columns;
  if (sums > kMostSums) {
    throw UserError(
        fmt::format("matrix_library: a tile of {} x {} needs {} vectors of {} elements for its "
                    "sums; at most {}",
                    blocking.tile_rows, blocking.tile_columns, sums, lanes, kMostSums));
  }
  blocking.depth =
      value(library.block_depth,
            std::max<std::int64_t>(
                16, cpu.l1.size_bytes / 2 / e / (blocking.tile_rows + blocking.tile_columns)));
  const std::int64_t outer = cpu.l2.size_bytes > 0 ? cpu.l2.size_bytes : cpu.l1.size_bytes;
  blocking.rows = value(library.block_rows,
                        std::max(blocking.tile_rows, outer / 2 / e / blocking.depth /
                                                         blocking.tile_rows * blocking.tile_rows));
  return blocking;
}

/// The next block: whole while at least two remain; a rest of one to two blocks is halved.
std::int64_t NextBlock(std::int64_t left, std::int64_t block, std::int64_t unroll) {
  if (left >= 2 * block) return block;
  if (left <= block) return left;
  return CeilDivide(CeilDivide(left, 2), unroll) * unroll;
}

class GemmWriter {
 public:
  GemmWriter(CpuLowering& lowering, const CpuGemm& gemm)
      : lowering_(lowering), gemm_(gemm), blocking_(BlockingOf(lowering)) {
    shape_.element_bytes = lowering.ElementBytes();
    shape_.vector_bytes = lowering.cpu().core.vector_bytes;
    shape_.broadcast_pairs = lowering.cpu().library.broadcast_pairs && shape_.element_bytes == 4;
    const std::int64_t e = shape_.element_bytes;
    const std::int64_t depth = std::min(blocking_.depth, gemm.depth);
    packed_rows_ = lowering.AddBuffer(
        "packed_rows", (std::min(blocking_.rows, gemm.rows) + blocking_.tile_rows) * depth * e);
    packed_columns_ = lowering.AddBuffer("packed_columns", (gemm.columns + 4) * depth * e);
  }

  void Write() {
    for (std::int64_t k = 0; k < gemm_.depth;) {
      const std::int64_t depth = NextBlock(gemm_.depth - k, blocking_.depth, blocking_.tile_rows);
      for (std::int64_t row = 0; row < gemm_.rows;) {
        const std::int64_t rows = NextBlock(gemm_.rows - row, blocking_.rows, blocking_.tile_rows);
        PackRows(row, rows, k, depth);
        if (row == 0) {
          MultiplyWhilePacking(rows, k, depth);
        } else {
          Multiply(row, rows, 0, gemm_.columns, depth);
        }
        row += rows;
      }
      k += depth;
    }
  }

 private:
  std::int64_t RowBytes() const { return gemm_.rows * shape_.element_bytes; }

  void Call(CpuCode code, std::vector<std::int64_t> trips, std::vector<std::int64_t> pointers) {
    CpuCall call;
    call.op = gemm_.op;
    call.code = lowering_.CodeOf(std::move(code));
    call.trips = std::move(trips);
    call.pointers = std::move(pointers);
    lowering_.Call(std::move(call));
  }

  /// Row tiles of a block: whole ones, then powers of two of what is left.
  template <typename Tile>
  void ForRowTiles(std::int64_t rows, Tile tile) const {
    const std::int64_t whole = rows / blocking_.tile_rows;
    if (whole > 0) tile(0, blocking_.tile_rows, whole);
    std::int64_t at = whole * blocking_.tile_rows;
    for (std::int64_t size = blocking_.tile_rows / 2; size > 0; size /= 2) {
      if (rows - at < size) continue;
      tile(at, size, 1);
      at += size;
    }
  }

  void PackRows(std::int64_t row, std::int64_t rows, std::int64_t k, std::int64_t depth) {
    const std::int64_t e = shape_.element_bytes;
    ForRowTiles(rows, [&](std::int64_t at, std::int64_t size, std::int64_t strips) {
      Call(PackRowsCode(shape_, size, depth, RowBytes()), {depth, strips},
           {gemm_.b + k * RowBytes() + (row + at) * e, packed_rows_ + at * depth * e});
    });
  }

  void PackColumns(std::int64_t column, std::int64_t columns, std::int64_t k, std::int64_t depth) {
    const std::int64_t e = shape_.element_bytes, source_bytes = gemm_.depth * e;
    Call(PackColumnsCode(shape_, columns, source_bytes), {CeilDivide(depth, 4)},
         {gemm_.a + column * source_bytes + k * e, packed_columns_ + column * depth * e});
  }

  void MultiplyWhilePacking(std::int64_t rows, std::int64_t k, std::int64_t depth) {
    const std::int64_t unroll = blocking_.column_unroll;
    for (std::int64_t column = 0; column < gemm_.columns;) {
      const std::int64_t left = gemm_.columns - column;
      const std::int64_t group = left >= 3 * unroll ? 3 * unroll : std::min(left, unroll);
      PackColumns(column, group, k, depth);
      Multiply(0, rows, column, group, depth);
      column += group;
    }
  }

  void Multiply(std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns,
                std::int64_t depth) {
    const std::int64_t e = shape_.element_bytes;
    for (std::int64_t at = 0; at < columns;) {
      const std::int64_t size = TileColumns(columns - at);
      ForRowTiles(rows, [&](std::int64_t r, std::int64_t tile_rows, std::int64_t tiles) {
        Call(TileCode(shape_, tile_rows, size, depth, RowBytes()), {depth, tiles},
             {packed_rows_ + r * depth * e, packed_columns_ + (column + at) * depth * e,
              gemm_.c + (column + at) * RowBytes() + (row + r) * e});
      });
      at += size;
    }
  }

  /// The widest of the kernel's tiles: multiples of four up to its own, then powers of two.
  std::int64_t TileColumns(std::int64_t left) const {
    std::int64_t size = std::min(left, blocking_.tile_columns);
    if (size >= 4) return size / 4 * 4;
    return size == 3 ? 2 : size;
  }

  CpuLowering& lowering_;
  CpuGemm gemm_;
  Blocking blocking_;
  GemmCodeShape shape_;
  std::int64_t packed_rows_ = 0, packed_columns_ = 0;
};

void WriteVectorProduct(CpuLowering& lowering, const CpuGemm& gemm) {
  GemmCodeShape shape;
  shape.element_bytes = lowering.ElementBytes();
  shape.vector_bytes = lowering.cpu().core.vector_bytes;
  CpuCall call;
  call.op = gemm.op;
  call.code = lowering.CodeOf(VectorProductCode(shape, gemm.rows));
  call.trips = {CeilDivide(gemm.rows * shape.element_bytes, 4 * shape.vector_bytes),
                CeilDivide(gemm.depth, 4)};
  call.pointers = {gemm.a, gemm.b, gemm.c};
  lowering.Call(std::move(call));
}

void LowerMatmul(CpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& a = graph.tensor(op.inputs[0]).shape;
  const Shape& y = graph.tensor(op.outputs.front()).shape;
  if (op.Int("transpose_a", 0) != 0 || op.Int("transpose_b", 0) != 0) {
    throw UserError(op.name + ": transposed operands do not run on a CPU yet");
  }
  CpuGemm gemm;
  gemm.op = index;
  gemm.rows = y.back();
  gemm.depth = a.back();
  const std::int64_t b_batch = graph.tensor(op.inputs[1]).elements() / (gemm.rows * gemm.depth);
  const std::int64_t all = graph.tensor(op.outputs.front()).elements() / gemm.rows;
  gemm.columns = all / b_batch;
  const std::int64_t e = lowering.ElementBytes();
  lowering.EnterLibrary();
  for (std::int64_t batch = 0; batch < b_batch; ++batch) {
    gemm.a = lowering.AddressOf(op.inputs[0]) + batch * gemm.columns * gemm.depth * e;
    gemm.b = lowering.AddressOf(op.inputs[1]) + batch * gemm.depth * gemm.rows * e;
    gemm.c = lowering.AddressOf(op.outputs.front()) + batch * gemm.columns * gemm.rows * e;
    if (gemm.columns == 1) {
      WriteVectorProduct(lowering, gemm);
    } else {
      GemmWriter(lowering, gemm).Write();
    }
  }
  const Blocking blocking = BlockingOf(lowering);
  lowering.info(index).mapping =
      gemm.columns == 1 ? "vector product"
                        : fmt::format("blocks of {} x {}, tiles of {} x {}", blocking.rows,
                                      blocking.depth, blocking.tile_rows, blocking.tile_columns);
}

const bool kRegistered = CpuLowerRegistry::Instance().Add("matmul", &LowerMatmul);

}  // namespace
}  // namespace siliscope
