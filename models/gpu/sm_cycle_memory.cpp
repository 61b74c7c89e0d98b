// SPDX-License-Identifier: Apache-2.0
// Loads, stores, asynchronous and bulk copies of an SM at cycle zoom.
#include <algorithm>

#include "models/gpu/lane_pattern.h"
#include "models/gpu/sm_cycle.h"

namespace siliscope {

/// Passes of the memory pipe for one instruction; returns when the first is made.
std::uint64_t SmCycle::TakeMemoryPipe(Warp* w, std::uint64_t passes) {
  Subcore& s = subcores_[w->subcore];
  const std::uint64_t start = std::max(now_, memory_pipe_free_);
  memory_pipe_free_ = start + passes;
  counters_.memory_pipe_cycles += passes;
  s.memory_starts.push_back(start);
  const auto depth = static_cast<std::size_t>(sm_.load_store_queue);
  std::uint64_t free = now_ + static_cast<std::uint64_t>(sm_.load_store_interval_cycles);
  if (s.memory_starts.size() > depth) s.memory_starts.pop_front();
  if (s.memory_starts.size() == depth) free = std::max(free, s.memory_starts.front());
  s.pipe_free[kMemory] = free;
  return start;
}

void SmCycle::SharedAccess(Warp* w, const WarpInstruction& in) {
  const std::uint8_t lanes = Lanes(*w, in);
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  const auto passes =
      static_cast<std::uint64_t>(lanes == 32 ? wavefronts_[w->role][in.access]
                                             : SharedWavefronts(sm_.shared_memory, access, lanes));
  const std::uint64_t bytes = std::uint64_t{lanes} * access.bytes_per_lane;
  const auto width =
      static_cast<std::uint64_t>(sm_.shared_memory.banks * sm_.shared_memory.bank_width_bytes);
  const std::uint64_t least = std::max<std::uint64_t>(1, (bytes + width - 1) / width);
  counters_.bank_conflicts += passes > least ? passes - least : 0;
  // Words that several lanes ask for are moved once.
  (in.op == WarpOpcode::kStoreShared ? counters_.shared_write_bytes
                                     : counters_.shared_read_bytes) +=
      std::min(bytes, passes * width);
  const std::uint64_t start = TakeMemoryPipe(w, passes);
  Write(w, in, start + passes - 1 + static_cast<std::uint64_t>(sm_.shared_memory.latency_cycles),
        IssueSlot::kShortScoreboard);
}

/// Over the network between the SMs of a cluster, past the L1; of a CTA that is measured alone, the
/// other SM is taken to be free.
void SmCycle::PeerAccess(Warp* w, const WarpInstruction& in) {
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  const std::uint64_t bytes = std::uint64_t{Lanes(*w, in)} * access.bytes_per_lane;
  const auto width = static_cast<std::uint64_t>(sm_.l1.fill_bytes_per_cycle);
  const std::uint64_t passes = std::max<std::uint64_t>(1, (bytes + width - 1) / width);
  counters_.shared_read_bytes += bytes;
  const std::uint64_t start = TakeMemoryPipe(w, 1);
  if (cluster_ != nullptr) {
    const ClusterMember at = ctas_[w->cta].work.at;
    Write(w, in, cluster_->LoadPeer(at, start, static_cast<std::int64_t>(bytes)),
          IssueSlot::kLongScoreboard);
    return;
  }
  peers_free_ = std::max(peers_free_, start) + passes;
  Write(w, in, peers_free_ + static_cast<std::uint64_t>(sm_.peer_latency_cycles),
        IssueSlot::kLongScoreboard);
}

void SmCycle::TouchedLines(const Warp& w, const WarpInstruction& in,
                           std::vector<TouchedLine>* lines) {
  const WarpAccess& access = ProgramOf(w).accesses[in.access];
  const auto pass = static_cast<std::size_t>(std::max<std::int16_t>(w.pass, 0));
  // Nothing is loaded ahead past the CTA's own steps.
  const std::int64_t step = w.step + in.ahead;
  if (step >= StepCount(w, pass)) {
    lines->clear();
    return;
  }
  if (program_ == nullptr) {  // a pattern alone: rows far apart, aligned
    Coalesce(
        sm_.l1, access, Lanes(w, in),
        [&](std::int64_t row, std::int64_t byte) {
          return row * (std::int64_t{1} << 20) + access.offset + byte;
        },
        lines);
    return;
  }
  const OperandStream& stream = kernel_.streams[access.stream];
  const GpuTensor& tensor = program_->tensors[stream.tensor];
  const CtaPlace place = PlaceOf(w);
  const StepRange range = StepsOf(w, pass);
  const Rectangle at =
      step < range.count ? RectangleOf(stream, tensor, place, range.first + step) : Rectangle{};
  if (at.rows == 0) {
    lines->clear();
    return;
  }
  const bool moves = access.trip_rows != 0 || access.trip_bytes != 0;
  const std::int64_t trip = moves ? w.trips[loop_ids_[w.role][w.pc]] : 0;
  const std::int64_t row0 = access.row + access.warp_rows * w.in_role + trip * access.trip_rows;
  const std::int64_t stride = access.row_stride > 0 ? access.row_stride : 1;
  Coalesce(
      sm_.l1, access, Lanes(w, in),
      [&](std::int64_t r, std::int64_t in_row) -> std::int64_t {
        std::int64_t row = row0 + r * stride;
        std::int64_t byte =
            access.offset + access.warp_bytes * w.in_role + trip * access.trip_bytes + in_row;
        if (access.wraps) {
          row += byte / stream.row_bytes;
          byte %= stream.row_bytes;
        }
        // What lies outside of the tensor is not asked for.
        if (row >= at.rows || byte >= at.bytes) return -1;
        return tensor.address + (at.row + row) * tensor.row_bytes + at.byte + byte;
      },
      lines);
}

std::uint64_t SmCycle::MovePastL1(const std::vector<TouchedLine>& lines, std::uint64_t cycle) {
  std::uint64_t ready = cycle;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ready = std::max(ready, memory_.Read(cycle + i, lines[i]));
  }
  return ready;
}

