// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/link_symmetry.h"

#include <algorithm>

namespace siliscope {

bool LinkShift::AddLink(std::int32_t from, std::int32_t to) {
  const auto [there, new_from] = to_.emplace(from, to);
  const auto [back, new_to] = from_.emplace(to, from);
  return there->second == to && back->second == from;
}

bool LinkShift::Add(const Route& from, const Route& to) {
  if (from.size() != to.size()) return false;
  representatives_.clear();
  const auto edges = static_cast<std::int32_t>(2 * topology_.edges.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    if ((from[i] >= edges) != (to[i] >= edges)) return false;
    if (!AddLink(from[i], to[i])) return false;
    if (from[i] >= edges) continue;
    const TopologyEdge& a = topology_.edges[static_cast<std::size_t>(from[i]) / 2];
    const TopologyEdge& b = topology_.edges[static_cast<std::size_t>(to[i]) / 2];
    const auto node = [&](std::int32_t link) {
      return topology_.nodes[static_cast<std::size_t>(EndOf(topology_, link))];
    };
    const bool alike =
        a.kind == b.kind && a.links == b.links && node(from[i]).latency_s == node(to[i]).latency_s;
    if (!alike || !AddLink(from[i] ^ 1, to[i] ^ 1)) return false;
  }
  return true;
}

std::int32_t LinkShift::Representative(std::int32_t link) const {
  const auto [known, unknown] = representatives_.emplace(link, link);
  if (!unknown) return known->second;
  const std::int32_t least = LeastOfOrbit(link);
  for (std::int32_t at = link;;) {  // of all that follow
    representatives_[at] = least;
    const auto next = to_.find(at);
    if (next == to_.end() || next->second == link) return least;
    at = next->second;
  }
}

std::int32_t LinkShift::LeastOfOrbit(std::int32_t link) const {
  std::int32_t least = link;
  for (std::int32_t at = link;;) {
    const auto next = to_.find(at);
    if (next == to_.end() || next->second == link) break;
    at = next->second;
    least = std::min(least, at);
  }
  // Where the shift does not close, the beginning of its way is the other side.
  for (std::int32_t at = link;;) {
    const auto before = from_.find(at);
    if (before == from_.end() || before->second == link) break;
    at = before->second;
    least = std::min(least, at);
  }
  return least;
}

}  // namespace siliscope
