// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_lowering.h"

#include <algorithm>
#include <deque>

#include "sim/core/error.h"
#include "workloads/lower/npu/block_stream.h"

namespace siliscope {
namespace {

std::int64_t CeilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// One iteration of the block loops.
struct BlockStep {
  std::int64_t group, m, n, k;  ///< block indices
};

/// One core's share of a task.
class GemmEmitter {
 public:
  GemmEmitter(NpuLowering& lowering, const GemmTask& task, std::int64_t core, GemmExtents extents,
              double share_begin, double share)
      : lowering_(lowering),
        task_(task),
        npu_(lowering.npu()),
        core_(core),
        extents_(extents),
        share_begin_(share_begin),
        share_(share),
        fifo_(npu_.weight_fifo_tiles > 0),
        output_stationary_(npu_.array.dataflow == Dataflow::kOutputStationary) {}

  CommandIds Run() {
    mapping_ = SearchGemmMapping(
        extents_, lowering_.machine(), lowering_.cost(),
        lowering_.allocator(core_).size() - lowering_.allocator(core_).allocated(),
        lowering_.weight_allocator(core_).size() - lowering_.weight_allocator(core_).allocated());
    if (core_ == 0) lowering_.info(task_.op).mapping = mapping_.Text();
    CheckSize();
    LoadResident();
    PrepareStreams();
    PrepareSums();
    const std::vector<BlockStep> steps = Steps();
    const auto ahead = static_cast<std::size_t>(npu_.mapping.buffers - 1);
    for (std::size_t s = 0; s < steps.size(); ++s) {
      for (std::size_t a = s; a <= std::min(s + ahead, steps.size() - 1); ++a) LoadBlocks(steps[a]);
      Compute(steps[s]);
    }
    Finish();
    return finals_;
  }

 private:
  /// Refuses what would take more memory than a simulation should.
  void CheckSize() const {
    constexpr double kMostTiles = 4e6;
    const double tiles = static_cast<double>(extents_.groups) *
                         static_cast<double>(CeilDivide(extents_.m, mapping_.tile_rows)) *
                         static_cast<double>(CeilDivide(extents_.n, Columns())) *
                         static_cast<double>(CeilDivide(extents_.k, Rows()));
    if (tiles > kMostTiles) {
      throw UserError(lowering_.info(task_.op).name +
                      ": needs more than 4 million tiles on this chip; a larger array or a smaller "
                      "batch needs fewer");
    }
  }

  bool streamed_blocks() const { return !mapping_.streamed_resident; }
  bool stationary_blocks() const { return !mapping_.stationary_resident && !fifo_; }
  std::int64_t Columns() const { return npu_.array.columns; }
  std::int64_t Rows() const { return npu_.array.rows; }

  /// The copies of an operand that stays: whole, or in the pieces that tiles need.
  struct ResidentCopy {
    TensorId tensor = kNoTensor;
    std::int64_t begin = 0, bytes = 0, parts = 0;
    bool weights = false;
    CommandIds dependencies;
    std::vector<CommandId>* loads = nullptr;
  };

  ResidentCopy PlaceOperand(TensorId id, std::int64_t bytes, std::int64_t parts, bool weights,
                            ScratchpadAllocator& allocator, std::vector<CommandId>* loads) {
    ResidentCopy copy{id, 0, bytes, parts, weights, task_.wait_for, loads};
    AddDependencies(&copy.dependencies, lowering_.home(id).ready);
    if (auto region = allocator.Allocate(bytes)) {
      AddDependencies(&copy.dependencies, region->wait_for);
      resident_.emplace_back(&allocator, *region);
    }
    if (!weights) {
      copy.begin =
          static_cast<std::int64_t>(share_begin_ * static_cast<double>(task_.streamed_bytes));
    }
    return copy;
  }

