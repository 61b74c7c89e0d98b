// SPDX-License-Identifier: Apache-2.0
// Convolutions on a CPU, directly: a thread takes rows of output channels' blocks. Images lie in
// blocks of channels from operator to operator; what they are at the network's ends is not turned.
// Other algorithms are taken where the chip's library names one that can do it.
#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/cpu/conv_algorithms.h"
#include "workloads/lower/cpu/conv_codes.h"
#include "workloads/lower/cpu/gemm_writer.h"

namespace siliscope {
namespace {

/// Rows of the output whose windows have the same rows of the kernel in the image.
struct RowGroup {
  std::int64_t first = 0, count = 0;
  std::int64_t kernel_first = 0, kernel_rows = 0;
};

std::vector<RowGroup> RowGroupsOf(const ConvShape& s, std::int64_t first, std::int64_t last) {
  std::vector<RowGroup> groups;
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t at = row * s.stride_down - s.pad_top;
    std::int64_t begin = 0, end = s.kernel_rows;
    while (begin < end && at + begin * s.dilation_down < 0) ++begin;
    while (end > begin && at + (end - 1) * s.dilation_down >= s.in_rows) --end;
    if (!groups.empty() && groups.back().kernel_first == begin &&
        groups.back().kernel_rows == end - begin) {
      ++groups.back().count;
    } else {
      groups.push_back({row, 1, begin, end - begin});
    }
  }
  return groups;
}

class ConvWriter {
 public:
  ConvWriter(CpuLowering& lowering, std::uint32_t index)
      : lowering_(lowering), op_(lowering.op(index)), s_(ConvShapeOf(lowering.graph(), op_)) {
    const CpuCoreSpec& core = lowering.cpu().core;
    lanes_ = lowering.Lanes();
    e_ = lowering.LaneBytes();
    depthwise_ = s_.groups > 1 && s_.in_channels == 1;
    if (depthwise_) {  // lanes are channels of different groups
      s_.out_channels = s_.groups * s_.out_channels;
      s_.groups = 1;
    }
    in_channels_ = depthwise_ ? 1 : CeilDivide(s_.in_channels, lowering.Group());
    out_blocks_ = CeilDivide(s_.out_channels, lanes_);
    ChooseTile(core);
    input_ = lowering.AddressOf(op_.inputs[0]);
    weights_ = lowering.AddressOf(op_.inputs[1]);
    result_ = lowering.AddressOf(op_.outputs.front());
    if (op_.kind == "conv_transpose") std::swap(input_, result_);
    if (op_.kind == "conv") AddEpilogue(lowering, op_, &epilogue_);
    vector_ = lanes_ * e_;
    result_vector_ = lanes_ * lowering.ElementBytes();
  }

  void Write(std::uint32_t index) {
    const std::int64_t rows = s_.images * s_.groups * s_.out_rows;
    const std::int64_t channel_groups = CeilDivide(out_blocks_, blocks_);
    // Where the weights stay in a core's cache, the image passes once; else it does for each group
    // of output channels, whose weights stay.
    const bool by_rows = 2 * WeightBytes() <= lowering_.cpu().l2.size_bytes &&
                         rows >= lowering_.cpu().Threads() && channel_groups > 1;
    const std::int64_t units = by_rows ? rows : rows * channel_groups;
    const std::int64_t threads = lowering_.Threads(units);
    lowering_.BeginRegion(index, threads);
    for (std::int64_t t = 0; t < threads; ++t) {
      std::int64_t unit = units * t / threads;
      const std::int64_t end = units * (t + 1) / threads;
      while (unit < end) {
        const std::int64_t row = unit % s_.out_rows, plane = unit / s_.out_rows;
        std::int64_t count = std::min(end - unit, s_.out_rows - row);
        if (by_rows) {
          count = std::min(count, RowsInCache());
          for (std::int64_t g = 0; g < channel_groups; ++g) {
            WriteRows(t, plane, g * blocks_, row, row + count);
          }
        } else {
          WriteRows(t, plane / channel_groups, plane % channel_groups * blocks_, row, row + count);
        }
        unit += count;
      }
    }
    lowering_.info(index).mapping =
        fmt::format("direct, tiles of {} pixels x {} channels, {} threads{}", pixels_,
                    blocks_ * lanes_, threads, by_rows ? ", channels inside" : "");
  }

