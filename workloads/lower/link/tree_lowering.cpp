// SPDX-License-Identifier: Apache-2.0
// All-reduce over two binary trees, each with half of the channels, so that a rank that is a leaf
// of one is not of the other (Sanders, Speck and Traeff, "Two-tree algorithms for full bandwidth
// broadcast, reduction and scan", Parallel Computing 35, 2009). Trees join nodes; the chips of a
// node are a chain. In each CTA some threads reduce towards the root while others pass sums down.
#include <algorithm>
#include <array>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"
#include "workloads/lower/link/ring_search.h"

namespace siliscope {
namespace {

constexpr std::int64_t kNobody = -1;

struct TreeNode {
  std::int64_t up = kNobody;
  std::array<std::int64_t, 2> down = {kNobody, kNobody};
};

/// Node `i` of the tree over n nodes whose leaves are the odd ones, and whose root is 0.
TreeNode InTree(std::int64_t i, std::int64_t n) {
  std::int64_t bit = 1;
  while (bit < n && (i & bit) == 0) bit *= 2;
  TreeNode node;
  if (i == 0) {
    if (n > 1) node.down[1] = bit / 2;
    return node;
  }
  node.up = (i ^ bit) | (2 * bit);
  if (node.up >= n) node.up = i ^ bit;
  if (bit == 1) return node;
  node.down[0] = i - bit / 2;
  for (std::int64_t low = bit / 2; low > 0; low /= 2) {
    if (i + low >= n) continue;
    node.down[1] = i + low;
    break;
  }
  return node;
}

/// The second tree is the first one mirrored, or shifted where the number is odd.
TreeNode InTreeOf(std::int64_t channel, std::int64_t i, std::int64_t n) {
  if (channel % 2 == 0) return InTree(i, n);
  const bool odd = n % 2 != 0;
  const auto there = [&](std::int64_t k) { return odd ? (k + n - 1) % n : n - 1 - k; };
  const auto back = [&](std::int64_t k) {
    if (k == kNobody) return k;
    return odd ? (k + 1) % n : n - 1 - k;
  };
  TreeNode node = InTree(there(i), n);
  return {back(node.up), {back(node.down[0]), back(node.down[1])}};
}

class TreeWriter {
 public:
  explicit TreeWriter(CollectiveWriter& writer)
      : writer_(writer),
        ranks_(writer.plan().ranks),
        of_node_(std::min(ranks_, ChipsOfNode(writer.cluster().topology))),
        protocol_(writer.AddProtocol(writer.ProtocolOf(writer.plan().protocol))) {}

  void Write() {
    for (std::int64_t channel = 0; channel < writer_.plan().channels; ++channel) {
      WriteChannel(channel);
    }
  }

 private:
  /// Rank `place` of a node's chain, which begins at another rail on each channel.
  std::int64_t RankAt(std::int64_t channel, std::int64_t node, std::int64_t place) const {
    return node * of_node_ + (channel / 2 + place) % of_node_;
  }

  struct Links {
    std::int64_t up = kNobody;
    std::vector<std::int64_t> down;  ///< at most two
  };

  /// The first of a chain meets the parent and one child, the second the other child.
  Links LinksOf(std::int64_t channel, std::int64_t node, std::int64_t place) const {
    const TreeNode tree = InTreeOf(channel, node, ranks_ / of_node_);
    Links links;
    if (place > 0) {
      links.up = RankAt(channel, node, place - 1);
    } else if (tree.up != kNobody) {
      links.up = RankAt(channel, tree.up, PlaceOfChild(channel, tree.up, node));
    }
    if (place + 1 < of_node_) links.down.push_back(RankAt(channel, node, place + 1));
    for (const std::int64_t child : tree.down) {
      if (child != kNobody && PlaceOfChild(channel, node, child) == place) {
        links.down.push_back(RankAt(channel, child, 0));
      }
    }
    return links;
  }
  std::int64_t PlaceOfChild(std::int64_t channel, std::int64_t node, std::int64_t child) const {
    const TreeNode tree = InTreeOf(channel, node, ranks_ / of_node_);
    return of_node_ > 1 && tree.down[1] == child ? 1 : 0;
  }

