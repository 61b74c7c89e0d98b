// SPDX-License-Identifier: Apache-2.0
// The DMA engines of a core. A copy starts in the order of its queue when an engine is free, waits
// for the engine's latency, and is cut into chunks; the core's outstanding chunk requests are
// limited, and the engines take turns. Data then goes through the ports of the scratchpad.
#pragma once

#include <deque>
#include <systemc>
#include <vector>

#include "models/memory/memory_port.h"
#include "models/memory/scratchpad.h"
#include "sim/contract/program.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class DmaEngine : public sc_core::sc_module {
 public:
  sc_core::sc_port<MemoryPort> dram{"dram"};
  sc_core::sc_port<MemoryPort, 1, sc_core::SC_ZERO_OR_MORE_BOUND> shared{"shared"};
  sc_core::sc_port<MemoryPort, 1, sc_core::SC_ZERO_OR_MORE_BOUND> host{"host"};
  sc_core::sc_port<ScratchpadPort> inputs{"inputs"};
  sc_core::sc_port<ScratchpadPort> weights{"weights"};
  sc_core::sc_port<ScratchpadPort> outputs{"outputs"};

  /// Told when a copy's first data arrives and when it is complete.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void CopyStarted(std::uint32_t command, Tick first_data) = 0;
    virtual void CopyDone(std::uint32_t command) = 0;
    virtual void EngineFree() = 0;
  };

  DmaEngine(const sc_core::sc_module_name& name, const DmaSpec& spec, Clock clock,
            EventQueue& events, Listener& listener, bool weights_bypass_scratchpad);

  bool Free() const { return static_cast<std::int64_t>(active_) < spec_.engines; }
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
    bool first_seen = false;
  };
  struct Chunk {
    std::uint32_t copy = 0;
    std::int64_t bytes = 0;
    bool last_stage = false;
  };

  void LatencyOver(std::uint32_t slot);
  void RequestChunks();
  void RequestChunk(std::uint32_t slot);
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
  std::vector<Copy> copies_;           ///< one slot an engine
  std::vector<std::uint32_t> ready_;   ///< slots with bytes left to request, in turn
  std::size_t turn_ = 0;
  std::vector<Chunk> chunk_pool_;
  std::vector<std::uint32_t> free_chunks_;
  std::int64_t active_ = 0;
  std::int64_t outstanding_ = 0;
  std::uint64_t chunks_ = 0;
};

}  // namespace siliscope
