// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace siliscope {

Dram::Dram(const sc_core::sc_module_name& name, const DramSpec& spec)
    : sc_core::sc_module(name),
      spec_(spec),
      ideal_(spec.ideal()),
      channel_count_(std::max<std::int64_t>(1, spec.channels)),
      interleave_(std::max<std::int64_t>(1, spec.interleave_bytes)),
      controller_latency_(static_cast<Tick>(std::llround(spec.controller_latency_s * 1e12))) {
  port.bind(*this);
  for (std::int64_t stride = 1; stride <= spec.channels; ++stride) {
    if (std::gcd(stride, spec.channels) == 1) strides_.push_back(stride);
  }
  stride_count_ = Divisor(std::max<std::int64_t>(1, static_cast<std::int64_t>(strides_.size())));
  if (!ideal_) {
    for (std::int64_t c = 0; c < spec.channels; ++c) {
      channels_.emplace_back(spec.timing, spec.mapping,
                             spec.mapping.write_batch_bytes * c / spec.channels);
    }
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
  return {start, start + duration, 0};
}

Tick Dram::IdleLatency() const {
  const double ns =
      spec_.ideal() ? spec_.ideal_latency_s * 1e9 : spec_.timing.trcd_ns + spec_.timing.tcl_ns;
  return controller_latency_ + static_cast<Tick>(std::llround(ns * 1000));
}

MemoryResponse Dram::Access(const MemoryRequest& request) {
  if (request.bytes <= 0) return {request.when, request.when, 0};
  if (ideal_) return AccessIdeal(request);
  const Tick at_controller = request.when + controller_latency_ / 2;
  const Tick back = controller_latency_ - controller_latency_ / 2;
  const std::int64_t grain = interleave_.Quotient(request.address);
  const std::int64_t in_grain = request.address - grain * interleave_.value();
  if (in_grain + request.bytes <= interleave_.value()) {  // most are short
    const std::int64_t row = channel_count_.Quotient(grain);
    DramChannel& channel = channels_[ChannelOf(grain, row)];
    const Tick done = channel.Access(at_controller, row * interleave_.value() + in_grain,
                                     request.bytes, request.write);
    return {channel.first_data() + back, done + back, done + back};
  }
  MemoryResponse response{kNever, 0, 0};
  Tick late = 0;  // byte-ticks
  ForEachChannel(request, [&](std::size_t c, std::int64_t address, std::int64_t bytes) {
    const Tick done = channels_[c].Access(at_controller, address, bytes, request.write);
    response.first = std::min(response.first, channels_[c].first_data());
    response.end = std::max(response.end, done);
    late += static_cast<Tick>(bytes) * (done - at_controller);
  });
  response.first += back;
  response.end += back;
  response.mean = at_controller + late / static_cast<Tick>(request.bytes) + back;
  return response;
}

void Dram::Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) {
  client.Respond(tag, Access(request));
}

DramCounters Dram::Counters() const {
  DramCounters sum;
  sum.busy = pipe_.busy();
  for (const DramChannel& channel : channels_) sum.Add(channel.state().counters);
  return sum;
}

}  // namespace siliscope
