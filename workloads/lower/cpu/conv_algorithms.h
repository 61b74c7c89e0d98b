// SPDX-License-Identifier: Apache-2.0
// Convolutions on a CPU by way of matrix products: what they are, and the ways.
#pragma once

#include <cstdint>

#include "workloads/ir/graph.h"
#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

/// A convolution over planes; one dimension is a plane of one row, three are planes one after
/// another.
struct ConvShape {
  std::int64_t images = 1, groups = 1;
  std::int64_t in_channels = 1, out_channels = 1;  ///< of a group
  std::int64_t in_rows = 1, in_columns = 1, out_rows = 1, out_columns = 1;
  std::int64_t kernel_rows = 1, kernel_columns = 1;
  std::int64_t stride_down = 1, stride = 1, dilation_down = 1, dilation = 1;
  std::int64_t pad_top = 0, pad_left = 0;
};
ConvShape ConvShapeOf(const Graph& graph, const Operator& op);

/// The windows are copied out beside each other, then multiplied (Chellapilla, Puri and Simard,
/// "High Performance Convolutional Neural Networks for Document Processing", 2006). False where
/// that is not done: depthwise and transposed ones.
bool WriteIm2col(CpuLowering& lowering, std::uint32_t index);

/// F(4x4, 3x3) of Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016:
/// tiles of 6 x 6 pixels are transformed, 36 products over the channels, transformed back. False
/// where kernels are not 3 x 3 with stride 1 in one group.
bool WriteWinograd(CpuLowering& lowering, std::uint32_t index);

}  // namespace siliscope
