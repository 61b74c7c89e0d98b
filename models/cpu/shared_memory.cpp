// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/shared_memory.h"

#include <algorithm>

namespace siliscope {

SharedMemory::SharedMemory(const sc_core::sc_module_name& name, const CpuSpec& spec, Clock clock)
    : sc_core::sc_module(name),
      spec_(spec),
      clock_(clock),
      lines_(spec.l3, spec.line_bytes),
      misses_(spec.l3.size_bytes > 0 ? spec.l3.misses : spec.l2.misses),
      fill_(spec.l3.fill_bytes_per_cycle) {}

std::uint64_t SharedMemory::Fetch(std::uint64_t when, std::int64_t line) {
  const auto latency = static_cast<std::uint64_t>(lines_.exists() ? spec_.l3.latency_cycles : 0);
  std::uint64_t ready = when + latency;
  CacheLine* found = lines_.Find(line);
  if (found != nullptr) {
    ++traffic_.hits;
    ready = std::max(ready, found->ready);
    if (spec_.l3.victim) lines_.Remove(line);
  } else {
    ++traffic_.misses;
    ready = FromDram(ready, line);
    if (lines_.exists() && !spec_.l3.victim) Drop(when, {line, ready, 0, false, false});
  }
  traffic_.read_bytes += spec_.line_bytes;
  return lines_.exists() ? fill_.Move(ready, spec_.line_bytes) : ready;
}

void SharedMemory::Drop(std::uint64_t when, const CacheLine& line) {
  traffic_.write_bytes += spec_.line_bytes;
  if (!lines_.exists()) {
    if (line.dirty) ToDram(when, line.line);
    return;
  }
  if (CacheLine* here = lines_.Find(line.line)) {
    here->dirty |= line.dirty;
    return;
  }
  const CacheLine gone = lines_.Insert(line.line, line.ready, line.dirty);
  if (gone.dirty) ToDram(when, gone.line);
}

void SharedMemory::Clear() { lines_ = CacheArray(spec_.l3, spec_.line_bytes); }

std::uint64_t SharedMemory::FromDram(std::uint64_t when, std::int64_t line) {
  const std::uint64_t start = misses_.FreeFrom(when);
  SendWrites(start);
  dram_read_bytes_ += spec_.line_bytes;
  MemoryRequest request;
  request.when = clock_.Cycles(start);
  request.address = line * spec_.line_bytes;
  request.bytes = spec_.line_bytes;
  request.write = false;
  arrived_ = request.when;
  memory->Request(request, *this, 0);
  const std::uint64_t ready = clock_.EdgeFrom(arrived_);
  misses_.Take(start, ready);
  return ready;
}

void SharedMemory::ToDram(std::uint64_t when, std::int64_t line) {
  dram_write_bytes_ += spec_.line_bytes;
  writes_.push({when, line});
}

/// Writes wait for their time, so that none holds up a read that comes before it.
void SharedMemory::SendWrites(std::uint64_t until) {
  while (!writes_.empty() && writes_.top().first <= until) {
    MemoryRequest request;
    request.when = clock_.Cycles(writes_.top().first);
    request.address = writes_.top().second * spec_.line_bytes;
    request.bytes = spec_.line_bytes;
    request.write = true;
    writes_.pop();
    memory->Request(request, *this, 1);
  }
}

void SharedMemory::Respond(std::uint64_t, const MemoryResponse& response) {
  arrived_ = std::max(arrived_, response.end);
}

}  // namespace siliscope