  void LoadParts(const ResidentCopy& copy, std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) {
      const std::int64_t from = copy.bytes * p / copy.parts, to = copy.bytes * (p + 1) / copy.parts;
      copy.loads->push_back(lowering_.Copy(NpuOpcode::kLoad, task_.op, core_,
                                           lowering_.home(copy.tensor), copy.begin + from,
                                           to - from, copy.weights, copy.dependencies));
    }
  }

  void LoadResident() {
    const bool whole = npu_.mapping.wait_for_whole_operand;
    const auto parts = [&](std::int64_t tiles) {
      return whole ? 1 : std::min<std::int64_t>(tiles * extents_.groups, 4096);
    };
    ResidentCopy stationary, streamed;
    if (mapping_.stationary_resident && !extents_.stationary_on_chip && !fifo_) {
      stationary = PlaceOperand(task_.stationary, extents_.stationary_bytes,
                                parts(CeilDivide(extents_.n, Columns())), true,
                                lowering_.weight_allocator(core_), &stationary_loads_);
    }
    if (mapping_.streamed_resident && !extents_.streamed_on_chip) {
      streamed = PlaceOperand(task_.streamed, extents_.streamed_bytes,
                              parts(CeilDivide(extents_.m, mapping_.tile_rows)), false,
                              lowering_.allocator(core_), &streamed_loads_);
    }
    // In the order of their first use: a column of tiles needs all rows before the next column.
    LoadParts(stationary, 0, std::min<std::int64_t>(1, stationary.parts));
    LoadParts(streamed, 0, streamed.parts);
    LoadParts(stationary, 1, stationary.parts);
  }

  void PrepareStreams() {
    const std::int64_t buffers = npu_.mapping.buffers;
    const double groups = static_cast<double>(extents_.groups);
    const auto block = [&](std::int64_t bytes, double a, double b) {
      return std::max<std::int64_t>(
          1, static_cast<std::int64_t>(static_cast<double>(bytes) / groups * a * b + 0.5));
    };
    const double part_m = static_cast<double>(mapping_.block_m) / static_cast<double>(extents_.m);
    const double part_n = static_cast<double>(mapping_.block_n) / static_cast<double>(extents_.n);
    const double part_k = static_cast<double>(mapping_.block_k) / static_cast<double>(extents_.k);
    if (streamed_blocks()) {
      streamed_.Prepare(&lowering_.allocator(core_), buffers,
                        block(extents_.streamed_bytes, part_m, part_k));
    }
    if (stationary_blocks()) {
      stationary_.Prepare(&lowering_.weight_allocator(core_), buffers,
                          block(extents_.stationary_bytes, part_n, part_k));
    }
  }

  void PrepareSums() {
    const std::int64_t tiles_a_block =
        CeilDivide(mapping_.block_m, mapping_.tile_rows) * CeilDivide(mapping_.block_n, Columns());
    std::int64_t slots = 2;
    if (npu_.accumulators.rows > 0) {
      slots =
          std::max<std::int64_t>(1, npu_.accumulators.rows / mapping_.tile_rows) * npu_.array.count;
    } else {
      const ScratchpadSpec& pad = npu_.unified.size_bytes > 0 ? npu_.unified : npu_.output;
      slots = std::clamp<std::int64_t>(pad.size_bytes / 16 / (mapping_.tile_rows * Columns() * 4),
                                       2, 256);
    }
    if (mapping_.block_k < extents_.k) slots = std::max(slots, tiles_a_block);
    sums_.assign(static_cast<std::size_t>(slots), kNone);
    leaving_.assign(static_cast<std::size_t>(std::max<std::int64_t>(2, npu_.mapping.buffers)),
                    kNone);
    epilogue_work_ = lowering_.builder().AddVectorWork(task_.epilogue);
  }

