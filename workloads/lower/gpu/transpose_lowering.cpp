// SPDX-License-Identifier: Apache-2.0
// Transposes. Where the last dimension stays the last, rows are copied to other places. Else CTAs
// take square tiles: rows of whole cache lines in, through shared memory, rows of whole lines out
// (Ruetsch and Micikevicius, "Optimizing Matrix Transpose in CUDA", 2009).
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/gpu/copy_lowering.h"
#include "workloads/lower/gpu/gpu_lowering.h"
#include "workloads/lower/gpu/warp_program_builder.h"
#include "workloads/lower/matrix_transpose.h"

namespace siliscope {
namespace {

constexpr std::int64_t kWarps = 8;
constexpr std::int64_t kPadBytes = 4;  ///< of a row in shared memory: columns lie in other banks

/// A tile of `side` x `side`: each lane moves 4 bytes of a row, each warp every eighth row.
WarpProgram ProgramOf(std::int64_t side, std::int64_t bytes) {
  WarpProgramBuilder b;
  const auto lanes = static_cast<std::uint8_t>(std::min<std::int64_t>(32, side * bytes / 4));
  const auto rows = static_cast<int>(side / kWarps);
  const auto pitch = static_cast<std::int32_t>(side * bytes + kPadBytes);
  WarpAccess row;  // of one tile row; warps take neighbouring ones
  row.lanes_per_row = lanes;
  row.warp_rows = 1;
  const auto rows_of = [&](std::uint16_t stream, int at) {
    row.stream = stream;
    row.row = at * kWarps;
    return b.Access(row);
  };
  WarpAccess down;  // a lane a row of the tile
  down.bytes_per_lane = static_cast<std::uint8_t>(bytes);
  down.lane_stride = pitch * static_cast<std::int32_t>(4 / bytes);
  const std::uint16_t along = b.Access(WarpAccess{}), across = b.Access(down);
  b.Prologue(24);
  b.Phase(0);
  const std::int32_t load = b.Here();
  for (int r = 0; r < rows; ++r) {
    b.Memory(WarpOpcode::kLoadGlobal, rows_of(0, r), 16 + r).lanes = lanes;
  }
  for (int r = 0; r < rows; ++r) {
    b.Memory(WarpOpcode::kStoreShared, along, 16 + r).lanes = lanes;
  }
  b.WithOperand(WarpOpcode::kBarrier, 0);
  b.LoopPass(load, 0);
  b.Phase(1);
  const std::int32_t store = b.Here();
  for (int r = 0; r < rows; ++r) {
    for (int part = 0; part < 4 / static_cast<int>(bytes); ++part) {
      b.Memory(WarpOpcode::kLoadShared, across, 32 + part).lanes = lanes;
    }
    for (int part = 1; part < 4 / static_cast<int>(bytes); ++part) {
      b.Add(WarpOpcode::kInteger, 32, 32 + part, 32);  // two values become one register
    }
    b.Memory(WarpOpcode::kStoreGlobal, rows_of(1, r), 32).lanes = lanes;
  }
  b.LoopPass(store, 1);
  return b.Finish();
}

GpuKernel TransposeKernel(const MatrixTranspose& t, std::uint32_t from, std::uint32_t to,
                          std::int64_t bytes) {
  GpuKernel k;
  const std::int64_t side = std::min<std::int64_t>(64, 128 / bytes);
  k.name = fmt::format("transpose_tile{}x{}", side, side);
  k.dtype = "fp32";
  k.warps = kWarps;
  k.registers_per_thread = 32;
  k.shared_bytes = side * (side * bytes + kPadBytes);
  k.tile = fmt::format("{}x{}", side, side);
  k.grid.rows = CeilDivide(t.rows, side);
  k.grid.columns = CeilDivide(t.columns, side);
  k.grid.batch = t.batch;
  k.grid.columns_first = true;
  OperandStream read, written;
  read.tensor = from, written.tensor = to;
  read.rows = written.rows = side;
  read.row_bytes = written.row_bytes = side * bytes;
  read.row_i = written.row_j = side;
  read.byte_j = written.byte_i = side * bytes;
  read.row_batch = t.rows, written.row_batch = t.columns;
  k.streams = {read, written};
  KernelPass in, out;
  in.loads = {0}, out.stores = {1};
  in.through_l1 = true;
  k.passes = {in, out};
  k.roles = {{"main", k.warps, ProgramOf(side, bytes)}};
  return k;
}

void LowerTranspose(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const TensorId x = op.inputs[0], y = op.outputs.front();
  const auto t = AsMatrices(lowering.graph().tensor(x).shape, op.Ints("perm"));
  const std::uint32_t from = lowering.TensorOf(x), to = lowering.TensorOf(y);
  const auto bytes = static_cast<std::int64_t>(lowering.ElementBytes(x));
  const auto lies_in_rows = [&](std::uint32_t tensor, std::int64_t columns) {
    return lowering.Layout(tensor).row_bytes == columns * bytes;
  };
  const bool tiles = t && t->rows > 1 && t->columns > 1 && bytes <= 4 && op.epilogue.empty() &&
                     lies_in_rows(from, t->columns) && lies_in_rows(to, t->rows);
  if (tiles) {
    lowering.Launch(index, TransposeKernel(*t, from, to, bytes));
  } else {
    LaunchCopy(lowering, index);
  }
}

const bool kRegistered = GpuLowerRegistry::Instance().Add("transpose", &LowerTranspose);

}  // namespace
}  // namespace siliscope
