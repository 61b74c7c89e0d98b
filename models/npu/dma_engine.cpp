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
      latency_(static_cast<Tick>(std::llround(spec.latency_s * 1e12))) {}

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
  if (free_copies_.empty()) {
    free_copies_.push_back(static_cast<std::uint32_t>(copies_.size()));
    copies_.emplace_back();
  }
  const std::uint32_t slot = free_copies_.back();
  free_copies_.pop_back();
  copies_[slot] = Copy{index, &command, 0, 0, events_.now() + latency_, 0, 0};
  ++lanes_[LaneOf(command)].active;
  events_.Schedule(events_.now() + latency_, &Call<&DmaEngine::LatencyOver>, this, slot);
}

void DmaEngine::LatencyOver(std::uint32_t slot) {
  Lane& lane = lanes_[LaneOf(*copies_[slot].what)];
  const Copy& copy = copies_[slot];
  // What a copy waits beyond this is other traffic.
  listener_.CopyStarted(copy.command, events_.now() + Memory(copy.what->space).IdleLatency());
  lane.ready.push_back(slot);
  RequestChunks(&lane);
}

void DmaEngine::RequestChunks(Lane* lane) {
  while (!lane->ready.empty() && lane->outstanding < spec_.outstanding) {
    const std::uint32_t slot = lane->ready.front();
    ++lane->outstanding;
    RequestChunk(slot);
    if (copies_[slot].requested >= copies_[slot].what->bytes) lane->ready.pop_front();
  }
}

void DmaEngine::RequestChunk(std::uint32_t slot) {
  Copy& copy = copies_[slot];
  const NpuCommand& command = *copy.what;
  const std::int64_t bytes =
      std::min(spec_.chunk_bytes, std::max<std::int64_t>(command.bytes - copy.requested, 0));
  const bool write = command.opcode == NpuOpcode::kStore;
  Tick when = events_.now();
  if (write) when = Scratch(command).Access(when, bytes, 0);
  copy.at_ports += when - events_.now();
  const MemoryRequest request{when, command.address + copy.requested, bytes, write};
  copy.requested += bytes;
  ++chunks_;
  const std::uint32_t chunk =
      NewChunk({slot, bytes, write || (command.weights && weights_bypass_), when, 0});
  Memory(command.space).Request(request, *this, chunk);
}

void DmaEngine::Respond(std::uint64_t tag, const MemoryResponse& response) {
  const auto index = static_cast<std::uint32_t>(tag);
  const Chunk& chunk = chunk_pool_[index];
  Copy& copy = copies_[chunk.copy];
  Tick arrival = response.end;
  if (spec_.bytes_per_cycle > 0) {
    const Tick pace = clock_.Cycles(static_cast<double>(chunk.bytes) / spec_.bytes_per_cycle);
    arrival = std::max(arrival, std::max(copy.engine_free, response.first) + pace);
    copy.engine_free = arrival;
  }
  events_.Schedule(arrival, &Call<&DmaEngine::ChunkArrived>, this, index);
}

void DmaEngine::ChunkArrived(std::uint32_t index) {
  Chunk& chunk = chunk_pool_[index];
  Copy& copy = copies_[chunk.copy];
  if (chunk.arrived == 0) {
    chunk.arrived = events_.now();
    copy.in_memory += events_.now() - chunk.requested;
  }
  if (!chunk.last_stage) {  // into the scratchpad, in the order of arrival
    chunk.last_stage = true;
    const Tick done = Scratch(*copy.what).Access(events_.now(), 0, chunk.bytes);
    if (done > events_.now()) {
      events_.Schedule(done, &Call<&DmaEngine::ChunkArrived>, this, index);
      return;
    }
  }
  Lane& lane = lanes_[LaneOf(*copy.what)];
  --lane.outstanding;
  copy.at_ports += events_.now() - chunk.arrived;
  copy.moved += chunk.bytes;
  free_chunks_.push_back(index);
  if (copy.moved >= copy.what->bytes) {
    free_copies_.push_back(chunk.copy);
    --lane.active;
    const double under_way = static_cast<double>(copy.in_memory + copy.at_ports);
    listener_.CopyDone(copy.command,
                       under_way > 0 ? static_cast<double>(copy.at_ports) / under_way : 0);
    listener_.EngineFree();
  }
  RequestChunks(&lane);
}

}  // namespace siliscope