  std::vector<BlockStep> Steps() const {
    std::vector<BlockStep> steps;
    const std::int64_t ms = CeilDivide(extents_.m, mapping_.block_m);
    const std::int64_t ns = CeilDivide(extents_.n, mapping_.block_n);
    const std::int64_t ks = CeilDivide(extents_.k, mapping_.block_k);
    for (std::int64_t g = 0; g < extents_.groups; ++g) {
      for (std::int64_t outer = 0; outer < (mapping_.m_outer ? ms : ns); ++outer) {
        for (std::int64_t inner = 0; inner < (mapping_.m_outer ? ns : ms); ++inner) {
          for (std::int64_t k = 0; k < ks; ++k) {
            steps.push_back(mapping_.m_outer ? BlockStep{g, outer, inner, k}
                                             : BlockStep{g, inner, outer, k});
          }
        }
      }
    }
    return steps;
  }

  std::int64_t StreamedBlock(const BlockStep& s) const {
    return (s.group * CeilDivide(extents_.m, mapping_.block_m) + s.m) *
               CeilDivide(extents_.k, mapping_.block_k) +
           s.k;
  }
  std::int64_t StationaryBlock(const BlockStep& s) const {
    return (s.group * CeilDivide(extents_.n, mapping_.block_n) + s.n) *
               CeilDivide(extents_.k, mapping_.block_k) +
           s.k;
  }

  static std::int64_t Extent(std::int64_t whole, std::int64_t block, std::int64_t index) {
    return std::min(block, whole - index * block);
  }

  void LoadBlocks(const BlockStep& s) {
    const double groups = static_cast<double>(extents_.groups);
    const auto part = [](std::int64_t whole, std::int64_t block, std::int64_t index) {
      return static_cast<double>(Extent(whole, block, index)) / static_cast<double>(whole);
    };
    const double part_k = part(extents_.k, mapping_.block_k, s.k);
    if (streamed_blocks() && streamed_.Find(StreamedBlock(s)) == nullptr) {
      const double bytes = static_cast<double>(extents_.streamed_bytes) / groups * part_k *
                           part(extents_.m, mapping_.block_m, s.m);
      LoadBlock(&streamed_, StreamedBlock(s), task_.streamed, bytes, false);
    }
    if (stationary_blocks() && stationary_.Find(StationaryBlock(s)) == nullptr) {
      const double bytes = static_cast<double>(extents_.stationary_bytes) / groups * part_k *
                           part(extents_.n, mapping_.block_n, s.n);
      LoadBlock(&stationary_, StationaryBlock(s), task_.stationary, bytes, true);
    }
  }