 private:
  /// Of all output channels of a group.
  std::int64_t WeightBytes() const {
    return out_blocks_ * vector_ * in_channels_ * s_.kernel_rows * s_.kernel_columns;
  }
  /// Rows of the output whose windows take a quarter of a core's second cache.
  std::int64_t RowsInCache() const {
    const std::int64_t row = std::max<std::int64_t>(1, in_channels_ * s_.in_columns * e_);
    const std::int64_t rows = lowering_.cpu().l2.size_bytes / 4 / row - s_.kernel_rows;
    return std::max<std::int64_t>(1, rows / s_.stride_down);
  }
  /// As many sums as registers hold, so that loads are few for each of them; more blocks of
  /// channels share the pixels' values where these cost a slot of their own.
  void ChooseTile(const CpuCoreSpec& core) {
    const std::int64_t most_blocks =
        core.memory_operands || depthwise_ ? 1 : std::min<std::int64_t>(4, out_blocks_);
    double best = 0;
    for (std::int64_t b = 1; b <= most_blocks; ++b) {
      const std::int64_t room = core.vector_registers - (core.memory_operands ? 2 : b + 1);
      std::int64_t pixels = std::clamp<std::int64_t>(room / b, 1, 28);
      pixels = CeilDivide(s_.out_columns, CeilDivide(s_.out_columns, pixels));
      const auto sums = static_cast<double>(b * pixels);
      const double worth = sums / static_cast<double>(b + pixels) +
                           std::min(1.0, sums / static_cast<double>(room)) / 8;
      if (worth <= best) continue;
      best = worth;
      blocks_ = b;
      pixels_ = pixels;
    }
  }

  void WriteRows(std::int64_t thread, std::int64_t plane, std::int64_t block, std::int64_t first,
                 std::int64_t last) {
    for (const RowGroup& group : RowGroupsOf(s_, first, last)) {
      if (group.kernel_rows == 0) continue;
      const std::int64_t whole = s_.out_columns / pixels_;
      // The first and the last tile of a row may meet padding; those between are alike.
      std::int64_t inner_first = 0, inner_last = whole;
      const auto meets_padding = [&](std::int64_t tile) {
        const std::int64_t from = tile * pixels_ * s_.stride - s_.pad_left;
        const std::int64_t to = ((tile + 1) * pixels_ - 1) * s_.stride - s_.pad_left +
                                (s_.kernel_columns - 1) * s_.dilation;
        return from < 0 || to >= s_.in_columns;
      };
      for (; inner_first < whole && meets_padding(inner_first); ++inner_first) {
        WriteTiles(thread, plane, block, group, inner_first * pixels_, pixels_, 1);
      }
      while (inner_last > inner_first && meets_padding(inner_last - 1)) --inner_last;
      if (inner_last > inner_first) {
        WriteTiles(thread, plane, block, group, inner_first * pixels_, pixels_,
                   inner_last - inner_first);
      }
      for (std::int64_t tile = inner_last; tile < whole; ++tile) {
        WriteTiles(thread, plane, block, group, tile * pixels_, pixels_, 1);
      }
      if (whole * pixels_ < s_.out_columns) {
        WriteTiles(thread, plane, block, group, whole * pixels_, s_.out_columns - whole * pixels_,
                   1);
      }
    }
  }

