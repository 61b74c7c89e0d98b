// SPDX-License-Identifier: Apache-2.0
// Codes of a packed matrix product, after Goto and van de Geijn, "Anatomy of High-Performance
// Matrix Multiplication", TOMS 2008, as OpenBLAS writes them. The library's rows are the columns of
// a row-major result: `rows` lie beside each other in memory.
#pragma once

#include <cstdint>

#include "sim/contract/cpu_program.h"

namespace siliscope {

struct GemmCodeShape {
  std::int64_t element_bytes = 4;
  std::int64_t vector_bytes = 64;
  bool broadcast_pairs = false;

  std::int64_t VectorsOf(std::int64_t rows) const {
    return (rows * element_bytes + vector_bytes - 1) / vector_bytes;
  }
};

/// One tile column of the result against all row tiles of a packed block. Pointers: packed rows,
/// packed columns, result. Loops: steps of the contraction, row tiles. `row_bytes` of the result
/// are from one of its rows to the next.
CpuCode TileCode(const GemmCodeShape& shape, std::int64_t rows, std::int64_t columns,
                 std::int64_t depth, std::int64_t row_bytes);
/// Strips of `rows` neighbours from rows `row_bytes` apart. Pointers: source, packed. Loops: steps
/// of the contraction, strips.
CpuCode PackRowsCode(const GemmCodeShape& shape, std::int64_t rows, std::int64_t depth,
                     std::int64_t row_bytes);
/// `columns` rows of a row-major operand, `row_bytes` apart, interleaved. Pointers: source, packed.
/// Loop: steps of the contraction, four at a time.
CpuCode PackColumnsCode(const GemmCodeShape& shape, std::int64_t columns, std::int64_t row_bytes);
/// y += x W, W row-major: four rows of W a pass over y. Pointers: x, W, y. Loops: vectors of a row,
/// passes.
CpuCode VectorProductCode(const GemmCodeShape& shape, std::int64_t columns);

}  // namespace siliscope
