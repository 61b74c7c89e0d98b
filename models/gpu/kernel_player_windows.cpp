// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "models/gpu/kernel_player.h"

namespace siliscope {
namespace {

/// Whether as much comes in two stretches, within a share of what is read.
bool Alike(const L2Arrivals& a, const L2Arrivals& b) {
  constexpr double kEqual = 0.02;
  const double most = kEqual * static_cast<double>(a.read);
  const auto near = [most](std::int64_t x, std::int64_t y) {
    return std::abs(static_cast<double>(x - y)) <= most;
  };
  return near(a.from_memory, b.from_memory) && near(a.over_link, b.over_link) &&
         near(a.memory_written, b.memory_written);
}

}  // namespace

/// A grid of very many CTAs repeats itself: once two windows took the same time, windows are
/// skipped and their time, bytes and causes are those of the last. Grids of fewer windows are
/// played whole.
void KernelPlayer::WatchWindows() {
  constexpr Tick kShortest = 25'000'000;  // many refreshes of the memory
  constexpr double kEqual = 0.01;
  // CTAs end in bursts, so a window ends when on average those that were resident did.
  const Tick now = window_origin_ + ended_sum_ / static_cast<Tick>(resident_);
  const Tick length = now - window_begin_;
  const bool had_one = window_begin_ != 0;
  if (had_one && length < kShortest) window_ *= 2;
  const bool equal =
      had_one && length >= kShortest && window_length_ > 0 &&
      std::abs(static_cast<double>(length) / static_cast<double>(window_length_) - 1) < kEqual;
  const std::int64_t left = groups_in_grid_ - started_;
  if (equal && !kernel_.persistent && owner_.Alone(launch_) && left > 3 * window_) {
    const std::int64_t windows = left / window_ - 2;
    owner_.SkipWindows(windows, (length + window_length_) / 2, launch_);
    started_ += windows * window_;
    window_end_ = groups_in_grid_ + 1;
    return;
  }
  window_length_ = had_one && length >= kShortest ? length : 0;
  window_begin_ = now;
  window_origin_ = events_.now();
  ended_sum_ = 0;
  window_end_ = completed_ + window_;
  owner_.BeginWindow(launch_);
}

/// Whether the steps of the main loop repeat each other long enough to be watched. What very many
/// CTAs do is skipped by whole CTAs.
bool KernelPlayer::RepeatsSteps() const {
  constexpr std::int64_t kLeastStretches = 6, kMostWaves = 12;
  const KernelPass& pass = kernel_.passes.front();
  return pass.Loads() && pass.stores.empty() && !pass.through_l1 && !stream_k_.any() &&
         (pass.ring > 1 || pass.through_registers) &&
         pass.steps >= kLeastStretches * stretch_steps_ && tiles_ <= kMostWaves * resident_;
}

void KernelPlayer::BeginStretch() {
  stepped_ = 0;
  stretch_begin_ = events_.now();
  for (Group& g : groups_) g.stretch_step = g.step;
  owner_.BeginWindow(launch_);
}

/// While all resident CTAs are in their main loops these repeat themselves: once two stretches of
/// steps took the same time, further ones are skipped, and their time, bytes and causes are those
/// of the last. Their loads go through the cache's lines all the same.
void KernelPlayer::WatchSteps() {
  constexpr Tick kShortest = 4'000'000;
  constexpr double kEqual = 0.02;
  if (++stepped_ < running_ * stretch_steps_) return;
  const Tick length = events_.now() - stretch_begin_;
  const bool equal =
      stretch_length_ > 0 &&
      std::abs(static_cast<double>(length) / static_cast<double>(stretch_length_) - 1) < kEqual;
  if (length < kShortest) {
    stretch_steps_ *= 2;
    stretch_length_ = 0;
  } else {
    stretch_length_ = length;
  }
  if (equal && owner_.Alone(launch_)) SkipStretches(length);
  BeginStretch();
}

/// Stretches that all resident CTAs have before them, but for the last; 0 where one isn't in its
/// main loop, or they don't go side by side: where some are faster, few run at the end.
std::int64_t KernelPlayer::StretchesLeft() const {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for (const Group& g : groups_) {
    if (!g.active) continue;
    const Ring& ring = g.rings[0];
    if (g.pass != 0 || g.steps == 0 || ring.load.tile != g.tile) return 0;
    if (std::abs(g.step - g.stretch_step - stretch_steps_) > 1) return 0;
    least = std::min(least, g.steps - ring.load.step);
  }
  return std::max<std::int64_t>(0, least / stretch_steps_ - 1);
}

/// Skips stretches of `length`; the first in which more or less comes than in the one that was
/// played is the last.
void KernelPlayer::SkipStretches(Tick length) {
  const L2Arrivals played = owner_.ArrivedInWindow(launch_);
  const std::int64_t left = StretchesLeft();
  L2Arrivals all;
  std::int64_t skipped = 0;
  for (bool alike = true; alike && skipped < left; ++skipped) {
    L2Arrivals came;
    for (Group& g : groups_) {
      if (!g.active) continue;
      came.Add(FollowSteps(g, g.rings[0].load.step, stretch_steps_));
      g.step += stretch_steps_;
      g.rings[0].load.step += stretch_steps_;
    }
    all.Add(came);
    alike = Alike(played, came);
  }
  if (skipped == 0) return;
  const Tick time = static_cast<Tick>(skipped) * length;
  for (Group& g : groups_) g.begin -= time;
  owner_.SkipSteps(skipped, length, launch_, all);
}

}  // namespace siliscope
