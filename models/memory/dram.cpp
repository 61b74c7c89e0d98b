// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

Dram::Dram(const sc_core::sc_module_name& name, const DramSpec& spec)
    : sc_core::sc_module(name),
      spec_(spec),
      controller_latency_(static_cast<Tick>(std::llround(spec.controller_latency_s * 1e12))) {
  port.bind(*this);
  if (!spec.ideal()) {
    channels_.assign(static_cast<std::size_t>(spec.channels), DramChannel(spec.timing));
  }
}

MemoryResponse Dram::AccessIdeal(const MemoryRequest& request) {
  const Tick latency = static_cast<Tick>(std::llround(spec_.ideal_latency_s * 1e12));
  Tick duration = 0;
  if (spec_.ideal_bandwidth_bytes_per_s > 0) {
    duration = static_cast<Tick>(std::llround(static_cast<double>(request.bytes) /
                                              spec_.ideal_bandwidth_bytes_per_s * 1e12));
  }
  const Tick start = pipe_.Reserve(request.when + latency, duration);
  return {start, start + duration};
}

Tick Dram::IdleLatency() const {
  const double ns =
      spec_.ideal() ? spec_.ideal_latency_s * 1e9 : spec_.timing.trcd_ns + spec_.timing.tcl_ns;
  return controller_latency_ + static_cast<Tick>(std::llround(ns * 1000));
}

MemoryResponse Dram::Access(const MemoryRequest& request) {
  if (request.bytes <= 0) return {request.when, request.when};
  if (spec_.ideal()) return AccessIdeal(request);
  const auto channel_count = static_cast<std::int64_t>(channels_.size());
  const std::int64_t grain = spec_.interleave_bytes;
  const Tick at_controller = request.when + controller_latency_ / 2;
  const std::int64_t first_grain = request.address / grain;
  const std::int64_t last = request.address + request.bytes;
  const std::int64_t grains = (last - 1) / grain - first_grain + 1;
  MemoryResponse response{kNever, 0};
  for (std::int64_t i = 0; i < std::min(channel_count, grains); ++i) {
    // The pieces of one channel lie side by side in its own address space.
    const std::int64_t g = first_grain + i;
    DramChannel& channel = channels_[static_cast<std::size_t>(g % channel_count)];
    const std::int64_t pieces = (grains - 1 - i) / channel_count + 1;
    std::int64_t begin = g / channel_count * grain;
    std::int64_t end = begin + pieces * grain;
    if (i == 0) begin += request.address - first_grain * grain;
    if ((grains - 1) % channel_count == i) end -= (first_grain + grains) * grain - last;
    const Tick done = channel.Access(at_controller, begin, end - begin, request.write);
    response.first = std::min(response.first, channel.first_data());
    response.end = std::max(response.end, done);
  }
  const Tick back = controller_latency_ - controller_latency_ / 2;
  response.first += back;
  response.end += back;
  return response;
}

}  // namespace siliscope
