// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/gemm_kernel.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/ceil_divide.h"

namespace siliscope {
namespace {

std::int64_t BytesOf(double bytes, std::int64_t elements) {
  return static_cast<std::int64_t>(bytes * static_cast<double>(elements) + 0.5);
}

std::int64_t WarpsOf(const GemmTile& t) {
  if (t.kind == GemmTile::Kind::kSimt) {
    return std::max<std::int64_t>(1, t.bm * t.bn / (t.thread_m * t.thread_n) / 32 * t.slices);
  }
  return t.warps_m * t.warps_n;
}

std::string NameOf(const GemmProblem& p, const GemmTile& t) {
  const bool conv = p.a_step_k > 0;
  const char* instruction = t.kind == GemmTile::Kind::kSimt    ? (conv ? "simt_" : "s")
                            : t.kind == GemmTile::Kind::kGroup ? "gmma_"
                                                               : "mma_";
  std::string name =
      fmt::format("{}_{}{}{}_{}x{}x{}_stages{}_", p.dtype, p.b_sparse ? "sparse_" : "", instruction,
                  conv ? "conv" : "gemm", t.bm, t.bn, t.bk, t.stages);
  if (conv) {
    name += "nhwc";
  } else {
    name += p.a_k_contiguous ? "t" : "n";
    name += p.b_k_contiguous ? "n" : "t";
  }
  if (t.slices > 1) name += fmt::format("_sliced1x{}", t.slices);
  if (t.cluster_rows * t.cluster_columns > 1) {
    name += fmt::format("_cluster{}x{}", t.cluster_rows, t.cluster_columns);
  }
  if (t.stream_k) name += "_streamk";
  if (t.cluster_split) name += "_cluster";
  if (t.split > 1) name += fmt::format("_splitk{}", t.split);
  return name;
}

/// Grid, streams and passes: what all GEMM kernels have in common.
GpuKernel FrameOf(const GemmProblem& p, const GemmTile& t, std::uint32_t output, double c_bytes,
                  bool through_registers) {
  GpuKernel k;
  k.name = NameOf(p, t);
  k.dtype = p.dtype;
  k.tensor_core = t.kind != GemmTile::Kind::kSimt;
  k.sparse = p.b_sparse;
  k.half_sums = p.half_sums && k.tensor_core;
  k.warps = WarpsOf(t);
  k.cluster_rows = t.cluster_rows;
  k.cluster_columns = t.cluster_columns;
  k.grid.rows = CeilDivide(p.m, t.bm);
  k.grid.columns = CeilDivide(p.n, t.bn);
  k.grid.batch = p.batch;
  k.grid.splits = t.split;
  k.grid.swizzle = std::max<std::int64_t>(1, 8 / t.cluster_rows);
  k.tile = fmt::format("{}x{}x{}, {} stages", t.bm, t.bn, t.bk, t.stages);
  const std::int64_t steps = CeilDivide(p.k, t.bk);
  OperandStream a;
  a.tensor = p.a;
  a.rows = p.a_k_contiguous ? t.bm : t.bk;
  a.row_bytes = BytesOf(p.a_bytes, p.a_k_contiguous ? t.bk : t.bm);
  if (p.a_k_contiguous) {
    const auto scaled = [&](std::int64_t rows) {
      return std::max<std::int64_t>(1, rows * p.a_rows_numerator / p.a_rows_denominator);
    };
    a.row_i = scaled(t.bm), a.byte_step = a.row_bytes;
    a.rows = std::min(a.rows, a.row_i);
    a.row_batch = p.a_steps.empty() ? scaled(p.m) : 0;
    if (!p.a_steps.empty() && p.batch > 1) a.byte_batch = BytesOf(p.a_bytes, p.a_step_k);
  } else {
    a.row_step = t.bk, a.byte_i = a.row_bytes;
    a.row_batch = p.k;
  }
  if (!p.a_steps.empty()) {  // a step of the kernel is part of a window
    const std::int64_t parts = std::max<std::int64_t>(1, CeilDivide(p.a_step_k, t.bk));
    const std::int64_t windows = CeilDivide(t.bk, std::max<std::int64_t>(1, p.a_step_k));
    // Several places of the window in a step are in all parts of the image.
    const std::int64_t part_rows = windows > 1 ? 0 : t.bm;
    if (windows > 1) a.rows = a.row_i;
    for (std::size_t w = 0; w < p.a_steps.size(); w += static_cast<std::size_t>(windows)) {
      for (std::int64_t part = 0; part < parts; ++part) {
        a.step_offsets.emplace_back(p.a_steps[w].row + p.a_steps[w].part * part_rows,
                                    part * BytesOf(p.a_bytes, t.bk));
      }
    }
  }
  a.shared_by_cluster_columns = t.cluster_columns > 1;
  OperandStream b;
  b.tensor = p.b;
  b.rows = p.b_k_contiguous ? t.bn : t.bk;
  b.row_bytes = BytesOf(p.b_bytes, p.b_k_contiguous ? t.bk : t.bn);
  b.batch_divisor = p.b_batch_divisor;
  if (p.b_k_contiguous) {
    b.row_j = t.bn, b.byte_step = b.row_bytes;
    b.row_batch = p.b_shared ? 0 : p.n;
  } else {
    b.row_step = t.bk, b.byte_j = b.row_bytes;
    b.row_batch = p.b_shared ? 0 : p.k;
  }
  b.shared_by_cluster_rows = t.cluster_rows > 1;
  KernelPass main;
  main.steps = steps;
  main.through_registers = through_registers;
  main.ring = through_registers ? 1 : t.stages;
  main.staged = main.ring > 1;
  main.loads = {0, 1};
  main.split_steps = t.split > 1;
  KernelPass out;
  const std::int64_t warp_rows =
      std::max<std::int64_t>(1, t.bm / std::max<std::int64_t>(1, t.warps_m));
  // Of kernels whose operands come by asynchronous copies, a row of each thread a step.
  out.steps = t.kind != GemmTile::Kind::kSimt ? std::max<std::int64_t>(1, warp_rows / 16)
              : through_registers             ? std::max<std::int64_t>(1, t.thread_m / 4)
                                              : t.thread_m;
  out.ring = 1;
  OperandStream c;
  c.tensor = output;
  c.rows = std::max<std::int64_t>(1, t.bm / out.steps);
  c.row_bytes = BytesOf(c_bytes, t.bn);
  c.row_i = t.bm;
  c.row_step = c.rows;
  c.byte_j = c.row_bytes;
  if (!p.a_steps.empty() && p.batch > 1) {  // groups of a convolution share the pixels' rows
    c.row_bytes = BytesOf(c_bytes, std::min(t.bn, p.n));
    c.byte_batch = BytesOf(c_bytes, p.n);
  } else {
    c.row_batch = p.m;
  }
  k.streams = {a, b, c};
  out.stores = {2};
  if (t.split == 1) {
    for (const std::uint32_t operand : p.epilogue_operands) {
      OperandStream e = c;
      e.tensor = operand;
      out.loads.push_back(static_cast<std::uint16_t>(k.streams.size()));
      k.streams.push_back(e);
    }
  }
  k.passes = {main, out};
  const std::int64_t stage_k = t.kind == GemmTile::Kind::kSimt ? kSimtPart * t.slices : t.bk;
  k.shared_bytes = t.stages * BytesOf(p.a_bytes, t.bm * stage_k) +
                   t.stages * BytesOf(p.b_bytes, t.bn * stage_k) + 1024;
  const double tile_macs = static_cast<double>(t.bm * t.bn) * static_cast<double>(steps * t.bk) /
                           static_cast<double>(t.split) * MultipliedShare(p);
  k.macs_per_cta = tile_macs;
  k.useful_share = static_cast<double>(p.m * p.n) * static_cast<double>(p.k * p.batch) *
                   MultipliedShare(p) / (tile_macs * static_cast<double>(k.grid.Ctas()));
  k.fp32_per_cta = static_cast<double>(t.bm * t.bn) * (1 + p.epilogue_operations);
  return k;
}

/// Between the product and its results: partial sums that go to the workspace or come from there,
/// a tile of 32-bit sums for each CTA.
void AddStreamK(const MachineSpec& machine, const GemmTile& t, std::uint32_t workspace,
                GpuKernel* k) {
  k->persistent = true;
  k->stream_k_ctas = machine.gpu.sms;
  const KernelPass results = k->passes.back();
  OperandStream sums;
  sums.tensor = workspace;
  sums.rows = sums.row_step = std::max<std::int64_t>(1, t.bm / results.steps);
  sums.row_bytes = 4 * t.bn;
  sums.row_split = t.bm;
  const auto stream = static_cast<std::uint16_t>(k->streams.size());
  k->streams.push_back(sums);
  KernelPass store, add;
  store.steps = add.steps = results.steps;
  store.stores = {stream};
  add.loads = {stream};
  k->passes = {k->passes.front(), store, add, results};
}

/// Between the product and its results: each CTA of the cluster adds up its part of the tile from
/// the sums of all, and writes that part.
void AddClusterSplit(const GemmTile& t, GpuKernel* k) {
  k->cluster_splits = t.split;
  KernelPass& results = k->passes.back();
  const std::int64_t steps = std::max<std::int64_t>(1, results.steps / t.split);
  OperandStream& c = k->streams[results.stores.front()];
  c.rows = c.row_step = std::max<std::int64_t>(1, t.bm / t.split / steps);
  c.row_split = t.bm / t.split;
  results.steps = steps;
  KernelPass add;
  add.steps = 1;
  add.peer_bytes = t.bm * t.bn * 4 / t.split * (t.split - 1);
  k->passes = {k->passes.front(), add, results};
}

}  // namespace

GpuKernel MakeGemmKernel(const MachineSpec& machine, const GemmProblem& problem,
                         const GemmTile& tile, std::uint32_t workspace) {
  if (tile.kind == GemmTile::Kind::kGemv) return MakeGemvKernel(machine, problem, tile);
  const bool split = tile.split > 1 && !tile.cluster_split;
  GemmProblem p = problem;
  if (split) p.c_bytes = 4, p.epilogue_operations = 0;
  const bool through_registers =
      !machine.gpu.sm.async_copy || (tile.kind == GemmTile::Kind::kSimt && tile.stages <= 2);
  GpuKernel kernel = FrameOf(p, tile, split ? workspace : p.c, p.c_bytes, through_registers);
  if (split) {  // each split writes its own sums: rows of m of the workspace
    // Splits follow each other in the workspace as batches do.
    kernel.streams[2].row_split = p.m;
  }
  if (tile.cluster_split) AddClusterSplit(tile, &kernel);
  if (tile.stream_k) AddStreamK(machine, tile, workspace, &kernel);
  switch (tile.kind) {
    case GemmTile::Kind::kSimt:
      WriteSimtGemm(machine, p, tile, &kernel);
      break;
    case GemmTile::Kind::kGroup:
      WriteGroupGemm(machine, p, tile, &kernel);
      break;
    default:
      WriteTensorGemm(machine, p, tile, &kernel);
      break;
  }
  return kernel;
}

}  // namespace siliscope
