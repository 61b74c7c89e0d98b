// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/neighbour_traffic.h"

#include <algorithm>

namespace siliscope {
namespace {

constexpr std::int64_t kRequestBytes = 2048;
constexpr std::int64_t kBufferBytes = 64 << 20;  ///< that it goes round, more than an L2 holds

}  // namespace

NeighbourTraffic::NeighbourTraffic(const sc_core::sc_module_name& name,
                                   const GpuNeighbourSpec& spec, std::int64_t address,
                                   EventQueue& events)
    : sc_core::sc_module(name), events_(events) {
  ways_[0] = {spec.read_bytes_per_s, false, address, address, 0};
  ways_[1] = {spec.write_bytes_per_s, true, address + kBufferBytes, address + kBufferBytes, 0};
}

void NeighbourTraffic::Start(Tick now) {
  for (std::uint64_t w = 0; w < 2; ++w) {
    if (ways_[w].bytes_per_s <= 0) continue;
    ways_[w].next = static_cast<double>(now);
    events_.Schedule(now, &CallMove, this, w);
  }
}

void NeighbourTraffic::Move(Way* way) {
  if (stopped_) return;
  memory->Request({events_.now(), way->at, kRequestBytes, way->write}, *this, 0);
  way->at += kRequestBytes;
  if (way->at == way->first + kBufferBytes) way->at = way->first;
  way->next += static_cast<double>(kRequestBytes) / way->bytes_per_s * 1e12;
  events_.Schedule(std::max(events_.now() + 1, static_cast<Tick>(way->next)), &CallMove, this,
                   static_cast<std::uint64_t>(way - ways_));
}

}  // namespace siliscope
