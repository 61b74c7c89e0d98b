// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "workloads/lower/npu/gemm_operands.h"
#include "workloads/lower/npu/gemm_results.h"

namespace siliscope {
namespace {

/// Emits one core's share of a task: the loops over its blocks and tiles.
class GemmEmitter {
 public:
  explicit GemmEmitter(const GemmShare& share)
      : share_(share), lowering_(share.lowering), operands_(share), results_(share) {}

  CommandIds Run() {
    const std::vector<BlockStep> steps = Steps();
    const auto ahead = static_cast<std::size_t>(share_.npu().mapping.buffers - 1);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      for (std::size_t a = s; a <= std::min(s + ahead, steps.size() - 1); ++a) {
        operands_.LoadBlocks(steps[a]);
      }
      Compute(steps[s]);
    }
    ReleaseOperands();
    return results_.Finals();
  }

 private:
  std::vector<BlockStep> Steps() const {
    const GemmMapping& mapping = share_.mapping;
    const std::int64_t ms = share_.MBlocks(), ns = share_.NBlocks(), ks = share_.KBlocks();
    std::vector<BlockStep> steps;
    for (std::int64_t g = 0; g < share_.extents.groups; ++g) {
      for (std::int64_t far = 0; far < (mapping.spills_sums() ? ks : 1); ++far) {
        for (std::int64_t outer = 0; outer < (mapping.m_before_n() ? ms : ns); ++outer) {
          for (std::int64_t inner = 0; inner < (mapping.m_before_n() ? ns : ms); ++inner) {
            for (std::int64_t near = 0; near < (mapping.spills_sums() ? 1 : ks); ++near) {
              const std::int64_t m = mapping.m_before_n() ? outer : inner;
              const std::int64_t n = mapping.m_before_n() ? inner : outer;
              steps.push_back({g, m, n, mapping.spills_sums() ? far : near});
            }
          }
        }
      }
    }
    return steps;
  }

  /// All tiles of one block.
  void Compute(const BlockStep& s) {
    const GemmMapping& mapping = share_.mapping;
    const GemmExtents& e = share_.extents;
    const std::int64_t block_rows = GemmShare::Extent(e.m, mapping.block_m, s.m);
    const std::int64_t block_columns = GemmShare::Extent(e.n, mapping.block_n, s.n);
    const bool last_k = s.k + 1 == share_.KBlocks();
    const std::int64_t m_tiles = CeilDivide(block_rows, mapping.tile_rows);
    const std::int64_t n_tiles = CeilDivide(block_columns, share_.Columns());
    if (s.k == 0 || mapping.spills_sums()) block_base_ = next_sum_;
    // With operands that arrive piece by piece, a column of tiles is finished first.
    const bool n_first = !share_.npu().mapping.wait_for_whole_operand && !share_.fifo();
    for (std::int64_t i = 0; i < m_tiles * n_tiles; ++i) {
      const std::int64_t mt = n_first ? i % m_tiles : i / n_tiles;
      const std::int64_t nt = n_first ? i / m_tiles : i % n_tiles;
      OutputTile tile;
      tile.sum = static_cast<std::size_t>(block_base_ + i) % results_.places();
      tile.group = s.group;
      tile.m_tile = s.m * CeilDivide(mapping.block_m, mapping.tile_rows) + mt;
      tile.n_tile = s.n * CeilDivide(mapping.block_n, share_.Columns()) + nt;
      tile.rows = std::min(mapping.tile_rows, block_rows - mt * mapping.tile_rows);
      tile.columns = std::min(share_.Columns(), block_columns - nt * share_.Columns());
      ComputeTile(s, tile, GemmShare::Extent(e.k, mapping.block_k, s.k), last_k);
      // Results leave when a whole block of rows is there; else tile by tile.
      const bool row_done = n_first || nt + 1 == n_tiles;
      if (last_k && row_done) results_.StoreRows(tile.rows, n_first ? tile.columns : block_columns);
    }
    if (last_k || mapping.spills_sums()) next_sum_ = block_base_ + m_tiles * n_tiles;
  }