/// Passes over the banks in which the data of a global access leaves or enters the SM: 128 bytes at
/// most in each, and one of the sectors that lie in the same banks of their lines. Copies of 16
/// bytes a lane (cp.async.cg) go past the lines.
std::uint64_t SmCycle::DataPasses(const WarpInstruction& in, const WarpAccess& access,
                                  std::uint64_t bytes) const {
  const auto width =
      static_cast<std::uint64_t>(sm_.shared_memory.banks * sm_.shared_memory.bank_width_bytes);
  std::uint64_t passes = std::max<std::uint64_t>(1, (bytes + width - 1) / width);
  if (in.op == WarpOpcode::kAsyncCopy && access.bytes_per_lane >= 16) return passes;
  if (touched_.size() <= passes) return passes;
  std::array<std::uint64_t, 32> lines_of_sector{};
  for (const TouchedLine& line : touched_) {
    for (std::uint32_t left = line.sectors; left != 0; left &= left - 1) {
      passes = std::max(passes, ++lines_of_sector[static_cast<std::size_t>(__builtin_ctz(left))]);
    }
  }
  return passes;
}

/// Line by line, up to one that finds no free miss register; returns whether it is done.
bool SmCycle::LoadThroughL1(Warp* w, const WarpInstruction& in, std::uint64_t cycle) {
  PartialLoad& load = w->load;
  load.ready = std::max(load.ready, cycle + static_cast<std::uint64_t>(sm_.l1.latency_cycles));
  for (; load.line < touched_.size(); ++load.line) {
    TouchedLine line = touched_[load.line];
    if (load.sectors != 0) line.sectors = load.sectors;
    const L1Cache::Result r = l1_.Load(cycle++, line, memory_);
    load.ready = std::max(load.ready, r.ready);
    counters_.l1_hits += r.hits;
    counters_.l1_misses += r.misses;
    load.sectors = r.left;
    if (r.left != 0) {
      miss_retry_ = std::max(r.retry, now_ + 1);
      return false;
    }
  }
  Write(w, in, load.ready, IssueSlot::kLongScoreboard);
  load = {};
  return true;
}

