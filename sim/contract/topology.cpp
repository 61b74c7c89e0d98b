// SPDX-License-Identifier: Apache-2.0
#include "sim/contract/topology.h"

#include <algorithm>
#include <deque>
#include <limits>

namespace siliscope {

Routes::Routes(const Topology& topology) : topology_(topology), leaving_(topology.nodes.size()) {
  for (std::size_t e = 0; e < topology.edges.size(); ++e) {
    const auto link = static_cast<std::int32_t>(2 * e);
    leaving_[static_cast<std::size_t>(topology.edges[e].a)].push_back(link);
    leaving_[static_cast<std::size_t>(topology.edges[e].b)].push_back(link + 1);
  }
}

Route Routes::Between(std::int32_t from, std::int32_t to) const {
  constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max();
  std::vector<std::int32_t> hops(leaving_.size(), kFar), by(leaving_.size(), -1);
  std::vector<double> width(leaving_.size(), 0);
  std::deque<std::int32_t> front = {from};
  hops[static_cast<std::size_t>(from)] = 0;
  width[static_cast<std::size_t>(from)] = std::numeric_limits<double>::infinity();
  while (!front.empty()) {
    const std::int32_t at = front.front();
    front.pop_front();
    const auto here = static_cast<std::size_t>(at);
    if (at == to) break;
    const bool passes =
        at == from || topology_.chips_forward || topology_.nodes[here].kind != NodeKind::kChip;
    if (!passes) continue;
    for (const std::int32_t link : leaving_[here]) {
      const auto next = static_cast<std::size_t>(EndOf(topology_, link));
      const double narrow = std::min(width[here], BytesPerSecond(topology_, link));
      const bool nearer = hops[next] == kFar;
      if (nearer) front.push_back(static_cast<std::int32_t>(next));
      if (!nearer && (hops[next] != hops[here] + 1 || narrow <= width[next])) continue;
      hops[next] = hops[here] + 1;
      width[next] = narrow;
      by[next] = link;
    }
  }
  Route route;
  for (std::int32_t at = to; at != from;) {
    const std::int32_t link = by[static_cast<std::size_t>(at)];
    if (link < 0) return {};
    route.push_back(link);
    at = BeginOf(topology_, link);
  }
  std::reverse(route.begin(), route.end());
  return route;
}

}  // namespace siliscope
