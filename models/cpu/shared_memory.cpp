// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/shared_memory.h"

#include <algorithm>

namespace siliscope {

SharedMemory::SharedMemory(const sc_core::sc_module_name& name, const CpuSpec& spec, Clock clock,
                           const NumaMap& numa)
    : sc_core::sc_module(name),
      memory("memory", static_cast<std::size_t>(spec.numa.nodes)),
      spec_(spec),
      clock_(clock),
      cores_of_cluster_(static_cast<std::uint32_t>(spec.CoresOfCluster())),
      link_cycles_(clock.CyclesIn(static_cast<Tick>(spec.numa.link_latency_s * 1e12))),
      numa_(numa) {
  const std::int64_t misses =
      spec.l3.size_bytes > 0 ? spec.l3.misses : spec.l2.misses * spec.CoresOfCluster();
  const auto per_cycle = [&](double bytes_per_s) {
    constexpr double kNoLimit = 1e9;
    return bytes_per_s > 0 ? bytes_per_s / clock.hertz() : kNoLimit;
  };
  clusters_.reserve(static_cast<std::size_t>(spec.Clusters()));
  for (std::int64_t c = 0; c < spec.Clusters(); ++c) {
    clusters_.push_back({CacheArray(spec.l3, spec.line_bytes), MissRegisters(misses),
                         BandwidthCalendar(per_cycle(spec.cluster.read_bytes_per_s)),
                         BandwidthCalendar(per_cycle(spec.cluster.write_bytes_per_s)),
                         static_cast<std::size_t>(spec.NodeOf(c * spec.CoresOfCluster()))});
  }
  links_.assign(memory.size() * memory.size(),
                BandwidthCalendar(per_cycle(spec.numa.link_bytes_per_s)));
  if (spec.cores > 1) {
    const std::int64_t lines = spec.cores * (spec.l1.size_bytes + spec.l2.size_bytes);
    directory_ = std::make_unique<CoherenceDirectory>(lines / spec.line_bytes);
  }
}

std::uint32_t SharedMemory::AddCore(PrivateCaches* caches) {
  cores_.push_back(caches);
  fill_.emplace_back(spec_.l3.fill_bytes_per_cycle);
  return static_cast<std::uint32_t>(cores_.size() - 1);
}

SharedMemory::Arrival SharedMemory::Fetch(std::uint32_t core, std::uint64_t when,
                                          std::int64_t line) {
  Cluster& cluster = ClusterOf(core);
  const bool has_lines = cluster.lines.exists();
  const auto latency = static_cast<std::uint64_t>(has_lines ? spec_.l3.latency_cycles : 0);
  std::uint64_t ready = when + latency, idle = ready;
  CoherenceDirectory::Entry* entry = directory_ == nullptr ? nullptr : &directory_->At(line);
  if (CacheState* found = cluster.lines.Find(line)) {
    ++traffic_.hits;
    ready = std::max(ready, std::uint64_t{found->ready});
    // A line that others may want too stays.
    if (spec_.l3.victim && directory_ == nullptr) cluster.lines.Remove(line);
  } else {
    ++traffic_.misses;
    const std::uint64_t from_other =
        entry == nullptr || warms_ ? 0 : FromOtherCore(*entry, core, when, line);
    if (from_other > 0) {
      ready = from_other;
      idle =
          std::min(idle + static_cast<std::uint64_t>(spec_.cluster.remote_transfer_cycles), ready);
    } else {
      idle += IdleCycles(cluster.node, line);
      ready = warms_ ? idle : FromDram(cluster, ready, line);
    }
    if (has_lines && !spec_.l3.victim) Drop(core, when, {line, ready, false});
  }
  if (entry != nullptr) {
    entry->holders.set(core);
    entry->last = core;
  }
  traffic_.read_bytes += spec_.line_bytes;
  if (has_lines && !warms_) ready = fill_[core].Move(ready, spec_.line_bytes);
  return {ready, idle};
}

std::uint64_t SharedMemory::IdleCycles(std::size_t node, std::int64_t line) {
  if (dram_idle_cycles_ == 0) dram_idle_cycles_ = clock_.CyclesIn(memory[0]->IdleLatency());
  if (memory.size() == 1) return dram_idle_cycles_;
  return dram_idle_cycles_ + 2 * LinkCycles(node, numa_.NodeOf(line * spec_.line_bytes));
}

/// Whether a core's neighbours in its cluster have a line: the last-level cache knows what the
/// private ones above it hold (shadow tags, as AMD describes them for Zen).
bool SharedMemory::NeighbourHolds(const CoherenceDirectory::Entry& entry, std::uint32_t core,
                                  std::int64_t line) const {
  const std::uint32_t begin = core / cores_of_cluster_ * cores_of_cluster_;
  const auto end =
      std::min<std::uint32_t>(begin + cores_of_cluster_, static_cast<std::uint32_t>(cores_.size()));
  const std::uint32_t last = entry.last;  // most likely
  if (last != core && last >= begin && last < end && cores_[last]->Holds(line)) return true;
  for (std::uint32_t c = begin; c < end; ++c) {
    if (c != core && c != last && entry.holders.test(c) && cores_[c]->Holds(line)) return true;
  }
  return false;
}

/// The cycle in which a line comes from another core's or cluster's caches; 0 = none has it. The
/// nearest is asked first.
std::uint64_t SharedMemory::FromOtherCore(const CoherenceDirectory::Entry& entry,
                                          std::uint32_t core, std::uint64_t when,
                                          std::int64_t line) {
  if (entry.last == CoherenceDirectory::kNobody) return 0;
  if (NeighbourHolds(entry, core, line)) {
    return when + static_cast<std::uint64_t>(spec_.cluster.transfer_cycles);
  }
  Cluster& own = ClusterOf(core);
  Cluster& other = ClusterOf(entry.last);
  if (&own == &other) return 0;
  if (!cores_[entry.last]->Holds(line) && !other.lines.Holds(line)) return 0;
  std::uint64_t sent = other.write.Move(when, spec_.line_bytes);
  if (own.node != other.node) {  // the question goes there, the line comes back
    const std::uint64_t there = sent + 2 * link_cycles_;
    sent = Link(other.node, own.node).Move(there, spec_.line_bytes);
  }
  return own.read.Move(sent + static_cast<std::uint64_t>(spec_.cluster.remote_transfer_cycles),
                       spec_.line_bytes);
}

std::uint64_t SharedMemory::Own(std::uint32_t core, std::uint64_t when, std::int64_t line) {
  if (directory_ == nullptr) return when;
  CoherenceDirectory::Entry& entry = directory_->At(line);
  entry.holders.reset(core);
  std::uint64_t done = when;
  if (entry.holders.any()) {
    bool remote = false;
    for (std::size_t c = entry.holders._Find_first(); c < cores_.size();
         c = entry.holders._Find_next(c)) {
      cores_[c]->Invalidate(line);
      Cluster& cluster = ClusterOf(static_cast<std::uint32_t>(c));
      if (&cluster == &ClusterOf(core)) continue;
      cluster.lines.Remove(line);
      remote = true;
    }
    done += static_cast<std::uint64_t>(remote ? spec_.cluster.remote_transfer_cycles
                                              : spec_.cluster.transfer_cycles);
    entry.holders.reset();
  }
  entry.holders.set(core);
  entry.last = core;
  return done;
}

void SharedMemory::Drop(std::uint32_t core, std::uint64_t when, const CacheLine& line) {
  Cluster& cluster = ClusterOf(core);
  traffic_.write_bytes += spec_.line_bytes;
  if (!cluster.lines.exists()) {
    if (line.dirty) ToDram(cluster, when, line.line);
    return;
  }
  if (CacheState* here = cluster.lines.Find(line.line)) {
    if (line.dirty) here->dirty = 1;
    return;
  }
  const CacheLine gone = cluster.lines.Insert(line.line, line.ready, line.dirty);
  if (gone.dirty) ToDram(cluster, when, gone.line);
}

SharedMemory::Arrival SharedMemory::WriteAround(std::uint32_t core, std::uint64_t when,
                                                std::int64_t line) {
  Cluster& cluster = ClusterOf(core);
  cluster.lines.Remove(line);
  const auto way = static_cast<std::uint64_t>(cluster.lines.exists() ? spec_.l3.latency_cycles : 0);
  const std::uint64_t idle = when + way + IdleCycles(cluster.node, line);
  if (warms_) return {idle, idle};
  const std::uint64_t sent = ToNode(cluster, when + way, line);
  SendWrites(sent);
  dram_write_bytes_ += spec_.line_bytes;
  const std::size_t home = numa_.NodeOf(line * spec_.line_bytes);
  return {Ask(home, sent, line, true) + LinkCycles(home, cluster.node), idle};
}

std::uint64_t SharedMemory::Ask(std::size_t node, std::uint64_t when, std::int64_t line,
                                bool write) {
  MemoryRequest request;
  request.when = clock_.Cycles(when);
  request.address = line * spec_.line_bytes;
  request.bytes = spec_.line_bytes;
  request.write = write;
  arrived_ = request.when;
  memory[node]->Request(request, *this, 0);
  return clock_.EdgeFrom(arrived_);
}

std::uint64_t SharedMemory::FromDram(Cluster& cluster, std::uint64_t when, std::int64_t line) {
  const std::uint64_t start = cluster.misses.FreeFrom(when);
  const std::size_t home = numa_.NodeOf(line * spec_.line_bytes);
  const std::uint64_t asked = start + LinkCycles(cluster.node, home);
  SendWrites(asked);
  dram_read_bytes_ += spec_.line_bytes;
  std::uint64_t sent = Ask(home, asked, line, false);
  if (home != cluster.node) {
    sent = Link(home, cluster.node).Move(sent + link_cycles_, spec_.line_bytes);
  }
  const std::uint64_t ready = cluster.read.Move(sent, spec_.line_bytes);
  cluster.misses.Take(start, ready);
  return ready;
}

/// A line on its way to its memory; returns when it is there.
std::uint64_t SharedMemory::ToNode(Cluster& cluster, std::uint64_t when, std::int64_t line) {
  const std::uint64_t sent = cluster.write.Move(when, spec_.line_bytes);
  const std::size_t home = numa_.NodeOf(line * spec_.line_bytes);
  if (home == cluster.node) return sent;
  return Link(cluster.node, home).Move(sent + link_cycles_, spec_.line_bytes);
}

void SharedMemory::ToDram(Cluster& cluster, std::uint64_t when, std::int64_t line) {
  if (warms_) return;
  dram_write_bytes_ += spec_.line_bytes;
  writes_.push({ToNode(cluster, when, line), line});
}

/// Writes wait for their time, so that none holds up a read that comes before it.
void SharedMemory::SendWrites(std::uint64_t until) {
  while (!writes_.empty() && writes_.top().first <= until) {
    const Write write = writes_.top();
    writes_.pop();
    Ask(numa_.NodeOf(write.second * spec_.line_bytes), write.first, write.second, true);
  }
}

void SharedMemory::Respond(std::uint64_t, const MemoryResponse& response) {
  arrived_ = std::max(arrived_, response.end);
}

}  // namespace siliscope