/// Loads wait in the order in which they came. A warp goes on once its own has got all registers.
void SmCycle::ServeMissQueue() {
  while (!miss_queue_.empty()) {
    const std::uint32_t index = miss_queue_.front();
    Warp& w = warps_[index];
    TouchedLines(w, Next(w), &touched_);
    if (!LoadThroughL1(&w, Next(w), now_)) return;
    miss_queue_.pop_front();
    w.issue_after = now_ + 1;
    ++w.pc;
    Prepare(index);
  }
}

/// Returns whether the warp goes on; else its load waits for miss registers.
bool SmCycle::GlobalAccess(std::uint32_t index, const WarpInstruction& in) {
  Warp* w = &warps_[index];
  TouchedLines(*w, in, &touched_);
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  // One tag a cycle; beside it, data passes the banks, which that of an asynchronous copy does when
  // it arrives.
  const std::uint64_t bytes = std::uint64_t{Lanes(*w, in)} * access.bytes_per_lane;
  const std::uint64_t passes = DataPasses(in, access, bytes);
  std::uint64_t start = std::max(TakeMemoryPipe(w, passes), tags_free_);
  tags_free_ = start + std::max<std::uint64_t>(1, touched_.size());
  switch (in.op) {
    case WarpOpcode::kAsyncCopy:
      counters_.shared_write_bytes += bytes;
      w->open_copies = std::max(w->open_copies, MovePastL1(touched_, start) + passes);
      break;
    case WarpOpcode::kLoadGlobal: {
      if (!access.past_l1) {
        if (miss_queue_.empty() && LoadThroughL1(w, in, start)) break;
        miss_queue_.push_back(index);
        w->ready_at = kBlocked;
        w->reason = IssueSlot::kMemoryPipeThrottle;
        return false;
      }
      const std::uint64_t ready = start + static_cast<std::uint64_t>(sm_.l1.latency_cycles);
      Write(w, in, std::max(ready, MovePastL1(touched_, start)), IssueSlot::kLongScoreboard);
      break;
    }
    case WarpOpcode::kAtomic: {
      std::uint64_t ready = start;
      const std::int64_t on_one_address = access.lane_stride < 0 ? Lanes(*w, in) : 1;
      for (const TouchedLine& line : touched_) {
        ready = std::max(ready, memory_.Atomic(start++, line, on_one_address));
      }
      Write(w, in, ready, IssueSlot::kLongScoreboard);
      break;
    }
    default:
      for (const TouchedLine& line : touched_) {
        l1_.Store(start++, line, memory_);
        counters_.l1_stores += static_cast<std::uint64_t>(__builtin_popcount(line.sectors));
      }
      break;
  }
  return true;
}

void SmCycle::BulkLines(const Warp& w, const WarpInstruction& in,
                        std::vector<TouchedLine>* lines) const {
  const WarpAccess& access = ProgramOf(w).accesses[in.access];
  lines->clear();
  if (program_ == nullptr) {
    for (std::int64_t b = 0; b < access.bulk_bytes; b += sm_.l1.line_bytes) {
      lines->push_back({b, 0xf});
    }
    return;
  }
  const OperandStream& stream = kernel_.streams[access.stream];
  const GpuTensor& tensor = program_->tensors[stream.tensor];
  const CtaPlace place = PlaceOf(w);
  const auto pass = static_cast<std::size_t>(std::max<std::int16_t>(w.pass, 0));
  const StepRange range = StepsOf(w, pass);
  const Rectangle at =
      InLines(RectangleOf(stream, tensor, place, range.first + w.step + in.ahead), tensor);
  for (std::int64_t r = 0; r < at.rows; ++r) {
    const std::int64_t begin = tensor.address + (at.row + r) * LineRowBytes(tensor) + at.byte;
    for (std::int64_t b = begin / 128 * 128; b < begin + at.bytes; b += 128) {
      lines->push_back({b, 0xf});
    }
  }
}

