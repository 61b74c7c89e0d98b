// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/gemm_operands.h"

namespace siliscope {

GemmOperands::GemmOperands(const GemmShare& share) : share_(share) {
  LoadResident();
  PrepareStreams();
}

GemmOperands::ResidentCopy GemmOperands::PlaceOperand(TensorId id, std::int64_t bytes,
                                                      std::int64_t parts, bool weights,
                                                      ScratchpadAllocator& allocator,
                                                      std::vector<CommandId>* loads) {
  const GemmTask& task = share_.task;
  ResidentCopy copy{id, 0, bytes, parts, weights, task.wait_for, loads};
  AddDependencies(&copy.dependencies, share_.lowering.home(id).ready);
  if (auto region = allocator.Allocate(bytes)) {
    AddDependencies(&copy.dependencies, region->wait_for);
    resident_.emplace_back(&allocator, *region);
  }
  copy.begin = weights ? share_.StationaryBegin() : share_.StreamedBegin();
  return copy;
}

void GemmOperands::LoadParts(const ResidentCopy& copy, std::int64_t first, std::int64_t last) {
  for (std::int64_t p = first; p < last; ++p) {
    const std::int64_t from = copy.bytes * p / copy.parts, to = copy.bytes * (p + 1) / copy.parts;
    copy.loads->push_back(share_.lowering.Copy(NpuOpcode::kLoad, share_.task.op, share_.core,
                                               share_.lowering.home(copy.tensor), copy.begin + from,
                                               to - from, copy.weights, copy.dependencies));
  }
}

void GemmOperands::LoadResident() {
  const GemmExtents& extents = share_.extents;
  const GemmMapping& mapping = share_.mapping;
  NpuLowering& lowering = share_.lowering;
  const bool whole = share_.npu().mapping.wait_for_whole_operand;
  const auto parts = [&](std::int64_t tiles) {
    return whole ? 1 : std::min<std::int64_t>(tiles * extents.groups, 4096);
  };
  ResidentCopy stationary, streamed;
  if (mapping.stationary_resident && !extents.stationary_on_chip && !share_.fifo()) {
    stationary =
        PlaceOperand(share_.task.stationary, extents.stationary_bytes, parts(share_.NTiles()), true,
                     lowering.weight_allocator(share_.core), &stationary_loads_);
  }
  if (mapping.streamed_resident && !extents.streamed_on_chip) {
    streamed = PlaceOperand(share_.task.streamed, extents.streamed_bytes, parts(share_.MTiles()),
                            false, lowering.allocator(share_.core), &streamed_loads_);
  }
  // In the order of their first use: a column of tiles needs all rows before the next column.
  LoadParts(stationary, 0, std::min<std::int64_t>(1, stationary.parts));
  LoadParts(streamed, 0, streamed.parts);
  LoadParts(stationary, 1, stationary.parts);
}

void GemmOperands::PrepareStreams() {
  const GemmExtents& e = share_.extents;
  const GemmMapping& mapping = share_.mapping;
  const std::int64_t buffers = share_.npu().mapping.buffers;
  const double part_k = static_cast<double>(mapping.block_k) / static_cast<double>(e.k);
  const auto block = [&](std::int64_t bytes, std::int64_t extent, std::int64_t whole) {
    const double part = static_cast<double>(extent) / static_cast<double>(whole);
    const double of_group = static_cast<double>(bytes) / static_cast<double>(e.groups);
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(of_group * part * part_k + 0.5));
  };
  if (StreamedInBlocks()) {
    streamed_.Prepare(&share_.lowering.allocator(share_.core), buffers,
                      block(e.streamed_bytes, mapping.block_m, e.m));
  }
  if (StationaryInBlocks()) {
    stationary_.Prepare(&share_.lowering.weight_allocator(share_.core), buffers,
                        block(e.stationary_bytes, mapping.block_n, e.n));
  }
}

void GemmOperands::LoadBlocks(const BlockStep& s) {
  const GemmExtents& e = share_.extents;
  const GemmMapping& mapping = share_.mapping;
  const double groups = static_cast<double>(e.groups);
  const auto part = [](std::int64_t whole, std::int64_t block, std::int64_t index) {
    return static_cast<double>(GemmShare::Extent(whole, block, index)) / static_cast<double>(whole);
  };
  const double part_k = part(e.k, mapping.block_k, s.k);
  if (StreamedInBlocks() && streamed_.Find(StreamedBlock(s)) == nullptr) {
    const double bytes =
        static_cast<double>(e.streamed_bytes) / groups * part_k * part(e.m, mapping.block_m, s.m);
    LoadBlock(&streamed_, StreamedBlock(s), share_.task.streamed, bytes, false);
  }
  if (StationaryInBlocks() && stationary_.Find(StationaryBlock(s)) == nullptr) {
    const double bytes =
        static_cast<double>(e.stationary_bytes) / groups * part_k * part(e.n, mapping.block_n, s.n);
    LoadBlock(&stationary_, StationaryBlock(s), share_.task.stationary, bytes, true);
  }
}

