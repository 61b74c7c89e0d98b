// SPDX-License-Identifier: Apache-2.0
// Tile zoom of cores: what turns of codes cost. A turn is a trip, or some, of the innermost loop of
// a code that is long enough. Some are simulated with every micro-operation; turns like them are
// then played: the lines that they touch pass the caches at their addresses, spread over the turn's
// time, as many at a time as were on their way in a simulated one. Their time is estimated from how
// many lines came from each level, and how late; a turn unlike all that are known makes the next be
// simulated again. All cores share what one has learned.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "models/cpu/core_counters.h"
#include "models/cpu/turn_estimate.h"
#include "sim/contract/cpu_program.h"

namespace siliscope {

/// A turn that was simulated.
struct TurnCost {
  TurnFills fills;
  double cycles = 0;
  double memory_cycles = 0;     ///< of these, for which the core waited for lines
  std::uint64_t in_flight = 0;  ///< lines from beyond the private caches at a time, at most
  bool warm = false;            ///< the turn before it was simulated too
  CoreCounters counters;
};

/// A line that a turn touches, relative to a pointer as it was when the turn began.
struct TurnTouch {
  std::int64_t offset = 0;
  enum Kind : std::uint8_t { kRead, kWrite, kWriteAround };
  std::uint8_t pointer = 0;
  Kind kind = kRead;
  bool fresh = true;  ///< the first level does not have it from before
};

struct TurnProfile {
  static constexpr int kMostTurns = 24, kFewTurns = 3;  ///< that are wanted at a time
  std::size_t loop = 0;                                 ///< whose trips are counted
  std::size_t begin = 0, end = 0;                       ///< its first micro-operation, its branch
  std::int64_t trips = 1;                               ///< of the loop, in a turn
  bool every = false;                                   ///< every turn has to be simulated
  TurnProfile* first = nullptr;  ///< of a loop's first turn, which comes upon what was before it;
                                 ///< null where that is all of the loop
  int wanted = 2;                ///< turns that have still to be simulated
  std::vector<TurnTouch> touches;
  std::vector<std::int64_t> shift;  ///< of each pointer, in a turn
  TurnEstimate estimate;
  std::uint64_t in_flight = 0;  ///< lines on their way, the most of any turn; 0 = not known yet
  TurnCost sample;              ///< the last one that was learned from
  bool warms = false;           ///< one turn says enough
  std::int64_t simulated = 0, played = 0;  ///< turns

  bool known() const { return !estimate.empty(); }
  /// Whether turns with about so many lines from below the private caches are known.
  bool MayBe(std::int64_t below) const {
    return estimate.CoversL2(static_cast<double>(below), static_cast<double>(touches.size()));
  }
  /// A turn begins to be simulated.
  void Begin() {
    wanted = std::max(0, wanted - 1);
    ++simulated;
  }
  /// A turn was simulated. What is known is believed once it foresees one.
  void Learn(const TurnCost& cost);
  /// The next turns shall be simulated, unless too many have been.
  void Want();
  /// A turn was played; how many lines came from where may be news.
  void Played(const TurnFills& fills);
  /// The program begins anew: what was learned while caches were warmed is a first guess.
  void Forget();
};

class TurnMemory {
 public:
  /// `window`: micro-operations that a core holds. `team`: cores simulate turns at the same time;
  /// theirs are shorter.
  TurnMemory(const std::vector<CpuCode>& codes, std::int64_t window, bool team)
      : codes_(codes), window_(window), windows_(team ? 8 : 16) {}

  TurnProfile* ProfileOf(const CpuCall& call);
  /// The next so many micro-operations are simulated, whatever is known.
  void Simulate(std::int64_t micro_ops) { exact_ = micro_ops; }
  void Simulated(std::uint64_t micro_ops) { exact_ -= static_cast<std::int64_t>(micro_ops); }
  bool plays() const { return exact_ <= 0; }
  /// The caches are being warmed: what they already have need not be played, and one turn of a kind
  /// says enough. What it has cost is forgotten when the program runs in earnest.
  void Warm(bool warms);
  bool warms() const { return warms_; }

 private:
  using Key = std::vector<std::int64_t>;

  double OperationsOfTrip(const CpuCall& call, std::size_t loop) const;
  std::size_t BranchOf(const CpuCall& call, std::size_t loop) const;

  const std::vector<CpuCode>& codes_;
  std::int64_t window_;
  double windows_;  ///< that a turn is long: in shorter ones the window is still filling up
  std::int64_t exact_ = 0;
  bool warms_ = false;
  std::deque<TurnProfile> profiles_;
  std::map<Key, TurnProfile*> of_call_, of_turn_;
  Key key_;
};

}  // namespace siliscope
