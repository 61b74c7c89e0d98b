// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/stream_kernel.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/gpu/warp_program_builder.h"

namespace siliscope {
namespace {

std::int64_t Scaled(std::int64_t bytes, double factor) {
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(bytes) * factor));
}

/// The rectangle of an operand that corresponds to a stretch of the shape's bytes.
OperandStream StretchOf(const StreamOperand& operand, double shape_bytes, std::int64_t rows,
                        std::int64_t bytes) {
  OperandStream s;
  s.tensor = operand.tensor;
  s.rows = Scaled(rows, operand.rows);
  s.row_bytes = Scaled(bytes, operand.bytes / shape_bytes);
  s.row_i = s.rows;
  s.byte_j = s.row_bytes;
  return s;
}

/// Over the lanes of each warp, over the warps through shared memory, then into memory.
void WriteCtaReduction(WarpProgramBuilder* b, std::uint16_t stream) {
  const std::uint16_t shared = b->Access(WarpAccess{});
  WarpAccess one;
  one.stream = stream;
  one.lanes_per_row = 1;
  const std::uint16_t result = b->Access(one);
  const auto combine = [&](int times) {
    for (int i = 0; i < times; ++i) {
      b->Memory(WarpOpcode::kLoadShared, shared, 40, 1);  // shuffle
      b->Add(WarpOpcode::kFp32, 32, 40, 32);
    }
  };
  b->Phase(1);
  const std::int32_t loop = b->Here();
  combine(5);
  b->Memory(WarpOpcode::kStoreShared, shared, 32);
  b->WithOperand(WarpOpcode::kBarrier, 0);
  b->Memory(WarpOpcode::kLoadShared, shared, 32, 1);
  combine(5);
  WarpInstruction& atomic = b->Memory(WarpOpcode::kAtomic, result, 41);
  atomic.lanes = 1;
  atomic.first_warp_only = true;
  b->LoopPass(loop, 1);
}

/// Turns of CTAs that walk a tensor whose loads are under way at a time: compilers unroll such
/// loops by four. Past a store they load nothing, as it might write what is loaded.
std::int64_t UnrollOf(const StreamWork& work) {
  constexpr std::int64_t kUnroll = 4;
  return work.ctas > 0 && work.stores.empty() ? kUnroll : 1;
}

/// Each unrolled turn has streams of its own. `short_rows`: a CTA has several of them.
WarpProgram ProgramOf(const StreamWork& work, bool short_rows) {
  WarpProgramBuilder b;
  const std::int64_t copies = UnrollOf(work);
  const std::int64_t per_thread = work.per_thread * copies;
  std::vector<std::uint16_t> accesses;
  std::uint16_t stream = 0;
  // What lies in several rows is loaded row by row.
  const auto rows_of = [](const StreamOperand& operand) {
    constexpr double kMostRows = 64;
    return static_cast<int>(std::ceil(std::clamp(operand.rows, 1.0, kMostRows)));
  };
  const auto add = [&](const StreamOperand& operand) {
    WarpAccess a;
    a.bytes_per_lane = static_cast<std::uint8_t>(
        std::clamp<std::int64_t>(Scaled(work.per_thread, operand.bytes), 1, 16));
    a.warp_bytes = 32 * a.bytes_per_lane;
    a.wraps = short_rows && operand.rows == 1;
    for (std::int64_t copy = 0; copy < copies; ++copy) {
      a.stream = stream++;
      for (int row = 0; row < rows_of(operand); ++row) {
        a.row = row;
        accesses.push_back(b.Access(a));
      }
    }
  };
  for (const StreamOperand& load : work.loads) add(load);
  for (const StreamOperand& store : work.stores) add(store);
  b.Prologue(30);
  b.Phase(0);
  const std::int32_t loop = b.Here();
  int reg = 16;
  std::size_t next = 0;
  for (const StreamOperand& load : work.loads) {
    for (std::int64_t row = 0; row < rows_of(load) * copies; ++row) {
      b.Memory(WarpOpcode::kLoadGlobal, accesses[next++], reg, 4);
      reg = std::min(reg + 4, 120);
    }
  }
  for (int i = 0; i < work.operations * static_cast<int>(per_thread); ++i) {
    b.Add(WarpOpcode::kFp32, 128 + i % static_cast<int>(per_thread), 16 + i % 4,
          128 + i % static_cast<int>(per_thread));
  }
  for (int i = 0; i < work.special * static_cast<int>(per_thread); ++i) {
    b.Add(WarpOpcode::kSfu, 128 + i % static_cast<int>(per_thread),
          128 + i % static_cast<int>(per_thread));
  }
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(work.stores.size()) * copies; ++i) {
    b.Memory(WarpOpcode::kStoreGlobal, accesses[next++], 128, 4);
  }
  b.LoopPass(loop, 0);
  if (work.reduces_to) WriteCtaReduction(&b, stream);
  return b.Finish();
}

