// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_results.h"

namespace siliscope {

GemmResults::GemmResults(const GemmShare& share) : share_(share) {
  const NpuSpec& npu = share.npu();
  const GemmMapping& mapping = share.mapping;
  std::int64_t places = SumPlaces(mapping, npu);
  if (share.KBlocks() > 1 && !mapping.spills_sums()) {
    places = std::max(places, CeilDivide(mapping.block_m, mapping.tile_rows) *
                                  CeilDivide(mapping.block_n, share.Columns()));
  }
  sums_.assign(static_cast<std::size_t>(places), kNone);
  leaving_.assign(static_cast<std::size_t>(std::max<std::int64_t>(2, npu.mapping.buffers)), kNone);
  ProgramBuilder& builder = share.lowering.builder();
  epilogue_work_ = builder.AddVectorWork(share.task.epilogue);
  if (mapping.spills_sums()) {
    VectorWork spill;
    spill.label = "partial sums";
    spill.functions = {{"move", 1}};
    spill.store_bytes_per_element = static_cast<double>(share.SumBytes());
    spill_work_ = builder.AddVectorWork(spill);
    partial_sums_ =
        share.lowering.PlaceTemporary(share.extents.groups * share.MTiles() * mapping.tile_rows *
                                          share.NTiles() * share.Columns() * share.SumBytes(),
                                      share.task.op, false);
  }
}

std::int64_t GemmResults::PartialOffset(const OutputTile& tile) const {
  const std::int64_t index =
      (tile.group * share_.MTiles() + tile.m_tile) * share_.NTiles() + tile.n_tile;
  return index * share_.mapping.tile_rows * share_.Columns() * share_.SumBytes();
}

CommandId GemmResults::LoadPartialSums(const OutputTile& tile) {
  const std::int64_t offset = PartialOffset(tile);
  CommandIds dependencies = {spilled_.at(offset)};
  AddDependency(&dependencies, PlaceFree(tile));
  return share_.lowering.Copy(NpuOpcode::kLoad, share_.task.op, share_.core,
                              share_.lowering.home(partial_sums_), offset, PartialBytes(tile),
                              false, dependencies);
}

void GemmResults::SpillPartialSums(const OutputTile& tile, const CommandIds& matmuls) {
  CommandIds dependencies = matmuls;
  if (share_.npu().accumulators.rows > 0) {  // out of the accumulators first
    NpuCommand move;
    move.opcode = NpuOpcode::kVector;
    move.core = static_cast<std::uint16_t>(share_.core);
    move.op = share_.task.op;
    move.vector_work = spill_work_;
    move.rows = static_cast<std::int32_t>(tile.rows);
    move.width = static_cast<std::int32_t>(tile.columns);
    dependencies = {share_.lowering.builder().Add(move, matmuls)};
  }
  const std::int64_t offset = PartialOffset(tile);
  const CommandId store = share_.lowering.Copy(NpuOpcode::kStore, share_.task.op, share_.core,
                                               share_.lowering.home(partial_sums_), offset,
                                               PartialBytes(tile), false, dependencies);
  spilled_[offset] = store;
  sums_[tile.sum] = share_.npu().accumulators.rows > 0 ? dependencies.front() : store;
}

void GemmResults::FinishTile(const OutputTile& tile, const CommandIds& matmuls) {
  const GemmTask& task = share_.task;
  CommandIds dependencies = matmuls;
  for (const TensorId operand : task.epilogue_operands) {
    if (share_.fifo() && IsConstant(operand)) continue;
    AddDependencies(&dependencies, OperandTile(operand, tile));
  }
  // The vector unit is in order: what its first tile waits for, all wait for.
  if (task.result != nullptr && task.result->on_chip && last_vector_ == kNone) {
    AddDependencies(&dependencies,
                    task.result->regions[static_cast<std::size_t>(share_.core)].wait_for);
  }
  NpuCommand vector;
  vector.opcode = NpuOpcode::kVector;
  vector.core = static_cast<std::uint16_t>(share_.core);
  vector.op = task.op;
  vector.vector_work = epilogue_work_;
  vector.rows = static_cast<std::int32_t>(tile.rows);
  vector.width = static_cast<std::int32_t>(tile.columns);
  AddDependency(&dependencies, leaving_[next_leaving_]);
  last_vector_ = share_.lowering.builder().Add(vector, dependencies);
  sums_[tile.sum] = last_vector_;
  for (const TensorId operand : task.epilogue_operands) {
    share_.lowering.AddReaders(operand, {last_vector_});
  }
}

/// The vector unit is in order, so the last tile of a block of rows says that all are there.
void GemmResults::StoreRows(std::int64_t rows, std::int64_t columns) {
  if (!Leaves()) return;
  const GemmTask& task = share_.task;
  const GemmExtents& e = share_.extents;
  const double bytes = static_cast<double>(e.result_bytes) / static_cast<double>(e.groups) *
                       static_cast<double>(rows) / static_cast<double>(e.m) *
                       static_cast<double>(columns) / static_cast<double>(e.n);
  const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes + 0.5));
  const auto begin =
      static_cast<std::int64_t>(share_.begin * static_cast<double>(task.result_bytes));
  const std::int64_t offset = std::clamp<std::int64_t>(
      begin + stored_, 0, std::max<std::int64_t>(0, task.result_bytes - whole));
  stored_ += whole;
  const CommandId store = share_.lowering.Copy(NpuOpcode::kStore, task.op, share_.core,
                                               *task.result, offset, whole, false, {last_vector_});
  leaving_[next_leaving_] = store;
  next_leaving_ = (next_leaving_ + 1) % leaving_.size();
  finals_.push_back(store);
}

