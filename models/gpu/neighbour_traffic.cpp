// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/neighbour_traffic.h"

#include <algorithm>

namespace siliscope {
namespace {

constexpr std::int64_t kRequestBytes = 2048;
constexpr std::size_t kUnderWay = 1024;          ///< requests of a way at a time
constexpr std::int64_t kBufferBytes = 64 << 20;  ///< that it goes round, more than an L2 holds

}  // namespace

NeighbourTraffic::NeighbourTraffic(const sc_core::sc_module_name& name,
                                   const GpuNeighbourSpec& spec, std::int64_t address,
                                   EventQueue& events)
    : sc_core::sc_module(name), events_(events) {
  ways_[0].bytes_per_s = spec.read_bytes_per_s;
  ways_[1].bytes_per_s = spec.write_bytes_per_s;
  ways_[1].write = true;
  for (Way& way : ways_) {
    way.first = way.at = address + (way.write ? kBufferBytes : 0);
    way.under_way.assign(kUnderWay, 0);
  }
}

void NeighbourTraffic::Start(Tick now) {
  for (std::uint64_t w = 0; w < ways_.size(); ++w) {
    if (ways_[w].bytes_per_s <= 0) continue;
    ++moving_;
    ways_[w].next = static_cast<double>(now);
    events_.Schedule(now, &CallMove, this, w);
  }
}

void NeighbourTraffic::Move(std::uint64_t number) {
  if (events_.pending() < moving_) return;  // nothing but these is left
  Way& way = ways_[number];
  const Tick now = events_.now();
  memory->Request({now, way.at, kRequestBytes, way.write}, *this, number);
  way.at += kRequestBytes;
  if (way.at == way.first + kBufferBytes) way.at = way.first;
  way.next += static_cast<double>(kRequestBytes) / way.bytes_per_s * 1e12;
  way.next = std::max(way.next, static_cast<double>(way.under_way[way.oldest]));
  events_.Schedule(std::max(now + 1, static_cast<Tick>(way.next)), &CallMove, this, number);
}

void NeighbourTraffic::Respond(std::uint64_t number, const MemoryResponse& response) {
  Way& way = ways_[number];
  way.under_way[way.oldest] = response.end;
  way.oldest = (way.oldest + 1) % kUnderWay;
}

}  // namespace siliscope
