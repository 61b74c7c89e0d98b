// SPDX-License-Identifier: Apache-2.0
#include "models/npu/dma_engine.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

DmaEngine::DmaEngine(const sc_core::sc_module_name& name, const DmaSpec& spec, Clock clock,
                     EventQueue& events, Listener& listener, bool weights_bypass_scratchpad)
    : sc_core::sc_module(name),
      spec_(spec),
      clock_(clock),
      events_(events),
      listener_(listener),
      weights_bypass_(weights_bypass_scratchpad),
      latency_(static_cast<Tick>(std::llround(spec.latency_s * 1e12))),
      copies_(static_cast<std::size_t>(spec.engines)) {}

MemoryPort& DmaEngine::Memory(MemorySpace space) {
  switch (space) {
    case MemorySpace::kShared:
      return *shared[0];
    case MemorySpace::kHost:
      return *host[0];
    case MemorySpace::kDram:
      break;
  }
  return *dram[0];
}

ScratchpadPort& DmaEngine::Scratch(const NpuCommand& command) {
  if (command.opcode == NpuOpcode::kStore) return *outputs[0];
  return command.weights ? *weights[0] : *inputs[0];
}

std::uint32_t DmaEngine::NewChunk(Chunk chunk) {
  if (free_chunks_.empty()) {
    chunk_pool_.push_back(chunk);
    return static_cast<std::uint32_t>(chunk_pool_.size() - 1);
  }
  const std::uint32_t index = free_chunks_.back();
  free_chunks_.pop_back();
  chunk_pool_[index] = chunk;
  return index;
}

void DmaEngine::Begin(std::uint32_t index, const NpuCommand& command) {
  std::uint32_t slot = 0;
  while (copies_[slot].command != kNone) ++slot;
  copies_[slot] = Copy{index, &command, 0, 0, events_.now() + latency_, false};
  ++active_;
  events_.Schedule(events_.now() + latency_, &Call<&DmaEngine::LatencyOver>, this, slot);
}

void DmaEngine::LatencyOver(std::uint32_t slot) {
  ready_.push_back(slot);
  RequestChunks();
}

void DmaEngine::RequestChunks() {
  while (!ready_.empty() && outstanding_ < spec_.outstanding) {
    if (turn_ >= ready_.size()) turn_ = 0;
    const std::uint32_t slot = ready_[turn_];
    RequestChunk(slot);
    if (copies_[slot].requested >= copies_[slot].what->bytes) {
      ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(turn_));
    } else {
      ++turn_;
    }
  }
}

void DmaEngine::RequestChunk(std::uint32_t slot) {
  Copy& copy = copies_[slot];
  const NpuCommand& command = *copy.what;
  const std::int64_t bytes =
      std::min(spec_.chunk_bytes, std::max<std::int64_t>(command.bytes - copy.requested, 0));
  const bool write = command.opcode == NpuOpcode::kStore;
  Tick when = events_.now();
  if (write) when = Scratch(command).Access(when, bytes);
  const MemoryResponse response = Memory(command.space)
                                      .Access({when, command.address + copy.requested, bytes, write});
  Tick arrival = response.end;
  if (spec_.bytes_per_cycle > 0) {
    const Tick pace = clock_.Cycles(static_cast<double>(bytes) / spec_.bytes_per_cycle);
    arrival = std::max(arrival, std::max(copy.engine_free, response.first) + pace);
    copy.engine_free = arrival;
  }
  copy.requested += bytes;
  ++outstanding_;
  ++chunks_;
  if (!copy.first_seen) {
    copy.first_seen = true;
    listener_.CopyStarted(copy.command, std::min(response.first, arrival));
  }
  events_.Schedule(arrival, &Call<&DmaEngine::ChunkArrived>, this,
                   NewChunk({slot, bytes, write || (command.weights && weights_bypass_)}));
}

void DmaEngine::ChunkArrived(std::uint32_t index) {
  Chunk& chunk = chunk_pool_[index];
  Copy& copy = copies_[chunk.copy];
  if (!chunk.last_stage) {  // into the scratchpad, in the order of arrival
    chunk.last_stage = true;
    const Tick done = Scratch(*copy.what).Access(events_.now(), chunk.bytes);
    if (done > events_.now()) {
      events_.Schedule(done, &Call<&DmaEngine::ChunkArrived>, this, index);
      return;
    }
  }
  --outstanding_;
  copy.moved += chunk.bytes;
  free_chunks_.push_back(index);
  if (copy.moved >= copy.what->bytes && copy.requested >= copy.what->bytes) {
    const std::uint32_t command = copy.command;
    copy.command = kNone;
    --active_;
    listener_.CopyDone(command);
    listener_.EngineFree();
  }
  RequestChunks();
}

}  // namespace siliscope
