// SPDX-License-Identifier: Apache-2.0
#include "models/cpu/turn_estimate.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

constexpr std::size_t kL2 = 0, kFar = 1, kLate = 2;

}  // namespace

void TurnEstimate::Clear() {
  samples_.clear();
  next_ = 0;
}

void TurnEstimate::Learn(const TurnFills& fills, double cycles, double memory_cycles) {
  if (samples_.size() < kMost) {
    samples_.push_back({Of(fills), cycles, memory_cycles});
  } else {
    samples_[next_] = {Of(fills), cycles, memory_cycles};
    next_ = (next_ + 1) % kMost;
  }
  Fit();
  BoundSlopes();
}

/// Where samples hardly differ their noise may say anything, or nothing is known. A line more costs
/// no more than one does with all that a turn takes; where all have brought as many, what they
/// waited is taken to go with them.
void TurnEstimate::BoundSlopes() {
  for (const std::size_t lines : {kL2, kFar}) {
    if (mean_[lines] > 0) slope_[lines] = std::min(slope_[lines], mean_cycles_ / mean_[lines]);
  }
  if (most_[kL2] > least_[kL2] || mean_[kL2] == 0) return;
  double memory_cycles = 0;
  for (const Sample& s : samples_) memory_cycles += s.memory_cycles;
  slope_[kL2] = memory_cycles / static_cast<double>(samples_.size()) / mean_[kL2];
}

/// Slopes that come out negative are taken as zero and the others fitted again, the most negative
/// one first (after Lawson and Hanson, "Solving Least Squares Problems", 1974, chapter 23).
void TurnEstimate::Fit() {
  const auto count = static_cast<double>(samples_.size());
  mean_ = slope_ = {};
  least_ = most_ = samples_.front().x;
  mean_cycles_ = 0;
  undisturbed_cycles_ = samples_.front().cycles;
  for (const Sample& s : samples_) {
    mean_cycles_ += s.cycles / count;
    undisturbed_cycles_ = std::min(undisturbed_cycles_, s.cycles - s.memory_cycles);
    for (std::size_t i = 0; i < kSlopes; ++i) {
      mean_[i] += s.x[i] / count;
      least_[i] = std::min(least_[i], s.x[i]);
      most_[i] = std::max(most_[i], s.x[i]);
    }
  }
  std::array<std::array<double, kSlopes + 1>, kSlopes> products{};  // x'x | x'y, centred
  for (const Sample& s : samples_) {
    for (std::size_t i = 0; i < kSlopes; ++i) {
      for (std::size_t j = 0; j < kSlopes; ++j) {
        products[i][j] += (s.x[i] - mean_[i]) * (s.x[j] - mean_[j]);
      }
      products[i][kSlopes] += (s.x[i] - mean_[i]) * (s.cycles - mean_cycles_);
    }
  }
  std::array<bool, kSlopes> used{};
  for (std::size_t i = 0; i < kSlopes; ++i) used[i] = products[i][i] > 1e-6 * count;
  while (std::any_of(used.begin(), used.end(), [](bool u) { return u; })) {
    auto m = products;
    Vector solved{};
    for (std::size_t i = 0; i < kSlopes; ++i) {
      m[i][i] *= 1 + 1e-3;  // lines that always come together share
      if (!used[i]) {
        for (std::size_t j = 0; j < kSlopes; ++j) m[i][j] = m[j][i] = i == j ? 1 : 0;
        m[i][kSlopes] = 0;
      }
    }
    for (std::size_t i = 0; i < kSlopes; ++i) {
      for (std::size_t r = i + 1; r < kSlopes; ++r) {
        const double factor = m[r][i] / m[i][i];
        for (std::size_t j = i; j <= kSlopes; ++j) m[r][j] -= factor * m[i][j];
      }
    }
    for (std::size_t i = kSlopes; i-- > 0;) {
      solved[i] = m[i][kSlopes];
      for (std::size_t j = i + 1; j < kSlopes; ++j) solved[i] -= m[i][j] * solved[j];
      solved[i] /= m[i][i];
    }
    const auto worst = std::min_element(solved.begin(), solved.end());
    if (*worst >= 0) {
      slope_ = solved;
      return;
    }
    used[static_cast<std::size_t>(worst - solved.begin())] = false;
  }
}

/// The mean of the samples, each moved along the slopes; near ones weigh more.
double TurnEstimate::Cycles(const TurnFills& fills) const {
  Vector x = Of(fills);
  x[kLate] = std::min(x[kLate], most_[kLate]);   // what goes beyond it is not known
  constexpr Vector kLeastApart = {0.5, 2, 0.2};  // cycles by which a line or a cycle tells apart
  double sum = 0, weights = 0;
  for (const Sample& s : samples_) {
    double moved = s.cycles, apart = 0.01 * mean_cycles_;
    for (std::size_t i = 0; i < kSlopes; ++i) {
      moved += slope_[i] * (x[i] - s.x[i]);
      apart += std::max(slope_[i], kLeastApart[i]) * std::abs(x[i] - s.x[i]);
    }
    const double weight = 1 / (apart * apart);
    sum += weight * moved;
    weights += weight;
  }
  return std::max(sum / weights, undisturbed_cycles_);
}

bool TurnEstimate::CoversL2(double l2, double lines) const {
  const double apart = 4 + 0.2 * lines;
  return l2 >= least_[kL2] - apart && l2 <= most_[kL2] + apart;
}

bool TurnEstimate::Covers(const TurnFills& fills, double lines) const {
  const Vector x = Of(fills);
  const double far_apart = 2 + 0.1 * most_[kFar];
  return CoversL2(x[kL2], lines) && x[kFar] >= least_[kFar] - far_apart &&
         x[kFar] <= most_[kFar] + far_apart && x[kLate] <= most_[kLate] + 10 + 0.1 * mean_cycles_;
}

}  // namespace siliscope