void GemmOperands::LoadBlock(BlockStream* stream, std::int64_t block, TensorId id, double bytes,
                             bool weights) {
  const TensorHome& home = share_.lowering.home(id);
  BlockStream::Slot* slot = stream->Next(block);
  CommandIds dependencies = slot->users;
  AddDependencies(&dependencies, home.ready);
  AddDependencies(&dependencies, share_.task.wait_for);
  const auto whole = std::max<std::int64_t>(1, static_cast<std::int64_t>(bytes + 0.5));
  // Blocks lie one after another in memory.
  const std::int64_t begin = weights ? share_.StationaryBegin() : share_.StreamedBegin();
  const std::int64_t offset = std::clamp<std::int64_t>(
      begin + block * whole, 0, std::max<std::int64_t>(home.bytes - whole, 0));
  slot->loaded = {share_.lowering.Copy(NpuOpcode::kLoad, share_.task.op, share_.core, home, offset,
                                       whole, weights, dependencies)};
  slot->users.clear();
}

CommandIds GemmOperands::StationaryReady(const BlockStep& s, const OutputTile& tile) {
  if (StationaryInBlocks()) return stationary_.Find(StationaryBlock(s))->loaded;
  if (!stationary_loads_.empty()) {
    const std::int64_t tiles = share_.NTiles() * share_.extents.groups;
    const std::int64_t index = tile.group * share_.NTiles() + tile.n_tile;
    const auto parts = static_cast<std::int64_t>(stationary_loads_.size());
    return {stationary_loads_[static_cast<std::size_t>(index * parts / tiles)]};
  }
  CommandIds ready;
  if (share_.extents.stationary_on_chip) {
    ready = share_.task.wait_for;
    if (share_.task.stationary != kNoTensor) {
      AddDependencies(&ready, share_.lowering.home(share_.task.stationary).ready);
    }
  }
  return ready;
}

CommandIds GemmOperands::StreamedReady(const BlockStep& s, const OutputTile& tile) {
  if (StreamedInBlocks()) return streamed_.Find(StreamedBlock(s))->loaded;
  if (streamed_loads_.empty()) {
    CommandIds ready = share_.task.wait_for;
    if (share_.task.streamed != kNoTensor) {
      AddDependencies(&ready, share_.lowering.home(share_.task.streamed).ready);
    }
    return ready;
  }
  const std::int64_t tiles = share_.MTiles() * share_.extents.groups;
  const std::int64_t index = tile.group * share_.MTiles() + tile.m_tile;
  const auto parts = static_cast<std::int64_t>(streamed_loads_.size());
  return {streamed_loads_[static_cast<std::size_t>(index * parts / tiles)]};
}

/// Keeps one command an array: arrays run theirs in order.
void GemmOperands::SetUser(CommandIds* users, std::int64_t array, CommandId id, LastUser* last) {
  auto [it, added] = last->try_emplace({users, array}, id);
  if (!added) {
    const auto old = std::find(users->begin(), users->end(), it->second);
    if (old != users->end()) users->erase(old);
    it->second = id;
  }
  users->push_back(id);
}

void GemmOperands::StationaryUsed(const BlockStep& step, std::int64_t array, CommandId command) {
  if (!StationaryInBlocks()) return;
  SetUser(&stationary_.Find(StationaryBlock(step))->users, array, command, &stationary_users_);
}

void GemmOperands::StreamedUsed(const BlockStep& step, std::int64_t array, CommandId command) {
  if (!StreamedInBlocks()) return;
  SetUser(&streamed_.Find(StreamedBlock(step))->users, array, command, &streamed_users_);
}

void GemmOperands::Release(const CommandIds& last_users) {
  if (StreamedInBlocks()) streamed_.Release();
  if (StationaryInBlocks()) stationary_.Release();
  for (auto& [allocator, region] : resident_) allocator->Free(region, last_users);
}

}  // namespace siliscope
