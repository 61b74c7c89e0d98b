// SPDX-License-Identifier: Apache-2.0
// GEMM on Hopper's warp groups: one producer warp fills a ring of stages by bulk copies, consumer
// groups of four warps multiply from shared memory; full and empty mbarriers pass the stages to and
// fro. A persistent CTA walks the tiles, and its producer runs ahead into the next.
#include <algorithm>

#include "workloads/lower/gpu/gemm_kernel.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

constexpr int kFull = 0, kEmpty = 1;
constexpr std::int64_t kGroupRows = 64;

struct GroupShape {
  std::int64_t groups;          ///< consumer warp groups
  std::int64_t m_instructions;  ///< of a group for one k
  std::int64_t n, k, k_instructions;
  std::int64_t accumulators;  ///< registers of a thread
};

GroupShape ShapeOf(const GemmProblem& p, const GemmTile& tile) {
  GroupShape s{};
  // The instruction's 64 rows run along n where the tile has fewer rows than that.
  const bool swapped = tile.bm < kGroupRows;
  const std::int64_t rows = swapped ? tile.bn : tile.bm;
  s.n = std::min<std::int64_t>(256, swapped ? tile.bm : tile.bn);
  s.k = InstructionK(p, static_cast<std::int64_t>(32 / std::max(0.5, p.a_bytes)));
  s.k_instructions = std::max<std::int64_t>(1, tile.bk / s.k);
  const std::int64_t row_groups = std::max<std::int64_t>(1, rows / kGroupRows);
  s.groups = std::min<std::int64_t>(2, row_groups);
  s.m_instructions = std::max<std::int64_t>(1, row_groups / s.groups);
  s.accumulators = std::max<std::int64_t>(4, s.m_instructions * kGroupRows * s.n / 128);
  return s;
}

/// Nobody copies or arrives before all mbarriers of the cluster are set up.
void AwaitCluster(WarpProgramBuilder& b, const GroupShape& s) {
  WarpInstruction& barrier = b.WithOperand(WarpOpcode::kClusterBarrier, 3);
  barrier.trips = static_cast<std::int32_t>(1 + 4 * s.groups);
}

WarpProgram Producer(const GemmProblem& p, const GroupShape& s, const GemmTile& tile) {
  WarpProgramBuilder b;
  WarpAccess a_access, b_access;
  a_access.stream = 0;
  a_access.bulk_bytes =
      static_cast<std::int64_t>(static_cast<double>(tile.bm * tile.bk) * p.a_bytes);
  b_access.stream = 1;
  b_access.bulk_bytes =
      static_cast<std::int64_t>(static_cast<double>(tile.bn * tile.bk) * p.b_bytes);
  const std::uint16_t a = b.Access(a_access), w = b.Access(b_access);
  b.Prologue(50);
  AwaitCluster(b, s);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  b.WithOperand(WarpOpcode::kWait, kEmpty);
  b.WithOperand(WarpOpcode::kBulkCopy, kFull).access = a;
  b.WithOperand(WarpOpcode::kBulkCopy, kFull).access = w;
  b.Overhead(4, 8);
  b.LoopPass(loop, 0);
  return b.Finish();
}

/// Sums go to shared memory; when all CTAs of the cluster have got there, each loads its part of
/// the others' and adds it.
void AddSumsOfCluster(WarpProgramBuilder& b, const GroupShape& s, const GpuKernel& kernel,
                      std::uint16_t shared) {
  const auto all = static_cast<int>(s.accumulators / 4);  // stores of 16 bytes a thread
  const auto splits = static_cast<int>(kernel.cluster_splits);
  for (int i = 0; i < all; ++i) b.Memory(WarpOpcode::kStoreShared, shared, 64 + i % 128, 4);
  WarpInstruction& barrier = b.WithOperand(WarpOpcode::kClusterBarrier, 2);
  barrier.trips = static_cast<std::int32_t>(s.groups * 4);
  const std::int32_t loop = b.Here();
  constexpr int kUnderWay = 10;  // loads of 16 bytes that registers are free for
  const int part = std::max(1, all / splits), loads = part * (splits - 1);
  for (int done = 0; done < loads; done += kUnderWay) {
    const int now = std::min(kUnderWay, loads - done);
    for (int i = 0; i < now; ++i) b.Memory(WarpOpcode::kLoadPeer, shared, 24 + 4 * i, 4);
    for (int i = 0; i < 4 * now; ++i) {
      const int sum = 64 + (4 * done + i) % (4 * part) % 128;
      b.Add(WarpOpcode::kFp32, sum, 24 + i, sum);
    }
  }
  b.LoopPass(loop, 1);
}

