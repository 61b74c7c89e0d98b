// SPDX-License-Identifier: Apache-2.0
// The matrix kernels that a chip's libraries have: tiles, stages, clusters and splits.
#include <algorithm>
#include <iterator>
#include <sstream>
#include <string>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/gpu/gemm_kernel.h"

namespace siliscope {
namespace {

bool Divides(std::int64_t part, std::int64_t whole) { return whole % part == 0; }

void AddSplits(const MachineSpec& machine, const GemmProblem& p, const GemmTile& tile,
               std::vector<GemmTile>* tiles) {
  const std::int64_t least = tile.kind == GemmTile::Kind::kSimt ? 128 : 256;
  for (const std::int64_t z : {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32}) {
    const KernelLibrarySpec& library = machine.gpu.library;
    const bool may = p.k / z >= least && p.k >= library.split_from_k && p.batch == 1 &&
                     p.a_steps.empty() &&
                     (tile.kind != GemmTile::Kind::kSimt || library.simt_split);
    if (z > 1 && !may) continue;
    GemmTile t = tile;
    t.split = z;
    tiles->push_back(t);
  }
}

void AddTensorTiles(const MachineSpec& machine, const GemmProblem& p,
                    std::vector<GemmTile>* tiles) {
  struct Listed {
    std::int64_t bm, bn, warps_m, warps_n;
  };
  // Tile sizes of the CUTLASS and cuBLAS libraries.
  static constexpr Listed kTiles[] = {
      {256, 128, 4, 2}, {128, 256, 2, 4}, {128, 128, 2, 2}, {256, 64, 4, 1}, {64, 256, 1, 4},
      {128, 64, 2, 2},  {64, 128, 2, 2},  {64, 64, 2, 2},   {64, 32, 2, 1},  {32, 64, 2, 2},
      {32, 128, 1, 4},  {16, 128, 1, 4},  {16, 64, 1, 4}};
  // Those for double precision: CUTLASS, tensorop_d884gemm.
  static constexpr Listed kDoubleTiles[] = {{128, 128, 2, 4}, {128, 64, 2, 2}, {64, 128, 2, 2},
                                            {64, 64, 2, 2},   {64, 32, 2, 1},  {32, 64, 1, 2},
                                            {32, 32, 2, 1},   {16, 32, 1, 2}};
  const std::int64_t bk = InstructionK(p, static_cast<std::int64_t>(128 / p.a_bytes));
  const bool async = machine.gpu.sm.async_copy;
  const bool fp64 = p.dtype == "fp64";
  const MmaShape shape = machine.gpu.tensor_core.ShapeOf(p.a_bytes);
  const Listed* end = fp64 ? std::end(kDoubleTiles) : std::end(kTiles);
  for (const Listed* at = fp64 ? kDoubleTiles : kTiles; at != end; ++at) {
    const Listed& l = *at;
    if (l.bm / l.warps_m < shape.m) continue;
    // The libraries of Volta and Turing have none smaller.
    if (machine.gpu.tensor_core.generation < 3 && (l.bm < 64 || l.bn < 64)) continue;
    GemmTile t;
    t.kind = GemmTile::Kind::kTensor;
    t.bm = l.bm, t.bn = l.bn, t.warps_m = l.warps_m, t.warps_n = l.warps_n;
    t.bk = async ? bk : bk / 2;
    const double stage = StageBytes(p, t.bm, t.bn, t.bk);
    const double room = static_cast<double>(machine.gpu.sm.shared_memory.most_per_cta_bytes);
    t.stages = async ? std::clamp<std::int64_t>(static_cast<std::int64_t>(room / stage), 2,
                                                t.bm * t.bn >= 128 * 64 ? 4 : 6)
                     : 2;
    if (static_cast<double>(t.stages) * stage + 1024 > room) continue;
    AddSplits(machine, p, t, tiles);
    t.stream_k = machine.gpu.library.stream_k && p.batch == 1 && p.a_steps.empty();
    if (t.stream_k) tiles->push_back(t);
  }
}

void AddGroupTiles(const MachineSpec& machine, const GemmProblem& p, std::vector<GemmTile>* tiles) {
  static constexpr std::int64_t kTiles[][2] = {
      {128, 256}, {256, 128}, {128, 192}, {192, 128}, {128, 128}, {128, 64}, {64, 128}, {64, 256},
      {64, 64},   {64, 32},   {64, 16},   {16, 64},   {16, 128},  {32, 64},  {32, 128}};
  const std::int64_t bk = InstructionK(p, static_cast<std::int64_t>(128 / p.a_bytes));
  for (const auto& [bm, bn] : kTiles) {
    GemmTile t;
    t.kind = GemmTile::Kind::kGroup;
    t.bm = bm, t.bn = bn, t.bk = bk;
    t.warps_m = std::max<std::int64_t>(1, bm / 16), t.warps_n = 1;
    const double stage = StageBytes(p, bm, bn, bk);
    const double room = static_cast<double>(machine.gpu.sm.shared_memory.most_per_cta_bytes) - 8192;
    t.stages = std::clamp<std::int64_t>(static_cast<std::int64_t>(room / stage), 2, 16);
    static constexpr std::int64_t kClusters[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}};
    for (const auto& [rows, columns] : kClusters) {
      if (!Divides(rows, CeilDivide(p.m, bm)) || !Divides(columns, CeilDivide(p.n, bn))) continue;
      t.cluster_rows = rows, t.cluster_columns = columns;
      AddSplits(machine, p, t, tiles);
    }
    t.cluster_rows = t.cluster_columns = 1;
    for (const std::int64_t z : {2, 4, 8}) {
      if (!machine.gpu.library.cluster_split || p.batch > 1 || !p.a_steps.empty()) break;
      if (p.k / z < 256 || bm % (16 * z) != 0) continue;
      t.split = z;
      t.cluster_split = true;
      tiles->push_back(t);
    }
  }
}

/// Whether a list of tiles ("128x64 64x64") names this one; an empty one names all.
bool Lists(const std::string& tiles, std::int64_t rows, std::int64_t columns) {
  const std::string tile = std::to_string(rows) + "x" + std::to_string(columns);
  std::istringstream words(tiles);
  for (std::string word; words >> word;) {
    if (word == tile) return true;
  }
  return tiles.empty();
}

void AddSimtTiles(const MachineSpec& machine, const GemmProblem& p, std::vector<GemmTile>* tiles) {
  struct Listed {
    std::int64_t bm, bn, thread_m, thread_n, slices;
  };
  // Those of cuBLAS by name: sgemm_128x64, sgemm_32x32_sliced1x4, ...; the tiles of 16 x 8 belong
  // to SMs of 128 lanes.
  static constexpr Listed kNarrow[] = {{128, 128, 8, 8, 1}, {128, 64, 8, 8, 1}, {64, 128, 8, 8, 1},
                                       {64, 64, 8, 8, 1},   {128, 32, 8, 4, 1}, {32, 128, 4, 8, 1},
                                       {64, 32, 8, 4, 1},   {32, 32, 4, 4, 1},  {128, 32, 8, 8, 4},
                                       {32, 128, 8, 8, 4},  {64, 32, 8, 8, 4},  {32, 64, 8, 8, 4},
                                       {32, 32, 8, 4, 4}};
  static constexpr Listed kWide[] = {{128, 128, 16, 8, 1}, {256, 64, 16, 8, 1}, {64, 256, 8, 16, 1},
                                     {128, 64, 8, 8, 1},   {64, 128, 8, 8, 1},  {64, 64, 8, 4, 1},
                                     {128, 32, 8, 4, 1},   {32, 32, 4, 4, 1}};
  const bool wide = machine.gpu.sm.fp32.interval_cycles == 1 && machine.gpu.sm.async_copy;
  const KernelLibrarySpec& library = machine.gpu.library;
  const std::string& listed = p.batch > 1 && !library.simt_batched_tiles.empty()
                                  ? library.simt_batched_tiles
                                  : library.simt_tiles;
  const auto add = [&](const Listed& l) {
    if (l.slices > 1 ? p.k < library.sliced_from_k : !Lists(listed, l.bm, l.bn)) return;
    GemmTile t;
    t.kind = GemmTile::Kind::kSimt;
    t.bm = l.bm, t.bn = l.bn;
    t.thread_m = l.thread_m, t.thread_n = l.thread_n, t.slices = l.slices;
    // A stage of a ring; or the parts that come through registers in 32 of k, together.
    t.bk = wide ? kSimtPart : 4 * kSimtPart;
    t.stages = wide ? 3 : 2;
    t.warps_m = std::max<std::int64_t>(1, l.bm / 32), t.warps_n = 1;
    AddSplits(machine, p, t, tiles);
  };
  if (wide) {
    for (const Listed& l : kWide) add(l);
  } else {
    for (const Listed& l : kNarrow) add(l);
  }
}

bool HasTensorRate(const MachineSpec& machine, const std::string& dtype) {
  return machine.gpu.tensor_core.macs_per_cycle.count(dtype) > 0;
}

}  // namespace

std::vector<GemmTile> GemmTiles(const MachineSpec& machine, const GemmProblem& p) {
  std::vector<GemmTile> tiles;
  if (HasTensorRate(machine, p.dtype)) {
    // Warp groups multiply no double precision.
    if (machine.gpu.tensor_core.generation >= 4 && p.dtype != "fp64") {
      AddGroupTiles(machine, p, &tiles);
    } else {
      AddTensorTiles(machine, p, &tiles);
    }
  } else {
    AddSimtTiles(machine, p, &tiles);
  }
  if (p.m <= 4 && p.b_k_contiguous && p.batch == 1 && p.a_steps.empty()) {
    GemmTile gemv;
    gemv.kind = GemmTile::Kind::kGemv;
    gemv.bm = p.m;
    gemv.bn = 4;
    tiles.push_back(gemv);
  }
  return tiles;
}

}  // namespace siliscope
