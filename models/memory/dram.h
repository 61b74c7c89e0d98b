// SPDX-License-Identifier: Apache-2.0
// Off-chip memory of a chip: channels side by side, consecutive stretches of `interleave` bytes in
// turn. A request is split over the channels and done when its last piece is. Or an ideal memory:
// one pipe of a given bandwidth and latency, both of which may be without limit.
#pragma once

#include <systemc>
#include <vector>

#include "models/memory/dram_channel.h"
#include "models/memory/memory_port.h"
#include "sim/core/timeline.h"

namespace siliscope {

class Dram : public sc_core::sc_module, public MemoryPort {
 public:
  sc_core::sc_export<MemoryPort> port{"port"};

  Dram(const sc_core::sc_module_name& name, const DramSpec& spec);

  MemoryResponse Access(const MemoryRequest& request) override;
  Tick IdleLatency() const override;

  const std::vector<DramChannel>& channels() const { return channels_; }
  const DramSpec& spec() const { return spec_; }
  Tick ideal_busy() const { return pipe_.busy(); }

 private:
  MemoryResponse AccessIdeal(const MemoryRequest& request);

  DramSpec spec_;
  Tick controller_latency_;
  std::vector<DramChannel> channels_;
  Timeline pipe_;
};

}  // namespace siliscope
