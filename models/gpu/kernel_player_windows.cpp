// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "models/gpu/kernel_player.h"

namespace siliscope {

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
  if (equal && !kernel_.persistent && owner_.Alone() && left > 3 * window_) {
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

}  // namespace siliscope