  void WriteTiles(std::int64_t thread, std::int64_t plane, std::int64_t block,
                  const RowGroup& group, std::int64_t column, std::int64_t pixels,
                  std::int64_t tiles) {
    ConvTile t;
    t.pixels = pixels;
    t.blocks = std::min(blocks_, out_blocks_ - block);
    t.lanes = lanes_;
    t.lane_bytes = e_;
    t.result_bytes = lowering_.ElementBytes();
    t.kernel_columns = s_.kernel_columns;
    t.stride = s_.stride;
    t.dilation = s_.dilation;
    t.first_column = column * s_.stride - s_.pad_left;
    t.input_columns = s_.in_columns;
    if (tiles > 1) {  // none of them meets padding
      t.first_column = 0;
      t.input_columns = pixels * s_.stride + s_.kernel_columns * s_.dilation;
    }
    t.block_channels = depthwise_ ? 1 : std::min(in_channels_, lanes_);
    t.channel_blocks = depthwise_ ? 1 : CeilDivide(in_channels_, lanes_);
    t.pixel_bytes = depthwise_ ? vector_ : t.block_channels * e_;
    const std::int64_t row_bytes = s_.in_columns * t.pixel_bytes;
    t.input_row_bytes = row_bytes * s_.dilation_down;
    t.input_block_bytes = s_.in_rows * row_bytes;
    t.kernel_rows = group.kernel_rows;
    t.all_kernel_rows = s_.kernel_rows;
    t.weight_block_bytes =
        t.channel_blocks * s_.kernel_rows * s_.kernel_columns * t.block_channels * vector_;
    t.result_block_bytes = s_.out_rows * s_.out_columns * result_vector_;
    t.row_tiles = tiles;
    t.input_next_row_bytes = row_bytes * s_.stride_down;
    t.result_next_row_bytes = s_.out_columns * result_vector_;
    t.macs_per_lane = static_cast<double>(lowering_.Group());
    t.memory_operands = lowering_.cpu().core.memory_operands;
    t.depthwise = depthwise_;
    t.epilogue_operations = epilogue_.epilogue_operations;
    t.epilogue_operand = epilogue_.epilogue_operand >= 0;
    const std::int64_t image = plane / s_.groups, in_group = plane % s_.groups;
    const std::int64_t in_blocks = depthwise_ ? out_blocks_ : t.channel_blocks;
    const std::int64_t in_plane =
        (image * s_.groups + in_group) * in_blocks + (depthwise_ ? block : 0);
    const std::int64_t in_row = std::max<std::int64_t>(
        0, group.first * s_.stride_down - s_.pad_top + group.kernel_first * s_.dilation_down);
    const std::int64_t out_at =
        ((image * s_.groups + in_group) * out_blocks_ + block) * t.result_block_bytes +
        (group.first * s_.out_columns + column) * result_vector_;
    CpuCall call;
    call.code = lowering_.CodeOf(ConvCode(t));
    call.trips = {group.kernel_rows, t.channel_blocks, tiles, group.count};
    call.pointers = {input_ + in_plane * t.input_block_bytes + in_row * row_bytes +
                         (column * s_.stride - s_.pad_left) * t.pixel_bytes,
                     weights_ + (in_group * out_blocks_ + block) * t.weight_block_bytes +
                         group.kernel_first * s_.kernel_columns * t.block_channels * vector_,
                     result_ + out_at,
                     t.epilogue_operand ? epilogue_.epilogue_operand + out_at : 0};
    lowering_.Call(thread, call);
  }

  CpuLowering& lowering_;
  const Operator& op_;
  ConvShape s_;
  std::int64_t lanes_ = 1, e_ = 4, vector_ = 0, result_vector_ = 0;
  std::int64_t in_channels_ = 1, out_blocks_ = 1;
  std::int64_t pixels_ = 1, blocks_ = 1;
  bool depthwise_ = false;
  std::int64_t input_ = 0, weights_ = 0, result_ = 0;
  CpuGemm epilogue_;
};

void LowerConv(CpuLowering& lowering, std::uint32_t index) {
  lowering.EnterLibrary(false);
  const ConvAlgorithm algorithm = lowering.cpu().library.convolution;
  if (algorithm == ConvAlgorithm::kWinograd && WriteWinograd(lowering, index)) return;
  if (algorithm == ConvAlgorithm::kIm2col && WriteIm2col(lowering, index)) return;
  ConvWriter(lowering, index).Write(index);
}

const bool kConv = CpuLowerRegistry::Instance().Add("conv", &LowerConv);
const bool kConvTranspose = CpuLowerRegistry::Instance().Add("conv_transpose", &LowerConv);

}  // namespace
}  // namespace siliscope