/// CTAs go over the columns of `turn_rows` rows, then over the next.
void WalkInTurns(const StreamWork& work, std::int64_t rows, GpuKernel* k, KernelPass* pass) {
  const std::int64_t turn_rows = std::max<std::int64_t>(1, work.ctas / k->grid.columns);
  const std::int64_t unroll = UnrollOf(work);
  pass->steps = CeilDivide(CeilDivide(rows, turn_rows), unroll);
  k->grid.rows = turn_rows;
  std::vector<OperandStream> streams;
  for (const OperandStream& stream : k->streams) {
    for (std::int64_t copy = 0; copy < unroll; ++copy) {
      streams.push_back(stream);
      for (std::int64_t step = 0; step < pass->steps; ++step) {
        streams.back().step_offsets.emplace_back((step * unroll + copy) * turn_rows * stream.row_i,
                                                 0);
      }
    }
  }
  k->streams = std::move(streams);
  const auto repeat = [&](std::vector<std::uint16_t>* ids, std::size_t first) {
    const std::size_t count = ids->size() * static_cast<std::size_t>(unroll);
    ids->clear();
    for (std::size_t i = 0; i < count; ++i) ids->push_back(static_cast<std::uint16_t>(first + i));
  };
  repeat(&pass->loads, 0);
  repeat(&pass->stores, pass->loads.size());
}

}  // namespace

GpuKernel MakeStreamKernel(const MachineSpec&, const GpuTensor& shape, const StreamWork& work) {
  GpuKernel k;
  k.name = fmt::format("{}_kernel_vec{}", work.name, work.per_thread);
  k.dtype = "fp32";
  k.warps = work.threads / 32;
  k.registers_per_thread = 32;
  k.tile = fmt::format("{} elements", work.threads * work.per_thread);
  const std::int64_t stretch = Scaled(work.threads * work.per_thread, work.elements_bytes);
  // A stretch of a long row, or several short rows.
  const std::int64_t rows = std::max<std::int64_t>(1, stretch / shape.row_bytes);
  const std::int64_t bytes = std::min(stretch, shape.row_bytes);
  k.grid.rows = CeilDivide(shape.rows, rows);
  k.grid.columns = CeilDivide(shape.row_bytes, bytes);
  k.grid.columns_first = true;
  KernelPass pass;
  pass.through_l1 = true;
  for (const StreamOperand& load : work.loads) {
    pass.loads.push_back(static_cast<std::uint16_t>(k.streams.size()));
    k.streams.push_back(StretchOf(load, work.elements_bytes, rows, bytes));
  }
  for (const StreamOperand& store : work.stores) {
    pass.stores.push_back(static_cast<std::uint16_t>(k.streams.size()));
    k.streams.push_back(StretchOf(store, work.elements_bytes, rows, bytes));
  }
  if (work.ctas > 0) WalkInTurns(work, k.grid.rows, &k, &pass);
  k.passes = {pass};
  if (work.reduces_to) {
    OperandStream result;
    result.tensor = *work.reduces_to;
    result.rows = 1, result.row_bytes = 4;
    KernelPass reduction;
    reduction.stores = {static_cast<std::uint16_t>(k.streams.size())};
    k.streams.push_back(result);
    k.passes.push_back(reduction);
  }
  const std::int64_t turns = UnrollOf(work) * k.passes.front().steps;
  k.fp32_per_cta = static_cast<double>(work.threads * work.per_thread * turns) *
                   static_cast<double>(work.operations + 4 * work.special);
  k.roles = {{"main", k.warps, ProgramOf(work, rows > 1)}};
  return k;
}

GpuKernel MakeReductionKernel(const MachineSpec& machine, const GpuTensor& sums_layout,
                              std::uint32_t sums, std::uint32_t result, std::int64_t splits,
                              std::int64_t m, double result_bytes) {
  GpuTensor one = sums_layout;
  one.rows = m;
  StreamWork work;
  work.name = fmt::format("splitk_reduce_{}", splits);
  work.elements_bytes = 4;
  work.operations = static_cast<int>(splits);
  for (std::int64_t z = 0; z < splits; ++z) work.loads.push_back({sums, 4});
  work.stores = {{result, result_bytes}};
  GpuKernel kernel = MakeStreamKernel(machine, one, work);
  // Each load takes the same place of another split.
  for (std::int64_t z = 0; z < splits; ++z) {
    kernel.streams[static_cast<std::size_t>(z)].step_offsets = {{z * m, 0}};
  }
  return kernel;
}

}  // namespace siliscope
