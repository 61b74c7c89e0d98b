// SPDX-License-Identifier: Apache-2.0
// How a CPU's matrix library divides a product: blocks that fit caches, tiles that fit registers,
// shares for threads.
#pragma once

#include <cstdint>
#include <vector>

#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

struct GemmBlocking {
  std::int64_t rows = 0, columns = 0, depth = 0;  ///< of a block
  std::int64_t tile_rows = 0, tile_columns = 0, column_unroll = 0;
};

/// As the chip's YAML says; where it says nothing, a strip of columns takes half of the first-level
/// cache and a block of rows half of the second; a block has all columns. Errors: UserError where a
/// tile's sums are too many for a code.
GemmBlocking BlockingOf(const CpuLowering& lowering);

/// The next block: whole while at least two remain; a rest of one to two blocks is halved.
std::int64_t NextBlock(std::int64_t left, std::int64_t block, std::int64_t unroll);

/// Parts into which rows, columns and the contraction are cut, one for each thread.
struct GemmGrid {
  std::int64_t rows = 1, columns = 1, depth = 1;
  std::int64_t parts() const { return rows * columns * depth; }
};

/// The grid of at most `threads` parts whose largest part takes least.
GemmGrid GridOf(const CpuLowering& lowering, const GemmBlocking& blocking, std::int64_t rows,
                std::int64_t columns, std::int64_t depth, std::int64_t threads);

/// Where each of `parts` begins, in multiples of `unit`, and the end.
std::vector<std::int64_t> Cut(std::int64_t length, std::int64_t parts, std::int64_t unit);

}  // namespace siliscope
