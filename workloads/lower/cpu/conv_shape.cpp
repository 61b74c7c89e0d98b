// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "workloads/lower/cpu/conv_algorithms.h"

namespace siliscope {

ConvShape ConvShapeOf(const Graph& graph, const Operator& op) {
  // A transposed one multiplies as the convolution from its result to its input does.
  const bool turned = op.kind == "conv_transpose";
  const Shape& x = graph.tensor(turned ? op.outputs.front() : op.inputs[0]).shape;
  const Shape& w = graph.tensor(op.inputs[1]).shape;
  const Shape& y = graph.tensor(turned ? op.inputs[0] : op.outputs.front()).shape;
  const std::size_t rank = x.size() - 2;
  ConvShape s;
  s.groups = op.Int("group", 1);
  s.images = x[0];
  s.in_channels = x[1] / s.groups;
  s.out_channels = y[1] / s.groups;
  const std::vector<std::int64_t> strides = op.Ints("strides", Shape(rank, 1));
  const std::vector<std::int64_t> pads = op.Ints("pads", Shape(2 * rank, 0));
  const std::vector<std::int64_t> dilations = op.Ints("dilations", Shape(rank, 1));
  s.in_columns = x.back();
  s.out_columns = y.back();
  s.kernel_columns = w.back();
  s.stride = strides.back();
  s.dilation = dilations.back();
  s.pad_left = pads[rank - 1];
  if (rank >= 2) {
    s.in_rows = x[rank], s.out_rows = y[rank];
    s.kernel_rows = w[rank];
    s.stride_down = strides[rank - 2];
    s.dilation_down = dilations[rank - 2];
    s.pad_top = pads[rank - 2];
  }
  if (rank == 3) {  // planes: the kernel's depth is more input channels
    s.images *= y[2];
    s.in_channels *= w[2];
  }
  return s;
}

}  // namespace siliscope