  void ComputeTile(const BlockStep& s, const OutputTile& tile, std::int64_t depth, bool last_k) {
    const bool spills = share_.mapping.spills_sums();
    std::map<std::int64_t, CommandId> matmuls;  // the last of each array, which runs in order
    const std::int64_t k_step = share_.output_stationary() ? depth : share_.Rows();
    CommandIds sums_ready;
    if (s.k == 0) {
      AddDependency(&sums_ready, results_.PlaceFree(tile));
    } else if (spills) {
      sums_ready = {results_.LoadPartialSums(tile)};
    }
    for (std::int64_t k = 0; k < depth; k += k_step) {
      const std::int64_t used = std::min(k_step, depth - k);
      const bool fresh = s.k == 0 && k == 0;  // nothing is added to older sums
      const CommandIds& waits = k == 0 ? sums_ready : CommandIds{};
      if (share_.mapping.split_rows) {
        const std::int64_t part = CeilDivide(tile.rows, share_.npu().array.count);
        for (std::int64_t a = 0; a * part < tile.rows; ++a) {
          matmuls[a] =
              EmitMatmul(s, tile, a, std::min(part, tile.rows - a * part), used, fresh, waits);
        }
      } else {
        const bool private_sums = share_.npu().accumulators.rows > 0;
        const std::int64_t turn = private_sums ? tile.n_tile + tile.group : next_array_++;
        const std::int64_t array = turn % share_.npu().array.count;
        matmuls[array] = EmitMatmul(s, tile, array, tile.rows, used, fresh, waits);
      }
    }
    // Earlier stretches of k, where sums stay on chip, may have run on other arrays.
    const bool all_here = s.k == 0 || spills;
    if (last_k) {
      results_.FinishTile(tile, Values(all_here ? matmuls : last_matmul_));
    } else if (spills) {
      results_.SpillPartialSums(tile, Values(matmuls));
    }
  }

  static CommandIds Values(const std::map<std::int64_t, CommandId>& commands) {
    CommandIds ids;
    for (const auto& [array, id] : commands) ids.push_back(id);
    return ids;
  }

  CommandId EmitPush(const BlockStep& s, const OutputTile& tile, std::int64_t array,
                     std::int64_t depth) {
    NpuCommand push;
    push.opcode = NpuOpcode::kPush;
    push.core = static_cast<std::uint16_t>(share_.core);
    push.array = static_cast<std::uint16_t>(array);
    push.op = share_.task.op;
    push.depth = static_cast<std::int32_t>(depth);
    push.width = static_cast<std::int32_t>(tile.columns);
    CommandIds ready;
    if (share_.fifo()) {
      ready = {lowering_.LoadWeightTile(share_.task.op, share_.core, share_.task.stationary,
                                        next_weight_tile_++)};
    } else {
      push.bytes = lowering_.WeightBytes(depth * tile.columns);
      ready = operands_.StationaryReady(s, tile);
    }
    AddDependency(&ready, lowering_.DataflowChange(share_.core, array, false));
    const CommandId id = lowering_.builder().Add(push, ready);
    if (share_.fifo()) lowering_.WeightTilePushed(share_.core, id);
    operands_.StationaryUsed(s, array, id);
    last_push_[array] = id;
    return id;
  }

