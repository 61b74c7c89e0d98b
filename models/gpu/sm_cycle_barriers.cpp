// SPDX-License-Identifier: Apache-2.0
// Barriers of a CTA and mbarriers of an SM at cycle zoom.
#include <algorithm>

#include "models/gpu/sm_cycle.h"

namespace siliscope {

void SmCycle::CheckPhase(Cta* cta, std::size_t ring, std::size_t stage) {
  Mbarrier& m = cta->mbarriers[ring][stage];
  if (m.arrived < Arrivals(ring)) return;
  m.arrived = 0;
  m.phases.push_back(std::max(m.ready, now_) + static_cast<std::uint64_t>(sm_.mbarrier_cycles));
  m.ready = 0;
  for (std::size_t i = 0; i < m.waiting.size();) {
    const auto [warp, phase] = m.waiting[i];
    if (static_cast<std::size_t>(phase) >= m.phases.size()) {
      ++i;
      continue;
    }
    m.waiting.erase(m.waiting.begin() + static_cast<std::ptrdiff_t>(i));
    ++warps_[warp].pc;
    Wake(warp, m.phases[static_cast<std::size_t>(phase)]);
    warps_[warp].reason = IssueSlot::kBarrier;
  }
}

void SmCycle::Arrive(Warp* w, const WarpInstruction& in) {
  const auto ring = static_cast<std::size_t>(in.operand);
  const std::int64_t n = w->mbarriers[ring].arrivals++ - kernel_.mbarriers[ring].void_arrivals;
  if (n < 0) return;
  const auto stage = static_cast<std::size_t>(n % kernel_.mbarriers[ring].stages);
  Cta& cta = ctas_[w->cta];
  if (cluster_ == nullptr) {
    ++cta.mbarriers[ring][stage].arrived;
    CheckPhase(&cta, ring, stage);
    return;
  }
  // All that write to this member's stage learn that it is free.
  const ClusterMember at = cta.work.at;
  for (std::uint32_t m = 0; m < static_cast<std::uint32_t>(grid_.members()); ++m) {
    const bool sends = m == at.member || std::any_of(kernel_.streams.begin(), kernel_.streams.end(),
                                                     [&](const OperandStream& stream) {
                                                       return grid_.Shares(stream, m, at.member);
                                                     });
    if (!sends) continue;
    const std::uint64_t way =
        m == at.member ? 0 : static_cast<std::uint64_t>(sm_.peer_latency_cycles / 2);
    cluster_->Arrive({at.cluster, m}, ring, stage, now_ + way);
  }
}

void SmCycle::ArriveFromPeer(std::uint32_t slot, std::size_t ring, std::size_t stage,
                             std::uint64_t ready) {
  Cta& cta = ctas_[slot];
  Mbarrier& m = cta.mbarriers[ring][stage];
  ++m.arrived;
  m.ready = std::max(m.ready, ready);
  CheckPhase(&cta, ring, stage);
}

bool SmCycle::WaitForPhase(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  const auto ring = static_cast<std::size_t>(in.operand);
  const std::int64_t stages = kernel_.mbarriers[ring].stages;
  const std::int64_t n = w.mbarriers[ring].waits++;
  Mbarrier& m = ctas_[w.cta].mbarriers[ring][static_cast<std::size_t>(n % stages)];
  const std::int64_t phase = n / stages;
  if (static_cast<std::size_t>(phase) < m.phases.size()) {
    w.issue_after = std::max(w.issue_after, m.phases[static_cast<std::size_t>(phase)]);
    return true;
  }
  m.waiting.emplace_back(index, phase);
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  return false;
}

/// `cycles`: from the last arrival to the next instruction.
void SmCycle::AtBarrier(std::uint32_t index, const WarpInstruction& in, std::int64_t cycles) {
  Warp& w = warps_[index];
  Cta& cta = ctas_[w.cta];
  Barrier& barrier = cta.barriers[static_cast<std::size_t>(in.operand) % cta.barriers.size()];
  const std::int64_t expected = in.trips > 0 ? in.trips : static_cast<std::int64_t>(kernel_.warps);
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  barrier.waiting.push_back(index);
  if (++barrier.arrived < expected) return;
  barrier.arrived = 0;
  std::vector<std::uint32_t> waiting;
  waiting.swap(barrier.waiting);
  for (const std::uint32_t other : waiting) {
    ++warps_[other].pc;
    Wake(other, now_ + static_cast<std::uint64_t>(cycles));
  }
}

void SmCycle::AtClusterBarrier(std::uint32_t index, const WarpInstruction& in) {
  if (cluster_ == nullptr) {  // of a CTA that is measured alone, the others are there
    const std::int64_t way = grid_.members() > 1 ? sm_.peer_latency_cycles / 2 : 0;
    AtBarrier(index, in, sm_.barrier_cycles + way);
    return;
  }
  Warp& w = warps_[index];
  Cta& cta = ctas_[w.cta];
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  cta.at_cluster_barrier.push_back(index);
  if (static_cast<std::int64_t>(cta.at_cluster_barrier.size()) < in.trips) return;
  cluster_->ArriveAtBarrier(cta.work.at, now_);
}

void SmCycle::PassClusterBarrier(std::uint32_t slot, std::uint64_t cycle) {
  std::vector<std::uint32_t> waiting;
  waiting.swap(ctas_[slot].at_cluster_barrier);
  for (const std::uint32_t warp : waiting) {
    ++warps_[warp].pc;
    Wake(warp, std::max(now_, cycle) + static_cast<std::uint64_t>(sm_.barrier_cycles));
  }
}

}  // namespace siliscope
