// SPDX-License-Identifier: Apache-2.0
// Off-chip memory of a chip: channels side by side, consecutive stretches of `interleave` bytes in
// turn. A request is split over the channels and done when its last piece is. Or an ideal memory:
// one pipe of a given bandwidth and latency, both of which may be without limit.
#pragma once

#include <algorithm>
#include <systemc>
#include <vector>

#include "models/memory/dram_channel.h"
#include "models/memory/memory_port.h"
#include "sim/core/divisor.h"
#include "sim/core/timeline.h"

namespace siliscope {

class Dram : public sc_core::sc_module, public MemoryPort {
 public:
  sc_core::sc_export<MemoryPort> port{"port"};

  Dram(const sc_core::sc_module_name& name, const DramSpec& spec);

  void Request(const MemoryRequest& request, MemoryClient& client, std::uint64_t tag) override;
  Tick IdleLatency() const override;

  const DramSpec& spec() const { return spec_; }
  /// Of all channels together.
  virtual DramCounters Counters() const;

 protected:
  /// Cuts a request: piece(channel, address in the channel, bytes) once for each channel it
  /// touches.
  template <typename Piece>
  void ForEachChannel(const MemoryRequest& request, Piece piece) const {
    const std::int64_t channels = channel_count_.value();
    const std::int64_t grain = interleave_.value();
    const std::int64_t first_grain = interleave_.Quotient(request.address);
    const std::int64_t last = request.address + request.bytes;
    const std::int64_t grains = interleave_.Quotient(last - 1) - first_grain + 1;
    if (spec_.mapping.hashed) {
      std::int64_t at = request.address;
      for (std::int64_t g = first_grain; g < first_grain + grains; ++g) {
        const std::int64_t end = std::min(last, (g + 1) * grain);
        const std::int64_t row = channel_count_.Quotient(g);
        piece(HashedChannel(g, row), row * grain + at - g * grain, end - at);
        at = end;
      }
      return;
    }
    for (std::int64_t i = 0; i < std::min(channels, grains); ++i) {
      // The pieces of one channel lie side by side in its own address space.
      const std::int64_t g = first_grain + i;
      const std::int64_t pieces = (grains - 1 - i) / channels + 1;
      std::int64_t begin = g / channels * grain;
      std::int64_t end = begin + pieces * grain;
      if (i == 0) begin += request.address - first_grain * grain;
      if ((grains - 1) % channels == i) end -= (first_grain + grains) * grain - last;
      piece(static_cast<std::size_t>(g % channels), begin, end - begin);
    }
  }

  DramSpec spec_;
  bool ideal_;
  Divisor channel_count_, interleave_;
  Tick controller_latency_;

 private:
  /// Of a grain in a row of grains, one for each channel.
  std::size_t ChannelOf(std::int64_t grain, std::int64_t row) const {
    if (spec_.mapping.hashed) return HashedChannel(grain, row);
    return static_cast<std::size_t>(grain - row * channel_count_.value());
  }

  /// Each row of grains goes over all channels in an order of its own, so that requests that have
  /// queued at one channel don't meet again at the next.
  std::size_t HashedChannel(std::int64_t grain, std::int64_t row) const {
    const std::uint64_t hash = static_cast<std::uint64_t>(row) * 0x9e3779b97f4a7c15ULL;
    const std::int64_t stride = strides_[static_cast<std::size_t>(
        stride_count_.Remainder(static_cast<std::int64_t>(hash >> 32)))];
    const auto turn = static_cast<std::int64_t>(hash >> 44);
    return static_cast<std::size_t>(channel_count_.Remainder(grain * stride + turn));
  }

  MemoryResponse Access(const MemoryRequest& request);
  MemoryResponse AccessIdeal(const MemoryRequest& request);

  std::vector<DramChannel> channels_;
  std::vector<std::int64_t> strides_;  ///< that reach every channel
  Divisor stride_count_;
  Timeline pipe_;
};

}  // namespace siliscope