WarpProgram Consumer(const GemmProblem& p, const GroupShape& s, const GpuKernel& kernel) {
  WarpProgramBuilder b;
  WarpAccess operands;
  operands.bulk_bytes =
      static_cast<std::int64_t>(static_cast<double>(kGroupRows * s.k) * p.a_bytes +
                                static_cast<double>(s.n * s.k) * p.b_bytes);
  const std::uint16_t read = b.Access(operands);
  WarpAccess tile;
  tile.bytes_per_lane = 16;
  const std::uint16_t shared = b.Access(tile);
  WarpAccess band;
  band.stream = kernel.passes.back().stores.front();
  const std::uint16_t result = b.Access(band);
  b.Prologue(50);
  AwaitCluster(b, s);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  b.WithOperand(WarpOpcode::kWait, kFull);
  for (std::int64_t k = 0; k < s.k_instructions; ++k) {
    for (std::int64_t m = 0; m < s.m_instructions; ++m) {
      WarpInstruction& in = b.Add(WarpOpcode::kGroupMma, static_cast<int>(64 + m));
      in.access = read;
      in.contraction = static_cast<std::int16_t>(static_cast<double>(s.k) * MultipliedShare(p));
      in.macs = static_cast<float>(static_cast<double>(16 * s.n * s.k) * MultipliedShare(p));
    }
  }
  // The stage before is free once its products are done; this one's are still under way.
  b.WithOperand(WarpOpcode::kGroupMmaWait, static_cast<std::int32_t>(std::min<std::int64_t>(
                                               7, s.k_instructions * s.m_instructions)));
  b.WithOperand(WarpOpcode::kArrive, kEmpty);
  b.Overhead(2, 8);
  b.LoopPass(loop, 0);
  const int last = static_cast<int>(kernel.passes.size()) - 1;
  b.Phase(1);
  b.WithOperand(WarpOpcode::kGroupMmaWait, 0);
  if (kernel.cluster_splits > 1) AddSumsOfCluster(b, s, kernel, shared);
  if (last > 1) b.Phase(last);
  const std::int32_t epilogue = b.Here();
  const auto steps = static_cast<int>(kernel.passes.back().steps * kernel.cluster_splits);
  const int values = std::max(2, static_cast<int>(s.accumulators) / steps);
  for (int i = 0; i < values / 2; ++i) b.Add(WarpOpcode::kFp32, 24 + i % 16, 64 + i % 128);
  for (int i = 0; i < p.epilogue_operations * values; ++i) {
    b.Add(WarpOpcode::kFp32, 24 + i % 16, 24 + i % 16);
  }
  const int stores = std::max(1, static_cast<int>(values * 32 * p.c_bytes / 512 + 0.99));
  for (int i = 0; i < stores; ++i) {
    b.Memory(WarpOpcode::kStoreShared, shared, 24 + i % 16, 4);
  }
  WarpInstruction& barrier = b.WithOperand(WarpOpcode::kBarrier, 1);
  barrier.trips = static_cast<std::int32_t>(s.groups * 4);
  WarpInstruction& bulk_store = b.Add(WarpOpcode::kBulkStore);
  bulk_store.access = result;
  bulk_store.first_warp_only = true;
  b.Overhead(2, 8);
  b.LoopPass(epilogue, last);
  return b.Finish();
}

}  // namespace

void WriteGroupGemm(const MachineSpec&, const GemmProblem& problem, const GemmTile& tile,
                    GpuKernel* kernel) {
  const GroupShape s = ShapeOf(problem, tile);
  kernel->warps = 4 + 4 * s.groups;
  // Of a shared operand each member copies a part to all; all say when their stage is free.
  const std::int64_t copies = tile.cluster_rows + tile.cluster_columns;
  kernel->mbarriers = {{tile.stages, 2, false, 0, copies},
                       {tile.stages, 4 * s.groups, true, 1, 4 * s.groups * (copies - 1)}};
  // The producer's group gives most of its registers to the consumers.
  const std::int64_t consumer = std::min<std::int64_t>(240, s.accumulators + 56);
  kernel->registers_per_thread = (24 + s.groups * consumer) / (1 + s.groups);
  kernel->roles = {{"producer", 1, Producer(problem, s, tile)},
                   {"consumer", 4 * s.groups, Consumer(problem, s, *kernel)}};
  kernel->persistent = true;
  kernel->passes.front().bulk = true;
  kernel->passes.front().joins = false;  // one group writes results while another multiplies
}

}  // namespace siliscope
