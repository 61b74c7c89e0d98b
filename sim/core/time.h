// SPDX-License-Identifier: Apache-2.0
// Simulated time: integer picoseconds, and clocks that turn cycles into picoseconds without drift.
// A span of n cycles is n * 10^12 / f in 128-bit integers, rounded once, so 1.41 GHz does not drift
// however long a run is.
#pragma once

#include <cstdint>

namespace siliscope {

/// A point or span of simulated time, in picoseconds.
using Tick = std::uint64_t;

inline constexpr Tick kTicksPerSecond = 1'000'000'000'000ULL;
inline constexpr Tick kNever = ~Tick{0};

inline constexpr double ToSeconds(Tick t) { return static_cast<double>(t) * 1e-12; }
inline constexpr double ToMicroseconds(Tick t) { return static_cast<double>(t) * 1e-6; }

/// A clock of a given frequency, in hertz (at least 1).
class Clock {
 public:
  explicit Clock(double hertz = 1e9) : hertz_(static_cast<std::uint64_t>(hertz + 0.5)) {
    if (hertz_ == 0) hertz_ = 1;
  }

  double hertz() const { return static_cast<double>(hertz_); }

  /// The span of `cycles` cycles, rounded to the nearest picosecond.
  Tick Cycles(std::uint64_t cycles) const {
    return static_cast<Tick>((Wide{cycles} * kTicksPerSecond + hertz_ / 2) / hertz_);
  }

  /// The span of a fractional number of cycles.
  Tick Cycles(double cycles) const {
    return static_cast<Tick>(cycles * 1e12 / static_cast<double>(hertz_) + 0.5);
  }

  /// The first edge of the clock that is not before `when`, as a count of cycles since time 0.
  std::uint64_t EdgeFrom(Tick when) const {
    const auto edge = static_cast<std::uint64_t>(Wide{when} * hertz_ / kTicksPerSecond);
    return Cycles(edge) < when ? edge + 1 : edge;
  }

  /// How many cycles a span is, rounded to the nearest.
  std::uint64_t CyclesIn(Tick span) const {
    return static_cast<std::uint64_t>((Wide{span} * hertz_ + kTicksPerSecond / 2) /
                                      kTicksPerSecond);
  }

 private:
  __extension__ using Wide = unsigned __int128;
  std::uint64_t hertz_;
};

}  // namespace siliscope
