// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/granule_shape.h"

#include <gtest/gtest.h>

#include "models/gpu/cta_geometry.h"

namespace siliscope {
namespace {

/// A program of one kernel of one CTA that loads one rectangle of one tensor in each step.
GpuProgram Loads(std::int64_t rows, std::int64_t row_bytes, GpuTensor tensor) {
  GpuProgram program;
  program.tensors = {std::move(tensor)};
  OperandStream stream;
  stream.rows = rows;
  stream.row_bytes = row_bytes;
  GpuKernel kernel;
  kernel.streams = {stream};
  kernel.passes.resize(1);
  kernel.passes.front().loads = {0};
  program.kernels = {kernel};
  program.launches.resize(1);
  return program;
}

GpuTensor Tensor(std::int64_t rows, std::int64_t row_bytes) {
  GpuTensor tensor;
  tensor.rows = rows;
  tensor.row_bytes = row_bytes;
  return tensor;
}

TEST(GranuleShape, FollowsWhatKernelsTouch) {
  // Columns of k: one line of many rows. Rows: many lines of one.
  EXPECT_EQ(GranuleRows(Loads(128, 128, Tensor(4096, 8192)), 128).front(), 64);
  EXPECT_EQ(GranuleRows(Loads(1, 8192, Tensor(4096, 8192)), 128).front(), 1);
  EXPECT_EQ(GranuleRows(Loads(8, 1024, Tensor(4096, 8192)), 128).front(), 8);
}

TEST(GranuleShape, BothKindsOfAccessMeetInTheMiddle) {
  GpuProgram program = Loads(256, 128, Tensor(4096, 4096));
  GpuProgram rows = Loads(1, 4096, Tensor(4096, 4096));
  rows.kernels.front().grid.rows = 32;
  program.kernels.push_back(rows.kernels.front());
  const std::int64_t shape = GranuleRows(program, 128).front();
  EXPECT_GT(shape, 1);
  EXPECT_LT(shape, 64);
}

TEST(Geometry, RowsNarrowerThanALineLiePacked) {
  const GpuTensor pixels = Tensor(1000, 6);
  EXPECT_EQ(LineRows(pixels), 47);  // 6000 bytes
  EXPECT_EQ(LineRowBytes(pixels), 128);
  const Rectangle lines = InLines(Rectangle{20, 44, 0, 6}, pixels);  // bytes 120 to 383
  EXPECT_EQ(lines.row, 0);
  EXPECT_EQ(lines.rows, 3);
  EXPECT_EQ(lines.bytes, 128);
  const Rectangle inside = InLines(Rectangle{22, 3, 0, 6}, pixels);  // bytes 132 to 149
  EXPECT_EQ(inside.row, 1);
  EXPECT_EQ(inside.rows, 1);
  EXPECT_EQ(inside.byte, 4);
  EXPECT_EQ(inside.bytes, 18);
  const Rectangle wide = InLines(Rectangle{3, 4, 0, 256}, Tensor(10, 256));
  EXPECT_EQ(wide.row, 3);
  EXPECT_EQ(wide.rows, 4);
}

}  // namespace
}  // namespace siliscope
