// SPDX-License-Identifier: Apache-2.0
// Whether a topology can be built and used: ports, links, ways from each chip to each other.
#include <fmt/format.h>

#include <vector>

#include "sim/config/topology_fields.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

/// A chip's ports are for the first kind of link; a switch's for all.
template <class Fail>
void CheckPorts(const Topology& t, const Fail& fail) {
  std::vector<std::int64_t> links(t.nodes.size(), 0);
  for (const TopologyEdge& e : t.edges) {
    for (const std::int32_t end : {e.a, e.b}) {
      const bool chip = t.nodes[static_cast<std::size_t>(end)].kind == NodeKind::kChip;
      if (!chip || e.kind == 0) links[static_cast<std::size_t>(end)] += e.links;
    }
  }
  for (std::size_t n = 0; n < t.nodes.size(); ++n) {
    if (t.nodes[n].ports == 0 || links[n] <= t.nodes[n].ports) continue;
    fail(fmt::format("{} has {} links and {} ports", t.nodes[n].name, links[n], t.nodes[n].ports));
  }
}

/// `around_chips`: other chips are not passed.
std::vector<char> ReachedFrom(std::int32_t from, const Topology& t,
                              const std::vector<std::vector<std::int32_t>>& beside,
                              bool around_chips) {
  std::vector<char> reached(t.nodes.size(), 0);
  std::vector<std::int32_t> front = {from};
  reached[static_cast<std::size_t>(from)] = 1;
  while (!front.empty()) {
    const std::int32_t at = front.back();
    front.pop_back();
    if (around_chips && at != from && at < t.chips) continue;
    for (const std::int32_t next : beside[static_cast<std::size_t>(at)]) {
      if (reached[static_cast<std::size_t>(next)] != 0) continue;
      reached[static_cast<std::size_t>(next)] = 1;
      front.push_back(next);
    }
  }
  return reached;
}

}  // namespace

void CheckTopology(const Topology& t, const std::string& place) {
  const auto fail = [&](const std::string& what) {
    throw UserError(place + ": topology: " + what);
  };
  if (t.chips > 1 && t.edges.empty()) fail("no links");
  CheckPorts(t, fail);
  std::vector<std::vector<std::int32_t>> beside(t.nodes.size());
  for (const TopologyEdge& e : t.edges) {
    beside[static_cast<std::size_t>(e.a)].push_back(e.b);
    beside[static_cast<std::size_t>(e.b)].push_back(e.a);
  }
  for (std::int64_t c = 0; c < t.chips && t.chips > 1; ++c) {
    if (beside[static_cast<std::size_t>(c)].empty()) {
      fail(t.nodes[static_cast<std::size_t>(c)].name + " has no link");
    }
  }
  // Where all are joined, only chips that don't pass packets on can lie in the way.
  constexpr std::int64_t kMostPairs = 1024;
  const bool each = !t.chips_forward && t.chips <= kMostPairs;
  for (std::int32_t from = 0; from < (each ? t.chips : 1); ++from) {
    const std::vector<char> reached = ReachedFrom(from, t, beside, each);
    for (std::size_t c = 0; c < static_cast<std::size_t>(t.chips); ++c) {
      if (reached[c] != 0) continue;
      fail(t.nodes[c].name + " can't be reached from " +
           t.nodes[static_cast<std::size_t>(from)].name);
    }
  }
}

}  // namespace siliscope
