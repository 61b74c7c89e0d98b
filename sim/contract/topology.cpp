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

/// Neighbours in number, and the chips of equal place of neighbouring nodes, go different ways.
std::size_t Routes::SpreadBy(std::int32_t to) const {
  const std::int64_t of_node = std::max<std::int64_t>(1, topology_.chips_of_node);
  return static_cast<std::size_t>(to / of_node + to % of_node);
}

/// Shortest ways from a node to all others.
void Routes::Search(std::int32_t from) {
  constexpr std::int32_t kFar = std::numeric_limits<std::int32_t>::max();
  std::vector<std::int32_t> hops(leaving_.size(), kFar);
  std::vector<double> width(leaving_.size(), 0);
  from_ = from;
  by_.assign(leaving_.size(), -1);
  others_.clear();
  std::deque<std::int32_t> front = {from};
  hops[static_cast<std::size_t>(from)] = 0;
  width[static_cast<std::size_t>(from)] = std::numeric_limits<double>::infinity();
  while (!front.empty()) {
    const std::int32_t at = front.front();
    front.pop_front();
    const auto here = static_cast<std::size_t>(at);
    const bool passes =
        at == from || topology_.chips_forward || topology_.nodes[here].kind != NodeKind::kChip;
    if (!passes) continue;
    for (const std::int32_t link : leaving_[here]) {
      const auto next = static_cast<std::size_t>(EndOf(topology_, link));
      const double narrow = std::min(width[here], BytesPerSecond(topology_, link));
      const bool nearer = hops[next] == kFar;
      if (nearer) front.push_back(static_cast<std::int32_t>(next));
      const bool alike = !nearer && hops[next] == hops[here] + 1 && narrow == width[next];
      if (alike && topology_.nodes[here].kind == NodeKind::kSwitch) others_[next].push_back(link);
      if (!nearer && (hops[next] != hops[here] + 1 || narrow <= width[next])) continue;
      hops[next] = hops[here] + 1;
      others_.erase(next);
      width[next] = narrow;
      by_[next] = link;
    }
  }
}

/// Whether a way leads over PCIe switches only.
bool Routes::AvoidsHost(const Route& route) const {
  return route.size() > 1 && std::all_of(route.begin(), route.end() - 1, [&](std::int32_t link) {
           const TopologyNode& n =
               topology_.nodes[static_cast<std::size_t>(EndOf(topology_, link))];
           return n.kind == NodeKind::kSwitch && !n.spreads;
         });
}

/// The nearest host bridge; -1 = there is none.
std::int32_t Routes::HostOf(std::int32_t chip) {
  std::int32_t nearest = -1;
  std::size_t hops = 0;
  for (std::size_t n = 0; n < topology_.nodes.size(); ++n) {
    if (topology_.nodes[n].kind != NodeKind::kHostBridge) continue;
    const std::size_t length = Shortest(chip, static_cast<std::int32_t>(n)).size();
    if (length == 0 || (nearest >= 0 && length >= hops)) continue;
    nearest = static_cast<std::int32_t>(n);
    hops = length;
  }
  return nearest;
}

Route Routes::Between(std::int32_t from, std::int32_t to) {
  Route route = Shortest(from, to);
  if (!topology_.through_host || !AvoidsHost(route)) return route;
  const std::int32_t host = HostOf(from);
  if (host < 0) return route;
  route = Shortest(from, host);
  const Route down = Shortest(host, to);
  route.insert(route.end(), down.begin(), down.end());
  return route;
}

Route Routes::Shortest(std::int32_t from, std::int32_t to) {
  if (from != from_) Search(from);
  Route route;
  for (std::int32_t at = to; at != from;) {
    std::int32_t link = by_[static_cast<std::size_t>(at)];
    if (link < 0) return {};
    const auto as_good = others_.find(static_cast<std::size_t>(at));
    if (as_good != others_.end()) {
      const std::size_t which = SpreadBy(to) % (as_good->second.size() + 1);
      if (which > 0) link = as_good->second[which - 1];
    }
    route.push_back(link);
    at = BeginOf(topology_, link);
  }
  std::reverse(route.begin(), route.end());
  return route;
}

/// Further by so many hops, through switches that spread.
void Routes::Extend(const Way& way, std::int32_t to, std::size_t hops,
                    std::vector<Way>* found) const {
  const std::int32_t at = EndOf(topology_, way.route.back());
  for (const std::int32_t link : leaving_[static_cast<std::size_t>(at)]) {
    const std::int32_t next = EndOf(topology_, link);
    if (hops == 1 ? next != to : !topology_.nodes[static_cast<std::size_t>(next)].spreads) continue;
    Way further = way;
    further.route.push_back(link);
    further.links =
        std::min(further.links, topology_.edges[static_cast<std::size_t>(link) / 2].links);
    if (hops == 1) {
      found->push_back(std::move(further));
    } else {
      Extend(further, to, hops - 1, found);
    }
  }
}

std::vector<Way> Routes::SideBySide(std::int32_t from, std::int32_t to) const {
  constexpr std::size_t kMostSwitches = 2;  // between two chips
  std::vector<Way> found;
  for (std::size_t hops = 1; found.empty() && hops <= kMostSwitches; ++hops) {
    for (const std::int32_t link : leaving_[static_cast<std::size_t>(from)]) {
      const std::int32_t next = EndOf(topology_, link);
      if (!topology_.nodes[static_cast<std::size_t>(next)].spreads) continue;
      Extend({{link}, topology_.edges[static_cast<std::size_t>(link) / 2].links}, to, hops, &found);
    }
  }
  return found;
}

}  // namespace siliscope
