// SPDX-License-Identifier: Apache-2.0
// Off-chip memory at cycle zoom inside of a running chip: one SystemC process steps the command
// slots of every channel that has requests; answers come when the data has moved.
#pragma once

#include <cstdint>
#include <vector>

#include "models/memory/dram.h"
#include "models/memory/dram_cycle.h"
#include "sim/contract/waveform.h"
#include "sim/core/domain.h"

namespace siliscope {

class ZoomedDram : public Dram {
 public:
  SC_HAS_PROCESS(ZoomedDram);
  /// `waveform` may be null.
  ZoomedDram(const sc_core::sc_module_name& name, const DramSpec& spec, Domain& chip,
             Waveform* waveform);

  void Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) override;
  DramCounters Counters() const override;

 private:
  /// A request and what of it is on its way.
  struct Pending {
    MemoryRequest request;
    MemoryClient* client = nullptr;
    std::uint64_t tag = 0;
    std::size_t pieces_left = 0;
    MemoryResponse response;
  };

  void OnSlot();
  void Arrive(std::uint32_t pending);
  void Answer(std::uint32_t pending);
  void AddSignals();
  void WriteWaveform(std::size_t channel, Tick now);

  Domain& chip_;
  Waveform* waveform_;
  std::vector<DramCycle> channels_;
  std::vector<char> watched_;  ///< channels whose last state is not yet in the waveform
  std::vector<Pending> pending_;
  std::vector<std::uint32_t> free_pending_;
  Tick slot_;
  sc_core::sc_event work_;
  struct Signals {
    std::uint32_t data, write, queued;
    std::vector<std::uint32_t> open_rows;
  };
  std::vector<Signals> signals_;
};

}  // namespace siliscope
