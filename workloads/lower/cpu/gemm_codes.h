// SPDX-License-Identifier: Apache-2.0
// Codes of matrix products, after Goto and van de Geijn, "Anatomy of High-Performance Matrix
// Multiplication", TOMS 2008. The library's rows are the elements that lie beside each other in the
// result: the columns of a row-major one. A lane is an element, or the group of narrow elements of
// the contraction that one operation multiplies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/contract/cpu_program.h"

namespace siliscope {

struct GemmCodeShape {
  std::int64_t lane_bytes = 4;
  std::int64_t vector_bytes = 64;
  std::int64_t result_bytes = 4;  ///< of an element of the result in memory
  double macs_per_lane = 1;
  std::int64_t columns_per_load = 1;  ///< values of columns that a load brings
  bool prefetches_sources = false;    ///< when they are packed, some turns ahead
  bool memory_operands = false;       ///< a broadcast is part of the operation that uses it
  int epilogue_operations = 0;        ///< on each vector of the result
  bool epilogue_operand = false;      ///< one of them reads a tensor like the result

  float FlopsOfVector() const {
    const std::int64_t lanes = vector_bytes / lane_bytes;
    return static_cast<float>(2 * macs_per_lane * static_cast<double>(lanes));
  }
  std::int64_t VectorsOf(std::int64_t rows) const {
    return (rows * lane_bytes + vector_bytes - 1) / vector_bytes;
  }
};

/// How the tile's operands lie.
struct GemmTileShape {
  std::int64_t rows = 0, columns = 0, depth = 0;  ///< depth: in lanes
  std::int64_t row_step = 0;       ///< bytes from a step of the contraction to the next, of rows
  std::int64_t column_step = 0;    ///< of columns
  std::int64_t column_stride = 0;  ///< bytes from a column to the next
  std::int64_t result_stride = 0;  ///< bytes from a column of the result to the next
  std::int64_t sums = 1;           ///< sets of them: steps of the contraction take turns
  std::int64_t unroll = 1;         ///< steps of the contraction that are written out
  bool prefetches_result = false;  ///< at the tile's beginning
  bool adds = true;                ///< to what the result holds
  bool finishes = true;            ///< the epilogue follows
  bool packed = true;              ///< a strip of rows follows the one before
};

/// One tile column of the result against all row tiles of a block. Pointers: rows, columns, result,
/// operand of the epilogue. Loops: steps of the contraction (as many at a time as are written out,
/// a multiple of the sets of sums), row tiles.
CpuCode TileCode(const GemmCodeShape& shape, const GemmTileShape& tile);
/// The same on a matrix unit: two by two of its tiles, `steps` along the contraction.
CpuCode MatrixTileCode(const GemmCodeShape& shape, const CpuMatrixSpec& unit, std::int64_t steps,
                       std::int64_t result_stride, bool adds);
/// Strips of `width` neighbours from rows `row_bytes` apart. Pointers: source, packed. Loops: steps
/// of the contraction, strips.
CpuCode CopyPackCode(const GemmCodeShape& shape, std::int64_t width, std::int64_t depth,
                     std::int64_t row_bytes);
/// The same, some rows at a time: the source is read as it lies, the strips are written in turn
/// (OpenBLAS, generic/gemm_tcopy_8.c and gemm_tcopy_4.c: squares of a strip's width). Loops:
/// strips, steps of the contraction, RowsAtATime at a time.
inline std::int64_t RowsAtATime(std::int64_t width) {
  return std::clamp<std::int64_t>(width, 4, 8);
}
CpuCode RowPackCode(const GemmCodeShape& shape, std::int64_t width, std::int64_t depth,
                    std::int64_t row_bytes, std::int64_t strips);
/// `width` rows whose elements follow each other along the contraction, `row_bytes` apart,
/// interleaved. Pointers: source, packed. Loop: steps of the contraction, four at a time, strips.
CpuCode InterleavePackCode(const GemmCodeShape& shape, std::int64_t width, std::int64_t depth,
                           std::int64_t row_bytes);
/// The same a square of whole vectors at a time, transposed in registers: each line of the source
/// is read once. Loops: steps of the contraction, a vector's lanes at a time, strips.
CpuCode SquarePackCode(const GemmCodeShape& shape, std::int64_t width, std::int64_t depth,
                       std::int64_t row_bytes);
/// y += x W, W row-major: eight rows of W a pass over y (OpenBLAS, sgemv_n_4.c). Pointers: x, W, y.
/// Loops: vectors of a row, passes.
CpuCode VectorProductCode(const GemmCodeShape& shape, std::int64_t columns, std::int64_t row_bytes);
/// y = W x, W row-major: four rows of W at a time. Pointers: x, W, y. Loops: vectors of a row,
/// rows.
CpuCode DotProductCode(const GemmCodeShape& shape, std::int64_t depth);

}  // namespace siliscope
