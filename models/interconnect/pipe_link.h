// SPDX-License-Identifier: Apache-2.0
// The link between a chip and its host, or an on-chip memory shared by cores: a pipe of a given
// bandwidth each way and a latency a transfer. Transfers of one direction queue.
#pragma once

#include <cmath>
#include <systemc>

#include "models/memory/memory_port.h"
#include "sim/core/timeline.h"

namespace siliscope {

class PipeLink : public sc_core::sc_module, public MemoryPort {
 public:
  sc_core::sc_export<MemoryPort> port{"port"};

  PipeLink(const sc_core::sc_module_name& name, double bandwidth_bytes_per_s, double latency_s,
           bool ideal)
      : sc_core::sc_module(name),
        bandwidth_bytes_per_s_(bandwidth_bytes_per_s),
        latency_(static_cast<Tick>(std::llround(latency_s * 1e12))),
        ideal_(ideal) {
    port.bind(*this);
  }

  void Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) override {
    client.Respond(tag, Transfer(request));
  }

  Tick IdleLatency() const override { return ideal_ ? 0 : latency_; }

  std::int64_t read_bytes() const { return read_bytes_; }
  std::int64_t written_bytes() const { return written_bytes_; }
  Tick busy() const { return inward_.busy() + outward_.busy(); }
  double bandwidth_bytes_per_s() const { return bandwidth_bytes_per_s_; }

 private:
  MemoryResponse Transfer(const MemoryRequest& request) {
    (request.write ? written_bytes_ : read_bytes_) += request.bytes;
    if (ideal_) return {request.when, request.when};
    const auto duration = static_cast<Tick>(
        std::llround(static_cast<double>(request.bytes) / bandwidth_bytes_per_s_ * 1e12));
    Timeline& direction = request.write ? outward_ : inward_;
    const Tick start = direction.Reserve(request.when, duration);
    return {start + latency_, start + latency_ + duration};
  }

  double bandwidth_bytes_per_s_;
  Tick latency_;
  bool ideal_;
  Timeline inward_;
  Timeline outward_;
  std::int64_t read_bytes_ = 0;
  std::int64_t written_bytes_ = 0;
};

}  // namespace siliscope
