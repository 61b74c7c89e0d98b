// SPDX-License-Identifier: Apache-2.0
// The DMA engines of a core: one group for each memory and direction, so that a slow host link does
// not hold up copies from memory. A copy starts in the order of its queue when an engine of its
// group is free, waits for the engine's latency, and is cut into chunks; a group's outstanding
// chunk requests are limited and go to the oldest copy first. Data then goes through the ports of
// the scratchpad.
#pragma once

#include <array>
#include <deque>
#include <systemc>
#include <vector>

#include "models/memory/memory_port.h"
#include "models/memory/scratchpad.h"
#include "sim/contract/program.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class DmaEngine : public sc_core::sc_module, private MemoryClient {
 public:
  sc_core::sc_port<MemoryPort> dram{"dram"};
  sc_core::sc_port<MemoryPort, 1, sc_core::SC_ZERO_OR_MORE_BOUND> shared{"shared"};
  sc_core::sc_port<MemoryPort, 1, sc_core::SC_ZERO_OR_MORE_BOUND> host{"host"};
  sc_core::sc_port<ScratchpadPort> inputs{"inputs"};
  sc_core::sc_port<ScratchpadPort> weights{"weights"};
  sc_core::sc_port<ScratchpadPort> outputs{"outputs"};

  /// Told when a copy's first data could arrive, were there no other traffic, and when it is
  /// complete.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void CopyStarted(std::uint32_t command, Tick first_data) = 0;
    /// `port_share`: of the time its chunks were under way, what they waited for scratchpad ports.
    virtual void CopyDone(std::uint32_t command, double port_share) = 0;
    virtual void EngineFree() = 0;
  };

  DmaEngine(const sc_core::sc_module_name& name, const DmaSpec& spec, Clock clock,
            EventQueue& events, Listener& listener, bool weights_bypass_scratchpad);

  bool Free(const NpuCommand& command) const {
    return lanes_[LaneOf(command)].active < spec_.engines;
  }
  /// Begins a copy; an engine must be free.
  void Begin(std::uint32_t index, const NpuCommand& command);
  std::uint64_t chunks() const { return chunks_; }

 private:
  struct Copy {
    std::uint32_t command = kNone;
    const NpuCommand* what = nullptr;
    std::int64_t requested = 0;  ///< bytes asked for
    std::int64_t moved = 0;      ///< bytes that have arrived
    Tick engine_free = 0;
    Tick in_memory = 0, at_ports = 0;  ///< summed over chunks
  };
  /// The engines of one memory and direction.
  struct Lane {
    std::deque<std::uint32_t> ready;  ///< copies with bytes left to request, oldest first
    std::int64_t active = 0;
    std::int64_t outstanding = 0;
  };
  struct Chunk {
    std::uint32_t copy = 0;
    std::int64_t bytes = 0;
    bool last_stage = false;
    Tick requested = 0, arrived = 0;
  };

  static std::size_t LaneOf(const NpuCommand& command) {
    return 2 * static_cast<std::size_t>(command.space) +
           (command.opcode == NpuOpcode::kStore ? 1 : 0);
  }
  void LatencyOver(std::uint32_t slot);
  void RequestChunks(Lane* lane);
  void RequestChunk(std::uint32_t slot);
  void Respond(std::uint64_t tag, const MemoryResponse& response) override;
  void ChunkArrived(std::uint32_t chunk);
  MemoryPort& Memory(MemorySpace space);
  ScratchpadPort& Scratch(const NpuCommand& command);
  std::uint32_t NewChunk(Chunk chunk);

  template <void (DmaEngine::*Method)(std::uint32_t)>
  static void Call(void* self, std::uint64_t argument) {
    (static_cast<DmaEngine*>(self)->*Method)(static_cast<std::uint32_t>(argument));
  }

  DmaSpec spec_;
  Clock clock_;
  EventQueue& events_;
  Listener& listener_;
  bool weights_bypass_;
  Tick latency_;
  std::vector<Copy> copies_;
  std::vector<std::uint32_t> free_copies_;
  std::array<Lane, 6> lanes_;
  std::vector<Chunk> chunk_pool_;
  std::vector<std::uint32_t> free_chunks_;
  std::uint64_t chunks_ = 0;
};

}  // namespace siliscope
