// SPDX-License-Identifier: Apache-2.0
// Branches at which the lanes of a warp part, and where they come together again.
//
// Sources: the stack, Fung et al., MICRO 2007, section 2; independent threads, Volta whitepaper
// (2017), "Independent Thread Scheduling"; compaction, Fung and Aamodt, HPCA 2011.
#include <algorithm>

#include "models/gpu/sm_cycle.h"

namespace siliscope {

void SmCycle::GoTo(std::uint32_t index, std::uint32_t pc) {
  Warp& w = warps_[index];
  w.pc = pc;
  w.issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
  Prepare(index);
}

/// Which of the active lanes go on, as bits: by chance, but the same in every run.
std::uint32_t SmCycle::DecideLanes(Warp* w, const WarpInstruction& in) const {
  const CtaPlace place = PlaceOf(*w);
  const auto warp = static_cast<std::uint64_t>(place.i * 65537 + place.j * 257 + w->in_role);
  std::uint64_t random = (warp << 20) + ++w->decisions;
  std::uint32_t on = 0;
  for (std::uint32_t lane = 0; lane < w->lanes; ++lane) {
    random += 0x9e3779b97f4a7c15ULL;  // SplitMix64
    std::uint64_t z = random;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    if (static_cast<std::int32_t>((z ^ (z >> 31)) % 1000) < in.trips) on |= 1U << lane;
  }
  return on;
}

/// Paths of equal length and lanes: a switch over the lane's number.
void SmCycle::Diverge(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  const auto lanes = static_cast<std::uint8_t>(std::max(1, w.lanes / in.operand));
  const std::uint32_t body = w.pc + 1;
  Branch branch;
  branch.next = body;
  branch.lanes = lanes;
  branch.before = w.lanes;
  const bool beside = sm_.divergence == Divergence::kIndependent;
  (beside ? branch.open : branch.left) = in.operand - 1;
  w.branches.push_back(branch);
  w.lanes = lanes;
  if (beside) {
    for (std::int32_t i = 1; i < in.operand; ++i) StartPath(index, body, lanes);
  }
  ++warps_[index].pc;
  Prepare(index);
}

void SmCycle::TakeBranch(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  const std::uint32_t on = DecideLanes(&w, in);
  if (sm_.divergence == Divergence::kCompaction && w.branches.empty()) {
    GatherAtBranch(index, in, on);
    return;
  }
  const std::int64_t count = __builtin_popcount(on);
  Part(index, count, w.lanes - count, static_cast<std::uint32_t>(in.operand));
}

/// `on` lanes go on, `off` to the other path; where there are none of one kind it isn't run.
void SmCycle::Part(std::uint32_t index, std::int64_t on, std::int64_t off, std::uint32_t else_pc) {
  Branch branch;
  branch.next = else_pc;
  branch.lanes = static_cast<std::uint8_t>(off);
  branch.before = warps_[index].lanes;
  const bool both = on > 0 && off > 0;
  const bool beside = both && sm_.divergence == Divergence::kIndependent;
  if (both) (beside ? branch.open : branch.left) = 1;
  warps_[index].branches.push_back(branch);
  if (beside) StartPath(index, else_pc, branch.lanes);
  Warp& w = warps_[index];
  w.lanes = static_cast<std::uint8_t>(on > 0 ? on : off);
  GoTo(index, on > 0 ? w.pc + 1 : else_pc);
}

/// A path of its own beside its warp's: it shares the warp's turn to issue.
void SmCycle::StartPath(std::uint32_t index, std::uint32_t pc, std::uint8_t lanes) {
  const std::uint32_t path = FreeWarp();
  Warp& w = warps_[index];
  if (w.team == kNone32) {
    w.team = static_cast<std::uint32_t>(teams_.size());
    teams_.push_back({{index}, index});
  }
  teams_[w.team].paths.push_back(path);
  Warp& p = warps_[path];
  p = w;
  p.branches.clear();
  p.parent = index;
  p.parent_branch = w.branches.size() - 1;
  p.lanes = lanes;
  p.pc = pc;
  p.issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
  subcores_[p.subcore].warps.push_back(path);
  Prepare(path);
}

void SmCycle::EndPath(std::uint32_t path) {
  Warp& p = warps_[path];
  const std::uint32_t parent = p.parent, team = p.team;
  p.active = false;
  p.ready_at = kBlocked;
  p.team = kNone32;
  std::vector<std::uint32_t>& in_subcore = subcores_[p.subcore].warps;
  in_subcore.erase(std::find(in_subcore.begin(), in_subcore.end(), path));
  std::vector<std::uint32_t>& paths = teams_[team].paths;
  paths.erase(std::find(paths.begin(), paths.end(), path));
  if (teams_[team].running == path) teams_[team].running = kNone32;
  free_warps_.push_back(path);
  Warp& w = warps_[parent];
  Branch& branch = w.branches[p.parent_branch];
  if (--branch.open == 0 && w.waits_for_paths && &branch == &w.branches.back()) {
    w.waits_for_paths = false;
    w.issue_after = std::max(w.issue_after, now_ + 1);
    Prepare(parent);
  }
  Elect(team);
}

/// One path of a warp runs until it waits for memory or for others; then the one that can go on
/// first.
void SmCycle::Elect(std::uint32_t team) {
  Team& t = teams_[team];
  std::uint64_t when = kBlocked;
  if (t.running != kNone32) {
    const Warp& running = warps_[t.running];
    when = running.ready_at;
    const bool waits =
        when == kBlocked || (when > now_ + 1 && running.reason == IssueSlot::kLongScoreboard);
    if (!waits) return;
  }
  std::uint32_t first = t.running;
  const auto turn = static_cast<std::uint64_t>(sm_.branch_cycles);
  for (const std::uint32_t path : t.paths) {
    const std::uint64_t ready = warps_[path].ready_at;
    if (ready == kBlocked) continue;
    const std::uint64_t at = path == t.running ? ready : std::max(ready, now_ + turn);
    if (at < when) first = path, when = at;
  }
  if (first == t.running) return;
  t.running = first;
  Warp& w = warps_[first];
  w.ready_at = std::max(w.ready_at, now_ + turn);
  Subcore& s = subcores_[w.subcore];
  s.next_try = std::min(s.next_try, w.ready_at);
}

void SmCycle::EndOfOn(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  Branch& branch = w.branches.back();
  if (branch.left == 0) {
    GoTo(index, static_cast<std::uint32_t>(in.operand));
    return;
  }
  --branch.left;
  w.lanes = branch.lanes;
  GoTo(index, branch.next);
}

void SmCycle::Reconverge(std::uint32_t index) {
  Warp& w = warps_[index];
  if (w.branches.empty() && w.parent != kNone32) {
    EndPath(index);
    return;
  }
  if (!w.branches.empty()) {
    Branch& branch = w.branches.back();
    if (branch.left > 0) {  // the next path runs the same code
      --branch.left;
      w.lanes = branch.lanes;
      GoTo(index, branch.next);
      return;
    }
    if (branch.open > 0) {
      w.waits_for_paths = true;
      w.ready_at = kBlocked;
      w.reason = IssueSlot::kWait;
      Elect(w.team);
      return;
    }
    const bool gathered = branch.gathered;
    w.lanes = branch.before;
    w.branches.pop_back();
    if (gathered) {
      WarpInstruction all;
      all.operand = 15;  // a barrier of its own
      AtBarrier(index, all, sm_.barrier_cycles);
      return;
    }
  }
  ++w.pc;
  Prepare(index);
}

void SmCycle::GatherAtBranch(std::uint32_t index, const WarpInstruction&, std::uint32_t on) {
  Warp& w = warps_[index];
  Cta& cta = ctas_[w.cta];
  for (std::uint32_t lane = 0; lane < w.lanes; ++lane) {
    ++((on >> lane & 1) != 0 ? cta.gathering.on : cta.gathering.off)[lane];
  }
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  cta.gathering.waiting.push_back(index);
  if (static_cast<std::int64_t>(cta.gathering.waiting.size()) == cta.warps_left) SendGathered(&cta);
}

/// As few warps as can be take a path: each lane keeps its place, so the fullest place decides. The
/// first warps go on, the last take the other path; which is the first differs from CTA to CTA, so
/// that what is spared is spared on all sub-cores.
void SmCycle::SendGathered(Cta* cta) {
  const Gathering gathered = std::exchange(cta->gathering, {});
  const auto lanes = [](const std::array<std::uint16_t, 32>& places, std::size_t n) {
    return std::count_if(places.begin(), places.end(), [n](std::uint16_t of) { return of > n; });
  };
  const std::size_t count = gathered.waiting.size();
  const std::uint64_t turn =
      (static_cast<std::uint64_t>(cta->work.tiles.front().place.i) * 0x9e3779b97f4a7c15ULL) >> 48;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t index = gathered.waiting[(i + turn) % count];
    const std::int64_t on = lanes(gathered.on, i), off = lanes(gathered.off, count - 1 - i);
    const auto else_pc = static_cast<std::uint32_t>(Next(warps_[index]).operand);
    Warp& w = warps_[index];
    w.issue_after = now_ + static_cast<std::uint64_t>(sm_.barrier_cycles);
    if (on == 0 && off == 0) {  // nothing left to do: to where the paths meet
      w.branches.push_back({0, 0, w.lanes, w.lanes, 0, true});
      GoTo(index, static_cast<std::uint32_t>(ProgramOf(w).instructions[else_pc - 1].operand));
      continue;
    }
    Part(index, on, off, else_pc);
    warps_[index].branches.back().gathered = true;
  }
}

}  // namespace siliscope