/// This member's part of an operand that the cluster shares, to all that need it; the others'
/// parts come from them.
void SmCycle::CopyToCluster(const Cta& cta, const OperandStream& stream, std::size_t ring,
                            std::size_t stage, std::uint64_t cycle) {
  std::vector<std::uint32_t> receivers;
  std::size_t own = 0;
  for (std::uint32_t m = 0; m < static_cast<std::uint32_t>(grid_.members()); ++m) {
    if (m == cta.work.at.member) own = receivers.size();
    if (m == cta.work.at.member || grid_.Shares(stream, cta.work.at.member, m)) {
      receivers.push_back(m);
    }
  }
  std::vector<std::uint64_t> ready(receivers.size(), cycle);
  const auto latency = static_cast<std::uint64_t>(sm_.bulk_latency_cycles);
  const std::size_t first = own * touched_.size() / receivers.size();
  const std::size_t last = (own + 1) * touched_.size() / receivers.size();
  for (std::size_t i = first; i < last; ++i) {
    cluster_->Multicast(cta.work.at, receivers, cycle++, touched_[i], &ready);
  }
  bulk_free_ = cycle;
  for (std::size_t r = 0; r < receivers.size(); ++r) {
    cluster_->Arrive({cta.work.at.cluster, receivers[r]}, ring, stage, ready[r] + latency);
  }
}

/// When the copy engine knows the shape of the tensor: its descriptor is a constant of 128 bytes
/// behind the parameters.
std::uint64_t SmCycle::DescriptorOf(const WarpAccess& access) {
  constexpr std::int64_t kDescriptors = 1024, kDescriptorBytes = 128;
  const std::int64_t stream = access.stream == kNoStream ? 0 : access.stream;
  const auto hit = static_cast<std::uint64_t>(sm_.constant_cache.l1_latency_cycles);
  return constants_.Read(now_, kDescriptors + kDescriptorBytes * stream) - hit;
}

void SmCycle::BulkCopy(Warp* w, const WarpInstruction& in) {
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  BulkLines(*w, in, &touched_);
  std::uint64_t cycle = std::max(DescriptorOf(access), std::max(now_, bulk_free_)) +
                        static_cast<std::uint64_t>(sm_.bulk_issue_cycles);
  // Whole lines are written past the memory pipe: products that read 128 bytes a cycle keep their
  // rate while copies arrive (m64n256k16 reaches its peak with both operands in shared memory).
  counters_.shared_write_bytes += static_cast<std::uint64_t>(access.bulk_bytes);
  const auto ring = static_cast<std::size_t>(in.operand);
  Cta& cta = ctas_[w->cta];
  MbarrierUse& use = w->mbarriers[ring];
  const auto stage = static_cast<std::size_t>(use.copies++ / kernel_.mbarriers[ring].arrivals %
                                              kernel_.mbarriers[ring].stages);
  w->issue_after = now_ + static_cast<std::uint64_t>(sm_.bulk_issue_cycles);
  if (cluster_ != nullptr) {
    CopyToCluster(cta, kernel_.streams[access.stream], ring, stage, cycle);
    return;
  }
  std::uint64_t ready = cycle;
  for (const TouchedLine& line : touched_) ready = std::max(ready, memory_.Read(cycle++, line));
  bulk_free_ = cycle;
  Mbarrier& m = cta.mbarriers[ring][stage];
  ++m.arrived;
  m.ready = std::max(m.ready, ready + static_cast<std::uint64_t>(sm_.bulk_latency_cycles));
  CheckPhase(&cta, ring, stage);
}

/// One warp's thread has the copy engine write a rectangle from shared memory; nothing waits for
/// it.
void SmCycle::BulkStore(const Warp& w, const WarpInstruction& in) {
  subcores_[w.subcore].pipe_free[kUniform] = now_ + 1;
  if (Lanes(w, in) == 0 || program_ == nullptr) return;
  BulkLines(w, in, &touched_);
  std::uint64_t cycle =
      std::max(now_, bulk_free_) + static_cast<std::uint64_t>(sm_.bulk_issue_cycles);
  for (const TouchedLine& line : touched_) memory_.Write(cycle++, line);
  bulk_free_ = cycle;
}

}  // namespace siliscope