/// The part of an epilogue's operand that a result tile needs: copied where it is not on chip.
CommandIds GemmResults::OperandTile(TensorId operand, const OutputTile& tile) {
  const GemmExtents& e = share_.extents;
  NpuLowering& lowering = share_.lowering;
  const TensorHome& home = lowering.home(operand);
  if (home.on_chip) return home.ready;
  if (IsConstant(operand)) {
    const auto [at, first] = constants_.try_emplace(operand, kNone);
    if (first) {
      at->second = lowering.Copy(NpuOpcode::kLoad, share_.task.op, share_.core, home, 0, home.bytes,
                                 true, {});
    }
    return {at->second};
  }
  const double part = static_cast<double>(tile.rows) / static_cast<double>(e.m) *
                      static_cast<double>(tile.columns) / static_cast<double>(e.n) * share_.part /
                      static_cast<double>(e.groups);
  const auto bytes = static_cast<std::int64_t>(static_cast<double>(home.bytes) * part + 0.5);
  const std::int64_t offset =
      std::min(operand_offset_, std::max<std::int64_t>(0, home.bytes - bytes));
  operand_offset_ += bytes;
  const CommandId load = share_.lowering.Copy(NpuOpcode::kLoad, share_.task.op, share_.core, home,
                                              offset, bytes, false, home.ready);
  return load == kNone ? CommandIds{} : CommandIds{load};
}

/// Biases and the like: small enough to be copied once. (A weight FIFO has no way for them: there
/// they are taken to lie in the activation unit.)
bool GemmResults::IsConstant(TensorId operand) const {
  const TensorHome& home = share_.lowering.home(operand);
  return share_.lowering.graph().tensor(operand).role == Role::kWeight &&
         home.bytes <= share_.lowering.allocator(share_.core).size() / 16;
}

CommandIds GemmResults::Finals() {
  if (share_.mapping.spills_sums()) share_.lowering.ReleaseTemporary(partial_sums_);
  if (!Leaves()) finals_.push_back(last_vector_);
  return std::move(finals_);
}

}  // namespace siliscope
