// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/link/ring_search.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace siliscope {
namespace {

using Ring = std::vector<std::int32_t>;
using Matrix = std::vector<std::vector<std::int64_t>>;

/// Links between pairs of ranks that have some.
Matrix DirectLinks(const Topology& t, std::int64_t ranks) {
  Matrix links(static_cast<std::size_t>(ranks),
               std::vector<std::int64_t>(static_cast<std::size_t>(ranks), 0));
  for (const TopologyEdge& e : t.edges) {
    if (e.a >= ranks || e.b >= ranks) continue;
    links[static_cast<std::size_t>(e.a)][static_cast<std::size_t>(e.b)] += e.links;
    links[static_cast<std::size_t>(e.b)][static_cast<std::size_t>(e.a)] += e.links;
  }
  return links;
}

/// All Hamiltonian cycles from rank 0, each in one of its two directions; of small meshes.
class CycleSearch {
 public:
  explicit CycleSearch(const Matrix& links) : links_(links), used_(links.size(), 0) {
    at_ = {0};
    used_[0] = 1;
    Extend();
  }
  std::vector<Ring> cycles() const { return cycles_; }

 private:
  static constexpr std::size_t kMostCycles = 4096;

  void Extend() {
    if (cycles_.size() == kMostCycles) return;
    const auto last = static_cast<std::size_t>(at_.back());
    if (at_.size() == links_.size()) {
      if (links_[last][0] > 0 && at_[1] < at_.back()) cycles_.push_back(at_);
      return;
    }
    for (std::size_t next = 1; next < links_.size(); ++next) {
      if (used_[next] != 0 || links_[last][next] == 0) continue;
      used_[next] = 1;
      at_.push_back(static_cast<std::int32_t>(next));
      Extend();
      at_.pop_back();
      used_[next] = 0;
    }
  }

  const Matrix& links_;
  std::vector<char> used_;
  Ring at_;
  std::vector<Ring> cycles_;
};

/// As many cycles as the links carry, each link once.
class Packing {
 public:
  Packing(Matrix links, const std::vector<Ring>& cycles)
      : links_(std::move(links)), cycles_(cycles) {
    Choose(0);
  }
  const std::vector<Ring>& best() const { return best_; }

 private:
  static constexpr int kMostTries = 20'000;

  bool Take(const Ring& ring, std::int64_t count) {
    bool fits = true;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      const auto a = static_cast<std::size_t>(ring[i]);
      const auto b = static_cast<std::size_t>(ring[(i + 1) % ring.size()]);
      links_[a][b] -= count;
      links_[b][a] -= count;
      fits = fits && links_[a][b] >= 0;
    }
    return fits;
  }
  void Choose(std::size_t from) {
    if (chosen_.size() > best_.size()) best_ = chosen_;
    for (std::size_t c = from; c < cycles_.size() && ++tries_ < kMostTries; ++c) {
      if (Take(cycles_[c], 1)) {
        chosen_.push_back(cycles_[c]);
        Choose(c);
        chosen_.pop_back();
      }
      Take(cycles_[c], -1);
    }
  }

  Matrix links_;
  const std::vector<Ring>& cycles_;
  std::vector<Ring> chosen_, best_;
  int tries_ = 0;
};

/// Each ring once, then those that are there a second time, and so on: few channels use as many
/// links as they can.
std::vector<Ring> InTurn(const std::vector<Ring>& rings) {
  std::map<Ring, std::size_t> seen;
  std::vector<std::vector<Ring>> rounds(rings.size());
  for (const Ring& ring : rings) rounds[seen[ring]++].push_back(ring);
  std::vector<Ring> all;
  for (const auto& round : rounds) all.insert(all.end(), round.begin(), round.end());
  return all;
}

std::vector<Ring> RailRings(std::int64_t ranks, std::int64_t of_node) {
  std::vector<Ring> rings;
  for (std::int64_t first = 0; first < of_node; ++first) {
    Ring ring;
    for (std::int64_t node = 0; node < ranks / of_node; ++node) {
      for (std::int64_t i = 0; i < of_node; ++i) {
        const std::int64_t forward = (first + i) % of_node;
        const std::int64_t backward = (first + 2 * of_node - 1 - i) % of_node;
        ring.push_back(
            static_cast<std::int32_t>(node * of_node + (node % 2 == 0 ? forward : backward)));
      }
    }
    rings.push_back(ring);
  }
  return rings;
}

/// Through a grid of the first dimension's rows: out along the first column's way, back through all
/// others. Falls back to the plain order where the sides are odd.
Ring Snake(const Topology& t, std::int64_t ranks) {
  Ring ring(static_cast<std::size_t>(ranks));
  std::iota(ring.begin(), ring.end(), 0);
  std::int64_t row = 1;
  while (row < ranks && t.edges.size() > static_cast<std::size_t>(row) &&
         t.edges[static_cast<std::size_t>(row - 1)].b == row) {
    ++row;
  }
  if (row < 3 || ranks % row != 0 || ranks / row % 2 != 0) return ring;
  ring.clear();
  for (std::int64_t y = 0; y < ranks / row; ++y) {
    for (std::int64_t i = 1; i < row; ++i) {
      const std::int64_t x = y % 2 == 0 ? i : row - i;
      ring.push_back(static_cast<std::int32_t>(y * row + x));
    }
  }
  for (std::int64_t y = ranks / row - 1; y >= 0; --y) {
    ring.push_back(static_cast<std::int32_t>(y * row));
  }
  return ring;
}

}  // namespace

std::int64_t ChipsOfNode(const Topology& t) {
  return t.chips_of_node > 0 ? t.chips_of_node : t.chips;
}

std::vector<std::vector<std::int32_t>> FindRings(const Topology& topology, std::int64_t ranks) {
  Ring plain(static_cast<std::size_t>(ranks));
  std::iota(plain.begin(), plain.end(), 0);
  const std::int64_t of_node = ChipsOfNode(topology);
  if (ranks > of_node && ranks % of_node == 0) return RailRings(ranks, of_node);
  if (topology.chips_forward) {
    Ring snake = Snake(topology, ranks);
    const Ring back(snake.rbegin(), snake.rend());
    return {snake, back};
  }
  constexpr std::int64_t kSmall = 16;
  const Matrix links = DirectLinks(topology, ranks);
  bool mesh = ranks <= kSmall && ranks > 2;
  for (const auto& row : links) {
    mesh = mesh && std::any_of(row.begin(), row.end(), [](std::int64_t n) { return n > 0; });
  }
  if (!mesh) return {plain};
  const std::vector<Ring> cycles = CycleSearch(links).cycles();
  const std::vector<Ring> best = InTurn(Packing(links, cycles).best());
  if (best.empty()) return {plain};
  std::vector<Ring> both = best;
  for (const Ring& ring : best) both.emplace_back(ring.rbegin(), ring.rend());
  return both;
}

}  // namespace siliscope
