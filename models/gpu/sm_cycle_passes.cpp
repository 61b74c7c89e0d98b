// SPDX-License-Identifier: Apache-2.0
// Passes of a CTA at cycle zoom: their steps, and sums of tiles that several CTAs have worked on.
#include <algorithm>

#include "models/gpu/sm_cycle.h"

namespace siliscope {

/// Where the warp's tile lies; of a tile that is put together, whose sums it takes.
CtaPlace SmCycle::PlaceOf(const Warp& w) const {
  CtaPlace place = TileOf(w).place;
  if (sums_ != nullptr && w.pass == static_cast<std::int16_t>(StreamK::kAddSums)) ++place.split;
  return place;
}

StepRange SmCycle::StepsOf(const Warp& w, std::size_t pass) const {
  const CtaTile& tile = TileOf(w);
  return tile.passes.empty() ? siliscope::StepsOf(kernel_, kernel_.passes[pass], tile.place)
                             : tile.passes[pass];
}

/// A pass without steps: on to the next, or to the tile's end.
void SmCycle::SkipPass(Warp* w) const {
  const auto& instructions = ProgramOf(*w).instructions;
  const auto ends = [](const WarpInstruction& in) {
    return in.op == WarpOpcode::kPhase || in.op == WarpOpcode::kExit;
  };
  w->pc = static_cast<std::uint32_t>(
      std::find_if(instructions.begin() + w->pc, instructions.end(), ends) - instructions.begin());
}

/// Once all warps of a CTA have stored their sums of a tile, others are told.
void SmCycle::LeavePass(const Warp& w) {
  const auto pass = static_cast<std::size_t>(w.pass);
  if (sums_ == nullptr || pass != StreamK::kStoreSums || StepCount(w, pass) == 0) return;
  Cta& cta = ctas_[w.cta];
  if (++cta.stored_sums < kernel_.warps) return;
  cta.stored_sums = 0;
  sums_->SumsStored(cta.work.at.cluster, w.tile, std::max(now_, w.issue_after));
}

bool SmCycle::AwaitsSums(std::uint32_t index) {
  Warp& w = warps_[index];
  if (sums_ == nullptr || static_cast<std::size_t>(w.pass) != StreamK::kAddSums) return false;
  Cta& cta = ctas_[w.cta];
  if (sums_->SumsAreThere(cta.work.at.cluster, w.tile)) return false;
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  cta.awaiting_sums.push_back(index);
  return true;
}

void SmCycle::PassSums(std::uint32_t slot, std::uint64_t cycle) {
  std::vector<std::uint32_t> waiting;
  waiting.swap(ctas_[slot].awaiting_sums);
  for (const std::uint32_t warp : waiting) Wake(warp, std::max(now_, cycle));
}

}  // namespace siliscope
