// SPDX-License-Identifier: Apache-2.0
// Stream-K: CTAs share the steps of all tiles evenly, so that there is no partial wave; tiles that
// several of them have worked on are put together by the one that had the first step.
// Source: Osama et al., "Stream-K: Work-centric Parallel Decomposition for Dense Matrix-Matrix
// Multiplication on the GPU", PPoPP 2023, section 4.
#include <algorithm>

#include "models/gpu/kernel_player.h"

namespace siliscope {

/// Of all tiles' steps, the first of the CTA that starts as the `number`-th.
std::int64_t KernelPlayer::FirstStepOf(std::int64_t number) const {
  return number * tiles_ * kernel_.passes.front().steps / groups_in_grid_;
}

/// The CTA that has the tile's last step.
std::int64_t KernelPlayer::LastOf(std::int64_t tile) const {
  const std::int64_t steps = kernel_.passes.front().steps;
  const std::int64_t step = (tile + 1) * steps - 1;
  std::int64_t number = step * groups_in_grid_ / (tiles_ * steps);
  while (FirstStepOf(number + 1) <= step) ++number;
  while (FirstStepOf(number) > step) --number;
  return number;
}

/// The steps of a tile that are a CTA's.
StepRange KernelPlayer::ShareOf(const Group& g, std::int64_t tile) const {
  const std::int64_t steps = kernel_.passes.front().steps;
  const std::int64_t first = std::max<std::int64_t>(0, FirstStepOf(g.number) - tile * steps);
  const std::int64_t last = std::min(steps, FirstStepOf(g.number + 1) - tile * steps);
  return {first, std::max<std::int64_t>(0, last - first)};
}

std::int64_t KernelPlayer::StreamKSteps(const Group& g, std::size_t pass, std::int64_t tile) const {
  const std::int64_t steps = kernel_.passes[pass].steps;
  return pass == kAddSums ? steps * (LastOf(tile) - g.number) : steps;
}

/// Whose partial sums a step stores or loads.
std::int64_t KernelPlayer::SlotOf(const Group& g, std::size_t pass, std::int64_t step) const {
  if (pass != kAddSums) return g.number;
  return g.number + 1 + step / kernel_.passes[kAddSums].steps;
}

/// A CTA has done its share of a tile.
void KernelPlayer::AfterShare(std::uint32_t group) {
  Group& g = groups_[group];
  const StepRange share = ShareOf(g, g.tile);
  const std::int64_t steps = kernel_.passes.front().steps;
  for (const std::uint32_t s : g.sms) {
    sms_[s]->AddFlops(2 * kernel_.macs_per_cta * kernel_.useful_share *
                      static_cast<double>(share.count) / static_cast<double>(steps));
  }
  if (share.first > 0) {
    g.pass = kStoreSums;
  } else if (share.count == steps) {
    g.pass = kResults;
  } else {
    g.pass = kAddSums;
    const std::int64_t others = LastOf(g.tile) - g.number;
    g.waits_for_sums = sums_stored_[static_cast<std::size_t>(g.tile)] < others;
    if (g.waits_for_sums) return;
  }
  BeginPass(group);
}

/// Another CTA's sums of a tile are in L2; its owner sees that after a round trip.
void KernelPlayer::SumsStored(std::int64_t tile) {
  const std::int64_t stored = ++sums_stored_[static_cast<std::size_t>(tile)];
  for (std::uint32_t i = 0; i < groups_.size(); ++i) {
    Group& g = groups_[i];
    if (!g.active || !g.waits_for_sums || g.tile != tile) continue;
    if (stored < LastOf(tile) - g.number) return;
    g.waits_for_sums = false;
    const Tick seen =
        events_.now() + clock_.Cycles(static_cast<std::uint64_t>(gpu_.l2.far_latency_cycles));
    events_.Schedule(seen, &Call<&KernelPlayer::BeginPass>, this, i);
    return;
  }
}

}  // namespace siliscope
