// SPDX-License-Identifier: Apache-2.0
// Codes of direct convolutions over images in blocks of channels: [channels / lanes][height]
// [width][lanes] (Georganas et al., "Anatomy of High-Performance Deep Learning Convolutions on SIMD
// Architectures", SC 2018).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/cpu_program.h"
#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

/// One tile: `pixels` neighbours of an output row times `blocks` blocks of output channels.
struct ConvTile {
  std::int64_t pixels = 1, blocks = 1;
  std::int64_t lanes = 16, lane_bytes = 4, result_bytes = 4;
  std::int64_t kernel_columns = 1, stride = 1, dilation = 1;
  std::int64_t first_column = 0;  ///< of the input, that the first tap of the first pixel meets
  std::int64_t input_columns = 0;
  std::int64_t block_channels = 16;     ///< input channels of a block that there are
  std::int64_t pixel_bytes = 64;        ///< of the input, in a block
  std::int64_t input_row_bytes = 0;     ///< from a row of the input to the next, dilation counted
  std::int64_t input_block_bytes = 0;   ///< from a block of input channels to the next
  std::int64_t weight_block_bytes = 0;  ///< from a block of output channels to the next
  std::int64_t result_block_bytes = 0;
  std::int64_t kernel_rows = 1;  ///< that meet the input
  std::int64_t all_kernel_rows = 1;
  std::int64_t channel_blocks = 1;
  std::int64_t row_tiles = 1;             ///< such tiles beside each other
  std::int64_t input_next_row_bytes = 0;  ///< of the input, for the next row of the output
  std::int64_t result_next_row_bytes = 0;
  double macs_per_lane = 1;
  bool memory_operands = false;
  bool depthwise = false;  ///< a lane multiplies its own channel only
  int epilogue_operations = 0;
  bool epilogue_operand = false;
};

/// Pointers: input, weights, result, operand of the epilogue. Loops: rows of the kernel, blocks of
/// input channels, tiles of a row, rows.
CpuCode ConvCode(const ConvTile& tile);

}  // namespace siliscope
