// SPDX-License-Identifier: Apache-2.0
// A monitor stands between two units without any change to either: traffic passes through ports.
#include <gtest/gtest.h>

#include "models/memory/dram.h"
#include "models/npu/dma_engine.h"
#include "sim/config/machine_loader.h"

namespace siliscope {
namespace {

class Monitor : public sc_core::sc_module, public MemoryPort {
 public:
  sc_core::sc_export<MemoryPort> from{"from"};
  sc_core::sc_port<MemoryPort> to{"to"};
  std::vector<MemoryRequest> seen;

  explicit Monitor(const sc_core::sc_module_name& name) : sc_core::sc_module(name) {
    from.bind(*this);
  }
  void Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) override {
    seen.push_back(request);
    to->Request(request, client, tag);
  }
  Tick IdleLatency() const override { return to[0]->IdleLatency(); }
};

class Done : public DmaEngine::Listener {
 public:
  explicit Done(EventQueue& events) : events_(events) {}
  void CopyStarted(std::uint32_t, Tick) override {}
  void CopyDone(std::uint32_t, double) override { ends.push_back(events_.now()); }
  void EngineFree() override {}
  std::vector<Tick> ends;

 private:
  EventQueue& events_;
};

/// A copy of 300,000 bytes; with a monitor in between, what it saw.
Tick CopyTime(const char* name, std::vector<MemoryRequest>* seen) {
  const MachineSpec machine = LoadMachine("tpu-v4", {});
  const Clock clock(machine.clock_hz);
  const std::string prefix = name;
  EventQueue events;
  Done done(events);
  Dram dram((prefix + "_dram").c_str(), machine.memory);
  Scratchpad pad((prefix + "_pad").c_str(), machine.npu.unified, clock);
  DmaEngine dma((prefix + "_dma").c_str(), machine.npu.dma, clock, events, done, false);
  Monitor monitor((prefix + "_monitor").c_str());
  monitor.to(dram.port);
  if (seen != nullptr) {
    dma.dram(monitor.from);
  } else {
    dma.dram(dram.port);
  }
  dma.inputs(pad.port);
  dma.weights(pad.port);
  dma.outputs(pad.port);
  sc_core::sc_start(sc_core::SC_ZERO_TIME);  // binds the ports
  NpuCommand load;
  load.opcode = NpuOpcode::kLoad;
  load.bytes = 300'000;
  dma.Begin(0, load);
  events.RunUntil(kNever - 1);
  if (seen != nullptr) *seen = monitor.seen;
  return done.ends.empty() ? 0 : done.ends.front();
}

TEST(Monitor, SeesEveryRequestBetweenTwoUnits) {
  std::vector<MemoryRequest> seen;
  EXPECT_GT(CopyTime("watched", &seen), 0U);
  std::int64_t bytes = 0;
  for (const MemoryRequest& request : seen) {
    EXPECT_EQ(request.address, bytes);
    EXPECT_FALSE(request.write);
    bytes += request.bytes;
  }
  EXPECT_EQ(bytes, 300'000);
}

}  // namespace
}  // namespace siliscope