  CommandId EmitMatmul(const BlockStep& s, const OutputTile& tile, std::int64_t array,
                       std::int64_t rows, std::int64_t depth, bool fresh, const CommandIds& waits) {
    const bool output_stationary = share_.output_stationary();
    NpuCommand matmul;
    matmul.opcode = NpuOpcode::kMatmul;
    matmul.core = static_cast<std::uint16_t>(share_.core);
    matmul.array = static_cast<std::uint16_t>(array);
    matmul.op = share_.task.op;
    matmul.rate = static_cast<float>(share_.extents.rate);
    matmul.output_stationary = output_stationary;
    matmul.useful = static_cast<float>(share_.task.useful);
    matmul.rows = static_cast<std::int32_t>(output_stationary ? depth : rows);
    matmul.depth = static_cast<std::int32_t>(output_stationary ? rows : depth);
    matmul.width = static_cast<std::int32_t>(tile.columns);
    matmul.bytes = lowering_.ActivationBytes(rows * depth);
    if (output_stationary) matmul.bytes += lowering_.WeightBytes(tile.columns * depth);
    if (share_.npu().accumulators.rows == 0) {  // sums in the scratchpad
      matmul.result_bytes = rows * tile.columns * share_.SumBytes();
      if (!fresh && !output_stationary) matmul.sum_bytes = matmul.result_bytes;
    }
    CommandIds ready = operands_.StreamedReady(s, tile);
    if (output_stationary) {
      AddDependencies(&ready, operands_.StationaryReady(s, tile));
      AddDependency(&ready, lowering_.DataflowChange(share_.core, array, true));
    } else {
      AddDependency(&ready, EmitPush(s, tile, array, depth));
    }
    AddDependencies(&ready, waits);
    const CommandId id = lowering_.builder().Add(matmul, ready);
    lowering_.ArrayUsed(share_.core, array, output_stationary, id);
    operands_.StreamedUsed(s, array, id);
    if (output_stationary) operands_.StationaryUsed(s, array, id);
    last_matmul_[array] = id;
    return id;
  }

  void ReleaseOperands() {
    CommandIds users = Values(last_matmul_), pushes = Values(last_push_);
    if (share_.task.streamed != kNoTensor) lowering_.AddReaders(share_.task.streamed, users);
    if (share_.task.stationary != kNoTensor) {
      lowering_.AddReaders(share_.task.stationary, share_.output_stationary() ? users : pushes);
    }
    AddDependencies(&users, pushes);
    operands_.Release(users);
  }

