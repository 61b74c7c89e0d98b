// SPDX-License-Identifier: Apache-2.0
// The cycles of a turn from the lines that it brings: least squares over turns that were simulated,
// in which no line and no lateness makes a turn shorter.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace siliscope {

/// Lines that came into each level while a turn ran.
struct TurnFills {
  std::int64_t l1 = 0, l2 = 0;
  std::int64_t far = 0;  ///< into the private caches, from beyond the last-level cache
  double late = 0;       ///< cycles by which they came later than from an idle memory, on average
};

class TurnEstimate {
 public:
  /// A turn that was simulated took so long, and waited for lines for so much of it; of too many
  /// the oldest is forgotten.
  void Learn(const TurnFills& fills, double cycles, double memory_cycles);
  bool empty() const { return samples_.empty(); }
  std::size_t size() const { return samples_.size(); }
  void Clear();

  /// What a turn with these fills takes.
  double Cycles(const TurnFills& fills) const;
  /// The shortest that was seen, without its waiting for lines.
  double UndisturbedCycles() const { return undisturbed_cycles_; }
  /// Whether turns with about such fills have been simulated. `lines`: that a turn touches.
  bool Covers(const TurnFills& fills, double lines) const;
  bool CoversL2(double l2, double lines) const;

 private:
  static constexpr std::size_t kMost = 64, kSlopes = 3;
  using Vector = std::array<double, kSlopes>;
  struct Sample {
    Vector x;  ///< lines of L2, far lines, lateness
    double cycles, memory_cycles;
  };

  static Vector Of(const TurnFills& fills) {
    return {static_cast<double>(fills.l2), static_cast<double>(fills.far), fills.late};
  }
  void Fit();
  void BoundSlopes();

  std::vector<Sample> samples_;
  std::size_t next_ = 0;
  Vector mean_{}, slope_{}, least_{}, most_{};
  double mean_cycles_ = 0, undisturbed_cycles_ = 0;
};

}  // namespace siliscope
