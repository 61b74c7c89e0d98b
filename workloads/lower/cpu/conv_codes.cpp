// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/conv_codes.h"

#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/cpu/micro_code_builder.h"

namespace siliscope {
namespace {

constexpr int kSums = 100, kWeights = 60, kValues = 16, kScratch = 96;

std::string NameOf(const ConvTile& t) {
  return fmt::format("conv_{}x{}_k{}x{}_s{}_c{}x{}_at{}of{}_{}_{}_{}_{}_{}_{}_{}{}{}", t.pixels,
                     t.blocks, t.kernel_rows, t.kernel_columns, t.stride * 100 + t.dilation,
                     t.channel_blocks, t.block_channels, t.first_column, t.input_columns,
                     t.input_row_bytes, t.input_block_bytes, t.weight_block_bytes, t.row_tiles,
                     t.input_next_row_bytes, t.result_next_row_bytes, t.epilogue_operations,
                     t.epilogue_operand ? "_operand" : "", t.depthwise ? "_depthwise" : "");
}

/// One tap: a channel of the block, or all lanes of it at once where each has its own weight.
void WriteTap(MicroCodeBuilder* b, const ConvTile& t, std::int64_t column, std::int64_t channel) {
  const std::int64_t vector = t.lanes * t.lane_bytes;
  for (std::int64_t o = 0; o < t.blocks; ++o) {
    b->Load(kWeights + static_cast<int>(o), 1,
            o * t.weight_block_bytes + (column * t.block_channels + channel) * vector, vector);
  }
  const auto flops = static_cast<float>(2 * t.macs_per_lane * static_cast<double>(t.lanes));
  for (std::int64_t p = 0; p < t.pixels; ++p) {
    const std::int64_t at = p * t.stride + column * t.dilation;
    const std::int64_t in_image = t.first_column + at;
    if (in_image < 0 || in_image >= t.input_columns) continue;  // padding is not multiplied
    const int value = kValues + static_cast<int>(p % 32);
    b->Load(value, 0, at * t.pixel_bytes + channel * t.lane_bytes,
            t.depthwise ? vector : t.lane_bytes);
    for (std::int64_t o = 0; o < t.blocks; ++o) {
      const int sum = kSums + static_cast<int>(p * t.blocks + o);
      MicroOp& fma = b->Add(MicroOpClass::kFma, sum, kWeights + static_cast<int>(o), value, sum);
      fma.flops = flops;
      fma.fused = t.memory_operands && o == 0;
    }
  }
}

void WriteResult(MicroCodeBuilder* b, const ConvTile& t) {
  const std::int64_t vector = t.lanes * t.result_bytes;
  for (std::int64_t p = 0; p < t.pixels; ++p) {
    for (std::int64_t o = 0; o < t.blocks; ++o) {
      const int sum = kSums + static_cast<int>(p * t.blocks + o);
      const std::int64_t at = o * t.result_block_bytes + p * vector;
      if (t.epilogue_operand) b->Load(kScratch, 3, at, vector);
      for (int e = 0; e < t.epilogue_operations; ++e) {
        b->Add(MicroOpClass::kFloatAdd, sum, sum, t.epilogue_operand ? kScratch : sum);
      }
      b->Store(sum, 2, at, vector);
    }
  }
}

}  // namespace

CpuCode ConvCode(const ConvTile& t) {
  MicroCodeBuilder b(NameOf(t));
  const std::int64_t vector = t.lanes * t.lane_bytes, result = t.lanes * t.result_bytes;
  const std::int64_t channels = t.depthwise ? 1 : t.block_channels;
  const std::int32_t tile = b.Here();
  for (std::int64_t s = 0; s < t.pixels * t.blocks; ++s) {  // cleared
    b.Add(MicroOpClass::kInteger, kSums + static_cast<int>(s));
  }
  const std::int32_t taps = b.Here();
  for (std::int64_t column = 0; column < t.kernel_columns; ++column) {
    for (std::int64_t channel = 0; channel < channels; ++channel) WriteTap(&b, t, column, channel);
  }
  const std::int64_t weight_row = t.kernel_columns * channels * vector;
  b.Advance(0, t.input_row_bytes);
  b.Advance(1, weight_row);
  b.Loop(taps, 0);
  b.Advance(0, t.input_block_bytes - t.kernel_rows * t.input_row_bytes);
  b.Advance(1, (t.all_kernel_rows - t.kernel_rows) * weight_row);
  b.Loop(taps, 1);
  WriteResult(&b, t);
  const std::int64_t step = t.pixels * t.stride * t.pixel_bytes;
  b.Advance(0, step - t.channel_blocks * t.input_block_bytes);
  b.Advance(1, -t.channel_blocks * t.all_kernel_rows * weight_row);
  b.Advance(2, t.pixels * result);
  if (t.epilogue_operand) b.Advance(3, t.pixels * result);
  b.Loop(tile, 2);
  b.Advance(0, t.input_next_row_bytes - t.row_tiles * step);
  b.Advance(2, t.result_next_row_bytes - t.row_tiles * t.pixels * result);
  if (t.epilogue_operand) {
    b.Advance(3, t.result_next_row_bytes - t.row_tiles * t.pixels * result);
  }
  b.Loop(tile, 3);
  return b.Finish();
}

}  // namespace siliscope