  void LoadBlock(BlockStream* stream, std::int64_t block, TensorId id, double bytes, bool weights) {
    const TensorHome& home = lowering_.home(id);
    BlockStream::Slot* slot = stream->Next(block);
    CommandIds dependencies = slot->users;
    AddDependencies(&dependencies, home.ready);
    AddDependencies(&dependencies, task_.wait_for);
    const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes + 0.5));
    // Blocks lie one after another in memory.
    const std::int64_t offset =
        std::clamp<std::int64_t>(block * whole, 0, std::max<std::int64_t>(home.bytes - whole, 0));
    slot->loaded = {lowering_.Copy(NpuOpcode::kLoad, task_.op, core_, home, offset, whole, weights,
                                   dependencies)};
    slot->users.clear();
  }

  /// All tiles of one block.
  void Compute(const BlockStep& s) {
    const std::int64_t block_rows = Extent(extents_.m, mapping_.block_m, s.m);
    const std::int64_t block_columns = Extent(extents_.n, mapping_.block_n, s.n);
    const std::int64_t block_depth = Extent(extents_.k, mapping_.block_k, s.k);
    const bool first_k = s.k == 0;
    const bool last_k = (s.k + 1) * mapping_.block_k >= extents_.k;
    const std::int64_t m_tiles = CeilDivide(block_rows, mapping_.tile_rows);
    const std::int64_t n_tiles = CeilDivide(block_columns, Columns());
    if (first_k) block_base_ = next_sum_;
    // With operands that arrive piece by piece, a column of tiles is finished first.
    const bool n_first = !npu_.mapping.wait_for_whole_operand && !fifo_;
    for (std::int64_t i = 0; i < m_tiles * n_tiles; ++i) {
      const std::int64_t mt = n_first ? i % m_tiles : i / n_tiles;
      const std::int64_t nt = n_first ? i / m_tiles : i % n_tiles;
      OutputTile tile;
      tile.sum =
          static_cast<std::size_t>((block_base_ + i) % static_cast<std::int64_t>(sums_.size()));
      tile.group = s.group;
      tile.m_tile = s.m * CeilDivide(mapping_.block_m, mapping_.tile_rows) + mt;
      tile.n_tile = s.n * CeilDivide(mapping_.block_n, Columns()) + nt;
      tile.rows = std::min(mapping_.tile_rows, block_rows - mt * mapping_.tile_rows);
      tile.columns = std::min(Columns(), block_columns - nt * Columns());
      ComputeTile(s, tile, block_depth, first_k, last_k);
      // Results leave when a whole block of rows is there; else tile by tile.
      const bool row_done = n_first || nt + 1 == n_tiles;
      if (last_k && row_done && task_.result != nullptr && !task_.result->on_chip) {
        EmitStore(tile.rows, n_first ? tile.columns : block_columns);
      }
    }
    if (last_k) next_sum_ = block_base_ + m_tiles * n_tiles;
  }

  struct OutputTile {
    std::size_t sum = 0;
    std::int64_t group = 0, m_tile = 0, n_tile = 0, rows = 0, columns = 0;
  };

  void ComputeTile(const BlockStep& s, const OutputTile& tile, std::int64_t depth, bool first_k,
                   bool last_k) {
    std::map<std::int64_t, CommandId> matmuls;  // the last of each array, which runs in order
    const std::int64_t k_step = output_stationary_ ? depth : Rows();
    for (std::int64_t k = 0; k < depth; k += k_step) {
      const std::int64_t used = std::min(k_step, depth - k);
      const bool starts = first_k && k == 0;
      if (mapping_.split_rows) {
        const std::int64_t part = CeilDivide(tile.rows, npu_.array.count);
        for (std::int64_t a = 0; a * part < tile.rows; ++a) {
          EmitMatmul(s, tile, a, std::min(part, tile.rows - a * part), used, starts, &matmuls);
        }
      } else {
        const bool private_sums = npu_.accumulators.rows > 0;
        const std::int64_t turn = private_sums ? tile.n_tile + tile.group : next_array_++;
        EmitMatmul(s, tile, turn % npu_.array.count, tile.rows, used, starts, &matmuls);
      }
    }
    // Earlier stretches of k may have run on other arrays.
    if (last_k) EmitEpilogue(tile, first_k ? matmuls : last_matmul_);
  }

  CommandIds StationaryReady(const BlockStep& s, const OutputTile& tile) {
    CommandIds ready;
    if (stationary_blocks()) {
      ready = stationary_.Find(StationaryBlock(s))->loaded;
    } else if (!stationary_loads_.empty()) {
      const std::int64_t tiles = CeilDivide(extents_.n, Columns()) * extents_.groups;
      const std::int64_t index = tile.group * CeilDivide(extents_.n, Columns()) + tile.n_tile;
      const auto parts = static_cast<std::int64_t>(stationary_loads_.size());
      ready = {stationary_loads_[static_cast<std::size_t>(index * parts / tiles)]};
    } else if (extents_.stationary_on_chip) {
      ready = task_.wait_for;
      if (task_.stationary != kNoTensor) {
        AddDependencies(&ready, lowering_.home(task_.stationary).ready);
      }
    }
    return ready;
  }

  CommandIds StreamedReady(const BlockStep& s, const OutputTile& tile) {
    if (streamed_blocks()) return streamed_.Find(StreamedBlock(s))->loaded;
    if (streamed_loads_.empty()) {
      CommandIds ready = task_.wait_for;
      if (task_.streamed != kNoTensor) {
        AddDependencies(&ready, lowering_.home(task_.streamed).ready);
      }
      return ready;
    }
    const std::int64_t m_tiles = CeilDivide(extents_.m, mapping_.tile_rows);
    const std::int64_t tiles = m_tiles * extents_.groups;
    const std::int64_t index = tile.group * m_tiles + tile.m_tile;
    const auto parts = static_cast<std::int64_t>(streamed_loads_.size());
    return {streamed_loads_[static_cast<std::size_t>(index * parts / tiles)]};
  }

  CommandId EmitPush(const BlockStep& s, const OutputTile& tile, std::int64_t array,
                     std::int64_t depth) {
    NpuCommand push;
    push.opcode = NpuOpcode::kPush;
    push.core = static_cast<std::uint16_t>(core_);
    push.array = static_cast<std::uint16_t>(array);
    push.op = task_.op;
    push.depth = static_cast<std::int32_t>(depth);
    push.width = static_cast<std::int32_t>(tile.columns);
    CommandIds ready;
    if (fifo_) {
      ready = {lowering_.LoadWeightTile(task_.op, core_, task_.stationary, next_weight_tile_++)};
    } else {
      push.bytes = lowering_.WeightBytes(depth * tile.columns);
      ready = StationaryReady(s, tile);
    }
    const CommandId id = lowering_.builder().Add(push, ready);
    if (fifo_) lowering_.WeightTilePushed(core_, id);
    if (stationary_blocks()) {
      SetUser(&stationary_.Find(StationaryBlock(s))->users, array, id, &stationary_users_);
    }
    last_push_[array] = id;
    return id;
  }

  /// Keeps one command an array: arrays run theirs in order.
  void SetUser(CommandIds* users, std::int64_t array, CommandId id,
               std::map<std::pair<CommandIds*, std::int64_t>, CommandId>* last) {
    auto [it, added] = last->try_emplace({users, array}, id);
    if (!added) {
      const auto old = std::find(users->begin(), users->end(), it->second);
      if (old != users->end()) users->erase(old);
      it->second = id;
    }
    users->push_back(id);
  }

  void EmitMatmul(const BlockStep& s, const OutputTile& tile, std::int64_t array, std::int64_t rows,
                  std::int64_t depth, bool starts, std::map<std::int64_t, CommandId>* matmuls) {
    NpuCommand matmul;
    matmul.opcode = NpuOpcode::kMatmul;
    matmul.core = static_cast<std::uint16_t>(core_);
    matmul.array = static_cast<std::uint16_t>(array);
    matmul.op = task_.op;
    matmul.rate = static_cast<float>(extents_.rate);
    matmul.rows = static_cast<std::int32_t>(output_stationary_ ? depth : rows);
    matmul.depth = static_cast<std::int32_t>(output_stationary_ ? rows : depth);
    matmul.width = static_cast<std::int32_t>(tile.columns);
    matmul.bytes = lowering_.ActivationBytes(rows * depth);
    if (output_stationary_) matmul.bytes += lowering_.WeightBytes(tile.columns * depth);
    if (npu_.accumulators.rows == 0 && !output_stationary_) {  // sums in the scratchpad
      matmul.result_bytes = rows * tile.columns * 4;
      if (!starts) matmul.bytes += matmul.result_bytes;
    }
    CommandIds ready = StreamedReady(s, tile);
    if (output_stationary_) {
      AddDependencies(&ready, StationaryReady(s, tile));
    } else {
      AddDependency(&ready, EmitPush(s, tile, array, depth));
    }
    if (starts) AddDependency(&ready, sums_[tile.sum]);
    const CommandId id = lowering_.builder().Add(matmul, ready);
    if (streamed_blocks()) {
      SetUser(&streamed_.Find(StreamedBlock(s))->users, array, id, &streamed_users_);
    }
    if (output_stationary_ && stationary_blocks()) {
      SetUser(&stationary_.Find(StationaryBlock(s))->users, array, id, &stationary_users_);
    }
    last_matmul_[array] = id;
    (*matmuls)[array] = id;
  }

  void EmitEpilogue(const OutputTile& tile, const std::map<std::int64_t, CommandId>& matmuls) {
    CommandIds dependencies;
    for (const auto& [array, id] : matmuls) dependencies.push_back(id);
    for (const TensorId operand : task_.epilogue_operands) {
      AddDependencies(&dependencies, OperandTile(operand, tile));
    }
    if (task_.result != nullptr && task_.result->on_chip) {
      AddDependencies(&dependencies,
                      task_.result->regions[static_cast<std::size_t>(core_)].wait_for);
    }
    NpuCommand vector;
    vector.opcode = NpuOpcode::kVector;
    vector.core = static_cast<std::uint16_t>(core_);
    vector.op = task_.op;
    vector.vector_work = epilogue_work_;
    vector.rows = static_cast<std::int32_t>(tile.rows);
    vector.width = static_cast<std::int32_t>(tile.columns);
    AddDependency(&dependencies, leaving_[next_leaving_]);
    const CommandId id = lowering_.builder().Add(vector, dependencies);
    sums_[tile.sum] = id;
    last_vector_ = id;
    for (const TensorId operand : task_.epilogue_operands) lowering_.AddReaders(operand, {id});
  }

  /// Copies a block of rows that is complete; the vector unit is in order, so its last tile says
  /// so.
  void EmitStore(std::int64_t rows, std::int64_t columns) {
    const double bytes = static_cast<double>(extents_.result_bytes) /
                         static_cast<double>(extents_.groups) * static_cast<double>(rows) /
                         static_cast<double>(extents_.m) * static_cast<double>(columns) /
                         static_cast<double>(extents_.n);
    const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes + 0.5));
    const auto begin =
        static_cast<std::int64_t>(share_begin_ * static_cast<double>(task_.result_bytes));
    const std::int64_t offset = std::clamp<std::int64_t>(
        begin + stored_, 0, std::max<std::int64_t>(0, task_.result_bytes - whole));
    stored_ += whole;
    const CommandId store = lowering_.Copy(NpuOpcode::kStore, task_.op, core_, *task_.result,
                                           offset, whole, false, {last_vector_});
    leaving_[next_leaving_] = store;
    next_leaving_ = (next_leaving_ + 1) % leaving_.size();
    finals_.push_back(store);
  }

  /// The part of an epilogue's operand that a result tile needs: copied where it is not on chip.
  CommandIds OperandTile(TensorId operand, const OutputTile& tile) {
    const TensorHome& home = lowering_.home(operand);
    if (home.on_chip) return home.ready;
    const double share = static_cast<double>(tile.rows) / static_cast<double>(extents_.m) *
                         static_cast<double>(tile.columns) / static_cast<double>(extents_.n) *
                         share_ / static_cast<double>(extents_.groups);
    const auto bytes = static_cast<std::int64_t>(static_cast<double>(home.bytes) * share + 0.5);
    const CommandId load =
        lowering_.Copy(NpuOpcode::kLoad, task_.op, core_, home,
                       std::min(operand_offset_, std::max<std::int64_t>(0, home.bytes - bytes)),
                       bytes, false, home.ready);
    operand_offset_ += bytes;
    return load == kNone ? CommandIds{} : CommandIds{load};
  }

  void Finish() {
    if (task_.result == nullptr || task_.result->on_chip) finals_.push_back(last_vector_);
    CommandIds pushes, matmuls;
    for (const auto& [array, id] : last_push_) pushes.push_back(id);
    for (const auto& [array, id] : last_matmul_) matmuls.push_back(id);
    if (task_.streamed != kNoTensor) lowering_.AddReaders(task_.streamed, matmuls);
    if (task_.stationary != kNoTensor) {
      lowering_.AddReaders(task_.stationary, output_stationary_ ? matmuls : pushes);
    }
    if (streamed_blocks()) streamed_.Release();
    if (stationary_blocks()) stationary_.Release();
    for (auto& [allocator, region] : resident_) {
      AddDependencies(&matmuls, pushes);
      allocator->Free(region, matmuls);
    }
  }

  NpuLowering& lowering_;
  const GemmTask& task_;
  const NpuSpec& npu_;
  std::int64_t core_;
  GemmExtents extents_;
  double share_begin_, share_;
  bool fifo_, output_stationary_;
  GemmMapping mapping_;
  std::vector<CommandId> streamed_loads_, stationary_loads_;
  std::vector<std::pair<ScratchpadAllocator*, ScratchpadAllocator::Region>> resident_;
  BlockStream streamed_, stationary_;
  std::map<std::pair<CommandIds*, std::int64_t>, CommandId> streamed_users_, stationary_users_;
  std::vector<CommandId> sums_;     ///< what frees each place for sums
  std::vector<CommandId> leaving_;  ///< what frees each block of results on its way out
  std::size_t next_leaving_ = 0;
  std::int64_t next_sum_ = 0, block_base_ = 0, next_array_ = 0;
  std::uint16_t epilogue_work_ = 0;
  CommandIds finals_;
  std::map<std::int64_t, CommandId> last_push_, last_matmul_;
  CommandId last_vector_ = kNone;
  std::int64_t stored_ = 0, operand_offset_ = 0, next_weight_tile_ = 0;
};