  const GemmShare& share_;
  NpuLowering& lowering_;
  GemmOperands operands_;
  GemmResults results_;
  std::int64_t next_sum_ = 0, block_base_ = 0, next_array_ = 0, next_weight_tile_ = 0;
  std::map<std::int64_t, CommandId> last_push_, last_matmul_;
};

bool OnChip(NpuLowering& lowering, TensorId id) {
  return id == kNoTensor || lowering.home(id).on_chip;
}

/// The task as an array of a dataflow runs it: input stationary exchanges the operands.
GemmTask Oriented(const GemmTask& task, Dataflow dataflow) {
  GemmTask oriented = task;
  if (dataflow != Dataflow::kInputStationary) return oriented;
  std::swap(oriented.m, oriented.n);
  std::swap(oriented.streamed, oriented.stationary);
  std::swap(oriented.streamed_bytes, oriented.stationary_bytes);
  return oriented;
}

/// Independent products where there are enough; else rows, or columns where that copies less: cores
/// that share rows each need all of the stationary operand, cores that share columns all rows.
/// (Rows that are on chip lie in their core's own scratchpad.)
GemmShare::Split SplitOf(NpuLowering& lowering, const GemmTask& task) {
  const std::int64_t cores = lowering.cores();
  if (task.groups >= cores) return GemmShare::Split::kGroups;
  const bool rows_move = !OnChip(lowering, task.streamed) || task.streamed_bytes <= (64 << 10);
  const bool wide = task.n >= cores * lowering.npu().array.columns;
  const bool weights_move = !OnChip(lowering, task.stationary);
  const bool less = weights_move && task.streamed_bytes < task.stationary_bytes;
  return rows_move && wide && (less || task.m < cores) ? GemmShare::Split::kColumns
                                                       : GemmShare::Split::kRows;
}

/// What one core does of a task; nothing where it has no part.
bool ExtentsOf(NpuLowering& lowering, const GemmTask& task, Dataflow dataflow, GemmShare* share) {
  const std::int64_t cores = lowering.cores();
  share->split = SplitOf(lowering, task);
  const bool by_group = share->split == GemmShare::Split::kGroups;
  const bool by_columns = share->split == GemmShare::Split::kColumns;
  const std::int64_t unit = by_columns ? lowering.npu().array.columns : 1;
  const std::int64_t whole = by_group ? task.groups : by_columns ? task.n : task.m;
  const std::int64_t units = CeilDivide(whole, unit);
  const std::int64_t begin = units * share->core / cores * unit;
  const std::int64_t end = std::min(whole, units * (share->core + 1) / cores * unit);
  if (begin >= end) return false;
  share->begin = static_cast<double>(begin) / static_cast<double>(whole);
  share->part = static_cast<double>(end - begin) / static_cast<double>(whole);
  const auto part = [](std::int64_t bytes, double of) {
    return std::max<std::int64_t>(1, GemmShare::Of(bytes, of));
  };
  GemmExtents& extents = share->extents;
  extents.groups = by_group ? end - begin : task.groups;
  extents.m = by_group || by_columns ? task.m : end - begin;
  extents.n = by_columns ? end - begin : task.n;
  extents.k = task.k;
  extents.streamed_bytes = part(task.streamed_bytes, by_columns ? 1.0 : share->part);
  extents.stationary_bytes =
      part(task.stationary_bytes, by_group || by_columns ? share->part : 1.0);
  extents.result_bytes = part(task.result_bytes, share->part);
  extents.rate = lowering.rate();
  const auto space = [&](TensorId id) {
    return id == kNoTensor ? MemorySpace::kDram : lowering.home(id).space;
  };
  extents.streamed_space = space(task.streamed);
  extents.stationary_space = space(task.stationary);
  if (task.result != nullptr) extents.result_space = task.result->space;
  extents.spill_space = lowering.SpillSpaceOf(task.result_bytes * 4);
  extents.streamed_on_chip = OnChip(lowering, task.streamed);
  extents.stationary_on_chip = OnChip(lowering, task.stationary);
  extents.result_leaves = task.result != nullptr && !task.result->on_chip;
  extents.dataflow = dataflow;
  return true;
}

GemmMapping MappingOf(NpuLowering& lowering, const GemmShare& share) {
  const ScratchpadAllocator& streamed = lowering.allocator(share.core);
  const ScratchpadAllocator& stationary = lowering.weight_allocator(share.core);
  return SearchGemmMapping(share.extents, lowering.machine(), lowering.cost(),
                           streamed.size() - streamed.allocated(),
                           stationary.size() - stationary.allocated());
}

/// The dataflow of the chip, or the one of the fastest mapping on the first core.
Dataflow ChooseDataflow(NpuLowering& lowering, const GemmTask& task) {
  const Dataflow fixed = lowering.npu().array.dataflow;
  if (fixed != Dataflow::kSearched) return fixed;
  Dataflow best = Dataflow::kWeightStationary;
  double best_seconds = -1;
  for (const Dataflow dataflow :
       {Dataflow::kWeightStationary, Dataflow::kOutputStationary, Dataflow::kInputStationary}) {
    const GemmTask oriented = Oriented(task, dataflow);
    for (std::int64_t core = 0; core < lowering.cores(); ++core) {
      GemmShare share{lowering, oriented, core, {}, GemmShare::Split::kRows, 0, 1, {}};
      if (!ExtentsOf(lowering, oriented, dataflow, &share)) continue;
      const double seconds = MappingOf(lowering, share).estimated_seconds;
      if (best_seconds < 0 || seconds < best_seconds) {
        best_seconds = seconds;
        best = dataflow;
      }
      break;
    }
  }
  return best;
}

/// A weight FIFO is filled from weight memory only: an operand that the chip computed goes there
/// first.
TensorId StoreForFifo(NpuLowering& lowering, const GemmTask& task) {
  const TensorId copy = lowering.PlaceInWeightMemory(task.stationary_bytes, task.op);
  TensorHome& home = lowering.home(copy);
  CommandIds ready = lowering.home(task.stationary).ready;
  AddDependencies(&ready, task.wait_for);
  for (std::int64_t c = 0; c < lowering.cores(); ++c) {
    const std::int64_t from = home.bytes * c / lowering.cores();
    const std::int64_t to = home.bytes * (c + 1) / lowering.cores();
    AddDependency(&home.ready, lowering.Copy(NpuOpcode::kStore, task.op, c, home, from, to - from,
                                             false, ready));
  }
  lowering.AddReaders(task.stationary, home.ready);
  return copy;
}

/// Refuses blocks that no scratchpad of the chip can hold.
void CheckFits(const GemmShare& share) {
  const GemmMapping& mapping = share.mapping;
  const GemmExtents& e = share.extents;
  const double part_k = static_cast<double>(mapping.block_k) / static_cast<double>(e.k) /
                        static_cast<double>(e.groups);
  const double streamed = mapping.streamed_resident
                              ? 0
                              : static_cast<double>(e.streamed_bytes) * part_k *
                                    static_cast<double>(mapping.block_m) / static_cast<double>(e.m);
  const double stationary = mapping.stationary_resident
                                ? 0
                                : static_cast<double>(e.stationary_bytes) * part_k *
                                      static_cast<double>(mapping.block_n) /
                                      static_cast<double>(e.n);
  const NpuSpec& npu = share.npu();
  const bool unified = npu.unified.size_bytes > 0;
  const double needed = unified ? streamed + stationary : std::max(streamed, stationary);
  const auto there = static_cast<double>(
      unified ? npu.unified.size_bytes
              : (streamed >= stationary ? npu.input.size_bytes : npu.weight.size_bytes));
  if (needed <= there) return;
  throw UserError(fmt::format("{}: its smallest blocks ({}x{}x{}) need {} of scratchpad, {} has {}",
                              share.lowering.info(share.task.op).name, mapping.block_m,
                              mapping.block_n, mapping.block_k, Engineering(needed, "B"),
                              share.lowering.machine().name, Engineering(there, "B")));
}

/// Refuses what would take more memory than a simulation should.
void CheckSize(const GemmShare& share) {
  constexpr double kMostTiles = 4e6;
  const double tiles = static_cast<double>(share.extents.groups) *
                       static_cast<double>(share.MTiles()) * static_cast<double>(share.NTiles()) *
                       static_cast<double>(CeilDivide(share.extents.k, share.Rows()));
  if (tiles > kMostTiles) {
    throw UserError(share.lowering.info(share.task.op).name +
                    ": needs more than 4 million tiles on this chip; a larger array or a smaller "
                    "batch needs fewer");
  }
}

}  // namespace

CommandIds EmitGemm(NpuLowering& lowering, const GemmTask& wanted) {
  GemmTask task = wanted;
  const bool through_memory = lowering.npu().weight_fifo_tiles > 0 &&
                              task.stationary != kNoTensor &&
                              lowering.home(task.stationary).on_chip;
  if (through_memory) task.stationary = StoreForFifo(lowering, task);
  const Dataflow dataflow = ChooseDataflow(lowering, task);
  const GemmTask oriented = Oriented(task, dataflow);
  CommandIds finals;
  bool first = true;
  for (std::int64_t core = 0; core < lowering.cores(); ++core) {
    GemmShare share{lowering, oriented, core, {}, GemmShare::Split::kRows, 0, 1, {}};
    if (!ExtentsOf(lowering, oriented, dataflow, &share)) continue;
    share.mapping = MappingOf(lowering, share);
    if (first) lowering.info(task.op).mapping = share.mapping.Text();
    first = false;
    CheckSize(share);
    CheckFits(share);
    const CommandIds done = GemmEmitter(share).Run();
    finals.insert(finals.end(), done.begin(), done.end());
  }
  if (through_memory) lowering.ReleaseTemporary(task.stationary);
  return finals;
}

}  // namespace siliscope
