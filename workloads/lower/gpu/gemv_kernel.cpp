// SPDX-License-Identifier: Apache-2.0
// Matrix times few vectors: a warp computes one output column, reading its row of weights in
// coalesced 512-byte loads, several of them in flight; then the warp sums across its lanes.
#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr std::int64_t kLoadBytes = 512;  ///< of a warp
constexpr int kInFlight = 4;

}  // namespace

GpuKernel MakeGemvKernel(const MachineSpec&, const GemmProblem& p, const GemmTile& tile) {
  const std::int64_t warps = tile.bn;
  GpuKernel k;
  k.name = fmt::format("{}_gemv_warp_per_row_{}", p.dtype, p.m);
  k.dtype = p.dtype;
  k.warps = warps;
  k.registers_per_thread = std::min<std::int64_t>(128, 40 + 12 * p.m);
  k.tile = fmt::format("{} rows of weights, {} loads of 512 B in flight", warps, kInFlight);
  k.grid.columns = (p.n + warps - 1) / warps;
  const auto row_bytes = static_cast<std::int64_t>(static_cast<double>(p.k) * p.b_bytes);
  OperandStream b;
  b.tensor = p.b;
  b.rows = warps;
  b.row_bytes = kLoadBytes;
  b.row_j = warps;
  b.byte_step = kLoadBytes;
  OperandStream a;
  a.tensor = p.a;
  a.rows = p.m;
  a.row_bytes = static_cast<std::int64_t>(static_cast<double>(kLoadBytes) / p.b_bytes * p.a_bytes);
  a.byte_step = a.row_bytes;
  OperandStream c;
  c.tensor = p.c;
  c.rows = p.m;
  c.row_bytes = static_cast<std::int64_t>(static_cast<double>(warps) * p.c_bytes);
  c.byte_j = c.row_bytes;
  k.streams = {b, a, c};
  KernelPass main;
  main.steps = (row_bytes + kLoadBytes - 1) / kLoadBytes;
  main.ring = kInFlight;
  main.loads = {0, 1};
  KernelPass out;
  out.stores = {2};
  k.passes = {main, out};
  k.macs_per_cta = static_cast<double>(p.m * p.k * warps);
  k.useful_share = static_cast<double>(p.n) / static_cast<double>(k.grid.columns * warps);

  WarpProgramBuilder w;
  WarpAccess row;
  row.stream = 0;
  row.bytes_per_lane = 16;
  row.warp_rows = 1;
  const std::uint16_t of_b = w.Access(row);
  row.stream = 1;
  row.warp_rows = 0;
  const std::uint16_t of_a = w.Access(row);
  WarpAccess result;
  result.stream = 2;
  const std::uint16_t of_c = w.Access(result);
  w.Prologue(40);
  w.Phase(0);
  for (int i = 0; i < kInFlight - 1; ++i) {
    w.Memory(WarpOpcode::kLoadGlobal, of_b, 16 + 4 * i, 4).ahead = static_cast<std::int16_t>(i);
  }
  const std::int32_t loop = w.Here();
  w.Memory(WarpOpcode::kLoadGlobal, of_b, 28, 4).ahead = kInFlight - 1;
  for (std::int64_t m = 0; m < p.m; ++m) {
    w.Memory(WarpOpcode::kLoadGlobal, of_a, 32, 4);
    const int products = static_cast<int>(16 / p.b_bytes);
    for (int i = 0; i < products; ++i) {
      w.Add(WarpOpcode::kFp32, 40 + i % 4, 16 + i % 4, 32 + i % 4, 40 + i % 4);
    }
    if (p.b_bytes < 4) {  // unpacking to single precision
      for (int i = 0; i < products; ++i) w.Add(WarpOpcode::kInteger, 48 + i % 8, 16 + i % 4);
    }
  }
  w.Overhead(3, 4);
  w.LoopPass(loop, 0);
  w.Phase(1);
  const std::int32_t last = w.Here();
  for (std::int64_t m = 0; m < p.m; ++m) {
    for (int i = 0; i < 5; ++i) w.Add(WarpOpcode::kFp32, 40, 40);  // shuffle and add
  }
  w.Memory(WarpOpcode::kStoreGlobal, of_c, 40).lanes = 1;
  w.LoopPass(last, 1);
  k.roles = {{"main", warps, w.Finish()}};
  return k;
}

}  // namespace siliscope
