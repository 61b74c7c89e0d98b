// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/pipe_share.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

void PipeShare::Add(Tick now, double alone, double busy, double precedence, std::uint64_t age,
                    std::uint32_t id) {
  Advance(now);
  const double left = std::max({alone, busy, 1.0});
  const auto place = std::upper_bound(steps_.begin(), steps_.end(), age,
                                      [](std::uint64_t a, const Step& s) { return a < s.age; });
  steps_.insert(place, Step{left, busy / left, precedence, 1, age, id});
  Divide();
}

void PipeShare::Divide() {
  double free = 1, asked = 0;
  for (const Step& s : steps_) asked += s.share;
  const double fair = asked > 1 ? 1 / asked : 1;
  for (Step& s : steps_) {
    const double first = s.share > free ? free / s.share : 1;
    s.speed = s.precedence * first + (1 - s.precedence) * fair;
    free = std::max(0.0, free - s.share);
  }
}

void PipeShare::Advance(Tick now) {
  const auto passed = static_cast<double>(now - now_);
  for (Step& s : steps_) s.left -= passed * s.speed;
  now_ = now;
}

Tick PipeShare::NextEnd() const {
  double soonest = -1;
  for (const Step& s : steps_) {
    if (s.speed <= 0) continue;
    const double end = std::max(0.0, s.left) / s.speed;
    if (soonest < 0 || end < soonest) soonest = end;
  }
  return soonest < 0 ? kNever : now_ + static_cast<Tick>(std::ceil(soonest));
}

bool PipeShare::TakeEnded(Tick now, std::uint32_t* id) {
  Advance(now);
  constexpr double kNothing = 1e-3;  // of a tick: rounding
  const auto ended =
      std::find_if(steps_.begin(), steps_.end(), [](const Step& s) { return s.left <= kNothing; });
  if (ended == steps_.end()) return false;
  *id = ended->id;
  steps_.erase(ended);
  Divide();
  return true;
}

}  // namespace siliscope
