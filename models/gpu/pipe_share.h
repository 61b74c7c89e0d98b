// SPDX-License-Identifier: Apache-2.0
// Steps of CTAs that run on an SM at the same time, where warp schedulers go on with the oldest. A
// step alone takes its own latency and keeps the pipes busy for a part of it. Of steps that
// together ask for more than the pipes have, the younger CTAs' get what the older leave, as far as
// the schedulers prefer the oldest: warps that go on greedily take turns with them.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/core/time.h"

namespace siliscope {

class PipeShare {
 public:
  /// Starts a step at `now` that takes `alone` ticks by itself, `busy` of them on the pipes.
  /// `precedence`: 1 = the oldest takes what it asks for, 0 = all get the same share of it. `id` is
  /// the caller's.
  void Add(Tick now, double alone, double busy, double precedence, std::uint64_t age,
           std::uint32_t id);
  /// When the next step ends, if none is added before; kNever: none runs.
  Tick NextEnd() const;
  /// Takes out a step that has ended by `now`; false = there is none.
  bool TakeEnded(Tick now, std::uint32_t* id);

 private:
  struct Step {
    double left;   ///< of its own latency
    double share;  ///< of the pipes that it asks for
    double precedence;
    double speed;  ///< 1 = as if it were alone
    std::uint64_t age;
    std::uint32_t id;
  };
  void Advance(Tick now);
  void Divide();

  Tick now_ = 0;
  std::vector<Step> steps_;  ///< oldest first
};

}  // namespace siliscope