bool OnChip(NpuLowering& lowering, TensorId id) {
  return id == kNoTensor || lowering.home(id).on_chip;
}

}  // namespace

CommandIds EmitGemm(NpuLowering& lowering, const GemmTask& task) {
  const NpuSpec& npu = lowering.npu();
  GemmTask oriented = task;
  if (npu.array.dataflow == Dataflow::kInputStationary) {  // the operands change places
    std::swap(oriented.m, oriented.n);
    std::swap(oriented.streamed, oriented.stationary);
    std::swap(oriented.streamed_bytes, oriented.stationary_bytes);
  }
  const std::int64_t cores = lowering.cores();
  const bool by_group = task.groups >= cores;
  const std::int64_t whole = by_group ? oriented.groups : oriented.m;
  CommandIds finals;
  for (std::int64_t core = 0; core < cores; ++core) {
    const std::int64_t begin = whole * core / cores, end = whole * (core + 1) / cores;
    if (begin == end) continue;
    const double share_begin = static_cast<double>(begin) / static_cast<double>(whole);
    const double share = static_cast<double>(end - begin) / static_cast<double>(whole);
    const auto part = [&](std::int64_t bytes, double of) {
      return std::max<std::int64_t>(
          1, static_cast<std::int64_t>(static_cast<double>(bytes) * of + 0.5));
    };
    GemmExtents extents;
    extents.groups = by_group ? end - begin : oriented.groups;
    extents.m = by_group ? oriented.m : end - begin;
    extents.n = oriented.n;
    extents.k = oriented.k;
    extents.streamed_bytes = part(oriented.streamed_bytes, share);
    extents.stationary_bytes = part(oriented.stationary_bytes, by_group ? share : 1.0);
    extents.result_bytes = part(oriented.result_bytes, share);
    extents.rate = lowering.rate();
    extents.streamed_on_chip = OnChip(lowering, oriented.streamed);
    extents.stationary_on_chip = OnChip(lowering, oriented.stationary);
    extents.result_leaves = task.result != nullptr && !task.result->on_chip;
    const CommandIds done =
        GemmEmitter(lowering, oriented, core, extents, share_begin, share).Run();
    finals.insert(finals.end(), done.begin(), done.end());
  }
  return finals;
}

}  // namespace siliscope
