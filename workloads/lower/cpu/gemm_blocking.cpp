// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/gemm_blocking.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"

namespace siliscope {

GemmBlocking BlockingOf(const CpuLowering& lowering) {
  const CpuSpec& cpu = lowering.cpu();
  const auto value = [&](const std::map<std::string, double>& table, std::int64_t otherwise) {
    const auto it = table.find(lowering.dtype());
    return it == table.end() ? otherwise : static_cast<std::int64_t>(it->second);
  };
  GemmBlocking b;
  const CpuLibrarySpec& library = cpu.library;
  const std::int64_t lanes = lowering.Lanes();
  const bool matrix = cpu.MatrixMultiplies(lowering.dtype());
  // Registers: the sums, the rows' vectors and a value of a column.
  const std::int64_t registers = cpu.core.vector_registers;
  const std::int64_t vectors = cpu.core.memory_operands || registers < 8 ? 1 : 2;
  b.tile_rows = matrix ? 2 * cpu.matrix.rows : value(library.tile_rows, vectors * lanes);
  const std::int64_t columns =
      std::max<std::int64_t>(1, (registers - vectors - 2) / CeilDivide(b.tile_rows, lanes));
  b.tile_columns = matrix ? 2 * cpu.matrix.rows : value(library.tile_columns, columns);
  b.column_unroll = matrix ? b.tile_columns : value(library.column_unroll, b.tile_columns);
  const std::int64_t e = lowering.LaneBytes();
  constexpr std::int64_t kMostSums = 96;  // registers that a code has names for
  const std::int64_t sums = CeilDivide(b.tile_rows, lanes) * b.tile_columns;
  if (!matrix && sums > kMostSums) {
    throw UserError(
        fmt::format("matrix_library: a tile of {} x {} needs {} vectors of {} elements for its "
                    "sums; at most {}",
                    b.tile_rows, b.tile_columns, sums, lanes, kMostSums));
  }
  b.depth = value(library.block_depth,
                  std::max<std::int64_t>(
                      16, cpu.l1.size_bytes / 2 / e / (b.tile_rows + b.tile_columns) / 16 * 16));
  b.columns = value(library.block_columns, std::numeric_limits<std::int64_t>::max() / 2);
  const std::int64_t outer = cpu.l2.size_bytes > 0 ? cpu.l2.size_bytes : cpu.l1.size_bytes;
  b.rows = value(library.block_rows,
                 std::max(b.tile_rows, outer / 2 / e / b.depth / b.tile_rows * b.tile_rows));
  return b;
}

std::int64_t NextBlock(std::int64_t left, std::int64_t block, std::int64_t unroll) {
  if (left >= 2 * block) return block;
  if (left <= block) return left;
  return CeilDivide(CeilDivide(left, 2), unroll) * unroll;
}

GemmGrid GridOf(const CpuLowering& lowering, const GemmBlocking& b, std::int64_t rows,
                std::int64_t columns, std::int64_t depth, std::int64_t threads) {
  const auto lanes = static_cast<double>(lowering.Lanes());
  GemmGrid best;
  double least = 1e300;
  const auto part = [](std::int64_t length, std::int64_t parts, std::int64_t unit) {
    return static_cast<double>(
        std::min(length, CeilDivide(CeilDivide(length, parts), unit) * unit));
  };
  constexpr std::int64_t kFewColumns = 4;  // narrower tiles don't hide the latency of their sums
  for (std::int64_t k = 1; k <= threads; ++k) {
    constexpr std::int64_t kDeep = 40;  // blocks that a part of the contraction has at least
    if (k > 1 && depth / k < kDeep * b.depth) break;
    for (std::int64_t r = 1; r <= threads / k; ++r) {
      const std::int64_t c = threads / k / r;
      const double m = part(rows, r, b.tile_rows);
      const double n = part(columns, c, std::min(columns, kFewColumns));
      const double d = part(depth, k, 1);
      // Multiplies and adds, packing of both operands, and sums of the parts that are added up.
      const double time = m * n * d / lanes + (m + n) * d / 2 + (k > 1 ? m * n * 2 : 0);
      if (time >= least) continue;
      least = time;
      best = {std::min(r, CeilDivide(rows, b.tile_rows)), std::min(c, columns), k};
    }
  }
  return best;
}

std::vector<std::int64_t> Cut(std::int64_t length, std::int64_t parts, std::int64_t unit) {
  const std::int64_t units = CeilDivide(length, unit);
  std::vector<std::int64_t> begins;
  for (std::int64_t p = 0; p <= parts; ++p) {
    begins.push_back(std::min(length, units * p / parts * unit));
  }
  return begins;
}

}  // namespace siliscope