  std::int64_t Chunk() const {
    const CollectiveProtocolSpec& spec = SpecOf(writer_.cluster().library, writer_.plan().protocol);
    constexpr std::int64_t kChunks = 8, kLeast = 32768;  // so many are on their way, if they can be
    std::int64_t chunk = spec.step_bytes * spec.slice_steps;
    while (chunk > kLeast && OfChannel() / chunk < kChunks) chunk /= 2;
    return chunk;
  }
  std::int64_t OfChannel() const {
    return CeilDivide(writer_.plan().bytes, writer_.plan().channels);
  }

  /// Two threads' parts of each chunk: from the sources one after another, then to the targets.
  std::int32_t Sequence(std::size_t sources, std::size_t targets) {
    std::int32_t& known = sequences_[3 * sources + targets];
    if (known >= 0) return known;
    std::vector<Primitive> sequence;
    for (std::int64_t left = OfChannel(); left > 0;) {
      Primitive p;
      p.bytes = std::min(left, Chunk());
      p.piece_bytes = p.bytes;
      left -= p.bytes;
      for (std::size_t s = 0; s + 1 < sources; ++s) {
        p.receives = true;
        p.source = static_cast<std::uint8_t>(s);
        sequence.push_back(p);
      }
      p.receives = sources > 0;
      p.source = static_cast<std::uint8_t>(sources > 0 ? sources - 1 : 0);
      p.sends = targets > 0;
      sequence.push_back(p);
      if (targets < 2) continue;
      p.receives = false;
      p.target = 1;
      sequence.push_back(p);
    }
    return known = writer_.AddSequence(std::move(sequence));
  }

  void WriteChannel(std::int64_t channel) {
    const auto first = static_cast<std::int32_t>(writer_.program().lanes.size());
    const auto up_lane = [&](std::int64_t rank) {
      return first + static_cast<std::int32_t>(2 * rank);
    };
    std::vector<Lane> lanes(static_cast<std::size_t>(2 * ranks_));
    for (std::int64_t node = 0; node < ranks_ / of_node_; ++node) {
      for (std::int64_t place = 0; place < of_node_; ++place) {
        const std::int64_t rank = RankAt(channel, node, place);
        const Links links = LinksOf(channel, node, place);
        Lane up;
        up.rank = static_cast<std::int32_t>(rank);
        up.cta = static_cast<std::int32_t>(channel);
        up.protocol = protocol_;
        up.start = writer_.StartOf(writer_.plan().channels);
        Lane down = up;
        const std::size_t children = links.down.size();
        if (children > 0) up.from = up_lane(links.down[0]);
        if (children > 1) up.second_from = up_lane(links.down[1]);
        const bool root = links.up == kNobody;
        up.to = root ? up_lane(rank) + 1 : up_lane(links.up);
        up.route = root ? -1 : writer_.RouteBetween(rank, links.up);
        up.sequence = Sequence(children, 1);
        down.from = root ? up_lane(rank) : up_lane(links.up) + 1;
        if (children > 0) down.to = up_lane(links.down[0]) + 1;
        if (children > 1) down.second_to = up_lane(links.down[1]) + 1;
        if (children > 0) down.route = writer_.RouteBetween(rank, links.down[0]);
        if (children > 1) down.second_route = writer_.RouteBetween(rank, links.down[1]);
        down.sequence = Sequence(1, children);
        lanes[static_cast<std::size_t>(2 * rank)] = up;
        lanes[static_cast<std::size_t>(2 * rank + 1)] = down;
      }
    }
    for (const Lane& lane : lanes) writer_.AddLane(lane);
  }

  CollectiveWriter& writer_;
  std::int64_t ranks_, of_node_;
  std::int32_t protocol_;
  std::array<std::int32_t, 9> sequences_ = {-1, -1, -1, -1, -1, -1, -1, -1, -1};
};

}  // namespace

void WriteTree(CollectiveWriter& writer) {
  writer.program().wire_bytes_per_rank = 2 * writer.plan().bytes;
  TreeWriter(writer).Write();
}

}  // namespace siliscope
