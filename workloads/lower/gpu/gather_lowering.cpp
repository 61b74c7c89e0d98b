// SPDX-License-Identifier: Apache-2.0
// Gathers of whole rows, as an embedding is one: a CTA loads an index, then the row that it names,
// 16 bytes a thread (PyTorch 2.7, aten/src/ATen/native/cuda/IndexKernelUtils.cu,
// vectorized_gather_kernel). Indices are not known when a network is compiled: rows lie anywhere in
// the table.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/gpu/copy_lowering.h"
#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr std::int64_t kVectorBytes = 16;
constexpr std::int64_t kMostThreads = 256;
constexpr std::int64_t kIndexBytes = 8;

/// `lanes` of each warp have a vector of the row.
WarpProgram ProgramOf(std::uint8_t lanes) {
  WarpProgramBuilder b;
  WarpAccess index;
  index.bytes_per_lane = kIndexBytes;
  index.lane_stride = -1;  // all threads load the same
  WarpAccess row;
  row.stream = 1;
  row.bytes_per_lane = kVectorBytes;
  row.warp_bytes = 32 * kVectorBytes;
  index.stream = 0;
  WarpAccess result = row;
  result.stream = 2;
  const std::uint16_t from_index = b.Access(index), from_row = b.Access(row), to = b.Access(result);
  b.Prologue(20);
  b.Phase(0);
  const std::int32_t first = b.Here();
  b.Memory(WarpOpcode::kLoadGlobal, from_index, 12, 2);
  b.Chain(4, 12);  // the row's address
  b.LoopPass(first, 0);
  b.Phase(1);
  const std::int32_t second = b.Here();
  WarpInstruction& load = b.Memory(WarpOpcode::kLoadGlobal, from_row, 16, 4);
  load.sources[0] = 12;
  load.lanes = lanes;
  b.Memory(WarpOpcode::kStoreGlobal, to, 16, 4).lanes = lanes;
  b.LoopPass(second, 1);
  return b.Finish();
}

GpuKernel GatherKernel(std::uint32_t table, std::uint32_t indices, std::uint32_t result,
                       std::int64_t rows, std::int64_t row_bytes) {
  GpuKernel k;
  k.warps = std::min(CeilDivide(row_bytes, kVectorBytes * 32), kMostThreads / 32);
  const std::int64_t stretch = std::min(row_bytes, k.warps * 32 * kVectorBytes);
  k.name = fmt::format("gather_rows_block{}", k.warps * 32);
  k.dtype = "fp32";
  k.registers_per_thread = 32;
  k.tile = fmt::format("{} bytes of a row", stretch);
  k.grid.rows = rows;
  k.grid.columns = CeilDivide(row_bytes, stretch);
  k.grid.columns_first = true;
  OperandStream index, row, written;
  index.tensor = indices;
  index.rows = 1, index.row_bytes = index.byte_i = kIndexBytes;
  row.tensor = table, written.tensor = result;
  row.rows = row.row_i = written.rows = written.row_i = 1;
  row.row_bytes = row.byte_j = written.row_bytes = written.byte_j = stretch;
  row.scattered = true;
  k.streams = {index, row, written};
  KernelPass find, copy;
  find.loads = {0};
  copy.loads = {1};
  copy.stores = {2};
  find.through_l1 = copy.through_l1 = true;
  find.joins = copy.joins = false;
  k.passes = {find, copy};
  const auto lanes =
      static_cast<std::uint8_t>(std::min<std::int64_t>(32, CeilDivide(row_bytes, kVectorBytes)));
  k.roles = {{"main", k.warps, ProgramOf(lanes)}};
  return k;
}

void LowerGather(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const Tensor& x = lowering.graph().tensor(op.inputs[0]);
  const std::int64_t rows = lowering.graph().tensor(op.inputs[1]).elements();
  if (op.Int("axis", 0) != 0 || x.shape.size() < 2 || !op.epilogue.empty()) {
    LaunchCopy(lowering, index);
    return;
  }
  const std::int64_t row_bytes = lowering.TensorBytes(op.inputs[0]) / x.shape[0];
  lowering.SetLayout(op.inputs[0], x.shape[0], row_bytes);
  lowering.SetLayout(op.outputs.front(), rows, row_bytes);
  const std::uint32_t table = lowering.TensorOf(op.inputs[0]);
  const std::uint32_t result = lowering.TensorOf(op.outputs.front());
  if (lowering.Layout(table).row_bytes != row_bytes ||
      lowering.Layout(result).row_bytes != row_bytes) {
    LaunchCopy(lowering, index);
    return;
  }
  const std::uint32_t indices =
      lowering.AddTensor(lowering.graph().tensor(op.inputs[1]).name, 1, rows * kIndexBytes);
  lowering.Launch(index, GatherKernel(table, indices, result, rows, row_bytes));
}

const bool kRegistered = GpuLowerRegistry::Instance().Add("gather", &LowerGather);

}  // namespace
}  // namespace siliscope
