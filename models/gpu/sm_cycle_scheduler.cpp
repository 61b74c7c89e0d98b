// SPDX-License-Identifier: Apache-2.0
// Which warp of a sub-core issues next, and what holds the others.
#include <algorithm>

#include "models/gpu/sm_cycle.h"

namespace siliscope {

void SmCycle::Account(Subcore* s, IssueSlot until_now) {
  if (now_ > s->accounted) {
    counters_.slots[static_cast<std::size_t>(until_now)] += now_ - s->accounted;
  }
  s->accounted = now_;
}

void SmCycle::Visit(std::size_t subcore) {
  Subcore& s = subcores_[subcore];
  Account(&s, s.reason);
  std::uint64_t next = kBlocked;
  const std::uint32_t warp = Pick(s, &next, &s.reason);
  if (warp == kNone32) {
    if (s.warps.empty()) s.reason = IssueSlot::kNoWarp;
    s.next_try = next;
    return;
  }
  const std::uint32_t before = warps_[warp].pc;
  most_issued_ > 0 ? IssueAndKeep(warp) : Issue(warp);
  if (sm_.dual_issue) {
    // A second instruction of the same warp, where nothing but the issue slot holds it up.
    const Warp& w = warps_[warp];
    const bool free = w.active && w.pc == before + 1 && w.ready_at == now_ + 1;
    if (free && w.pipe != kControl && s.pipe_free[w.pipe] <= now_)
      most_issued_ > 0 ? IssueAndKeep(warp) : Issue(warp);
  }
  s.last = warp;
  ++now_;  // the slot of this cycle is spent
  Account(&s, IssueSlot::kSelected);
  --now_;
  s.reason = IssueSlot::kWait;
  s.next_try = now_ + 1;
}

void SmCycle::IssueAndKeep(std::uint32_t warp) {
  const Warp& w = warps_[warp];
  Issued issued{now_, 0, warp, w.subcore, Next(w).op, w.pipe};
  Issue(warp);
  issued.pipe_free = std::max(now_ + 1, subcores_[issued.subcore].pipe_free[issued.pipe]);
  issued_.push_back(issued);
  if (issued_.size() == most_issued_) most_issued_ = 0;
}

const char* SmCycle::PipeName(std::uint8_t pipe) {
  static constexpr const char* kNames[kPipes] = {
      "fp32",    "fp16",   "fp64",   "integer", "special function",
      "uniform", "tensor", "memory", "control"};
  return kNames[pipe];
}

bool SmCycle::Eligible(const Subcore& s, std::uint32_t warp, std::uint64_t* when) const {
  const Warp& w = warps_[warp];
  if (w.ready_at == kBlocked || !MayIssue(warp)) return false;
  *when = std::max(w.ready_at, s.pipe_free[w.pipe]);
  return true;
}

std::uint32_t SmCycle::Pick(const Subcore& s, std::uint64_t* next, IssueSlot* reason) const {
  std::uint32_t chosen = kNone32;
  IssueSlot why = IssueSlot::kNoWarp;
  bool past_last = false;
  std::uint32_t wrapped = kNone32, outside = kNone32;
  // Two levels: the group of the warp that issued last goes on until none of it can.
  constexpr std::size_t kGroup = 4;
  std::size_t group = 0;
  for (std::size_t i = 0; i < s.warps.size(); ++i) {
    if (s.warps[i] == s.last) group = i / kGroup;
  }
  for (std::size_t i = 0; i < s.warps.size(); ++i) {
    const std::uint32_t index = s.warps[i];
    std::uint64_t when = kBlocked;
    const bool known = Eligible(s, index, &when);
    if (known && when <= now_) {
      switch (sm_.scheduler) {
        case WarpScheduler::kGreedyThenOldest:
          if (chosen == kNone32 || index == s.last) chosen = index;
          break;
        case WarpScheduler::kTwoLevel:
          if (i / kGroup != group) {
            if (outside == kNone32) outside = index;
            break;
          }
          [[fallthrough]];
        case WarpScheduler::kLooseRoundRobin:
          if (past_last && chosen == kNone32) chosen = index;
          if (wrapped == kNone32) wrapped = index;
          break;
      }
    } else if (when < *next) {
      *next = when;
      const Warp& w = warps_[index];
      why = w.ready_at < when ? (w.pipe == kMemory ? IssueSlot::kMemoryPipeThrottle
                                                   : IssueSlot::kMathPipeThrottle)
                              : w.reason;
    } else if (!known && why == IssueSlot::kNoWarp) {
      why = warps_[index].reason;
    }
    if (index == s.last) past_last = true;
  }
  if (chosen == kNone32) chosen = wrapped;
  if (chosen == kNone32) chosen = outside;
  *reason = why;
  return chosen;
}

}  // namespace siliscope
