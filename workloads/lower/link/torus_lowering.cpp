// SPDX-License-Identifier: Apache-2.0
// All-reduce on a torus: the data is cut into as many parts as there are dimensions and directions;
// each part is reduced and scattered along one dimension after another, beginning with its own, and
// gathered the way back, so that all links of a chip work at the same time (Jain and Sabharwal,
// "Optimal bucket algorithms for large MPI collectives on torus interconnects", ICS 2010).
#include <algorithm>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"

namespace siliscope {
namespace {

class TorusWriter {
 public:
  explicit TorusWriter(CollectiveWriter& writer)
      : writer_(writer),
        shape_(writer.cluster().topology.torus),
        protocol_(writer.AddProtocol(writer.ProtocolOf(CollectiveProtocol::kSimple))) {}

  void Write() {
    const CollectivePlan& plan = writer_.plan();
    ranks_played_ = plan.symmetry ? 1 : plan.ranks;
    writer_.program().ranks_played = ranks_played_;
    const std::size_t dimensions = shape_.size();
    const std::int64_t part = CeilDivide(plan.bytes, static_cast<std::int64_t>(2 * dimensions));
    for (std::size_t first = 0; first < dimensions; ++first) {
      for (int direction = 0; direction < 2; ++direction) WritePart(first, direction, part);
    }
  }

 private:
  std::vector<std::size_t> Order(std::size_t first) const {
    std::vector<std::size_t> order;
    for (std::size_t d = 0; d < shape_.size(); ++d) order.push_back((first + d) % shape_.size());
    return order;
  }

  void WritePart(std::size_t first, int direction, std::int64_t bytes) {
    const std::vector<std::size_t> order = Order(first);
    std::int64_t of_phase = bytes;
    bool begins = true;
    for (const std::size_t d : order) {
      of_phase = CeilDivide(of_phase, shape_[d]);
      WritePhase(d, direction, of_phase, begins);
      begins = false;
    }
    for (auto d = order.rbegin(); d != order.rend(); ++d) {
      WritePhase(*d, direction, of_phase, false);
      of_phase *= shape_[*d];
    }
    ++part_;
  }

  /// n - 1 steps around a ring of the dimension, with chunks of so many bytes.
  void WritePhase(std::size_t dimension, int direction, std::int64_t chunk, bool begins) {
    const CollectiveProtocolSpec& spec = writer_.cluster().library.simple;
    std::vector<Primitive> sequence;
    for (std::int64_t left = chunk; left > 0;) {
      Primitive p;
      p.bytes = std::min(left, spec.step_bytes * spec.chunk_steps);
      p.piece_bytes =
          std::max(spec.step_bytes * spec.slice_steps, writer_.cluster().library.least_slice_bytes);
      left -= p.bytes;
      p.sends = true;
      sequence.push_back(p);
      p.receives = true;
      p.repeat = static_cast<std::int32_t>(shape_[dimension]) - 2;
      sequence.push_back(p);
      p.repeat = 1;
      p.sends = false;
      sequence.push_back(p);
    }
    const std::int32_t index = writer_.AddSequence(std::move(sequence));
    const auto lane0 = static_cast<std::int32_t>(writer_.program().lanes.size());
    for (std::int64_t rank = 0; rank < ranks_played_; ++rank) {
      Lane lane;
      lane.rank = static_cast<std::int32_t>(rank);
      lane.cta = part_;
      lane.protocol = protocol_;
      lane.sequence = index;
      const std::int64_t next = Neighbour(rank, dimension, direction);
      const std::int64_t before = Neighbour(rank, dimension, 1 - direction);
      lane.to = lane0 + static_cast<std::int32_t>(ranks_played_ == 1 ? 0 : next);
      lane.from = lane0 + static_cast<std::int32_t>(ranks_played_ == 1 ? 0 : before);
      lane.route = RouteOf(rank, dimension, direction);
      if (begins) {
        lane.start = writer_.StartOf(1);
      } else {
        lane.after = lane0 - static_cast<std::int32_t>(ranks_played_ - rank);
      }
      writer_.AddLane(lane);
    }
  }

  std::int64_t Stride(std::size_t dimension) const {
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < dimension; ++d) stride *= shape_[d];
    return stride;
  }
  std::int64_t Neighbour(std::int64_t rank, std::size_t dimension, int direction) const {
    const std::int64_t stride = Stride(dimension), n = shape_[dimension];
    const std::int64_t at = rank / stride % n;
    const std::int64_t next = (at + (direction == 0 ? 1 : n - 1)) % n;
    return rank + (next - at) * stride;
  }
  /// All chips alike: the links of chip 0 stand for all.
  std::int32_t RouteOf(std::int64_t rank, std::size_t dimension, int direction) {
    if (ranks_played_ > 1) return writer_.RouteBetween(rank, Neighbour(rank, dimension, direction));
    const std::int32_t forward =
        writer_.program()
            .routes[static_cast<std::size_t>(writer_.RouteBetween(0, Neighbour(0, dimension, 0)))]
            .front();
    writer_.program().routes.push_back({direction == 0 ? forward : forward ^ 1});
    for (const std::int32_t link : {forward, forward ^ 1}) {
      writer_.program().links_alike[link] = writer_.plan().ranks;
    }
    return static_cast<std::int32_t>(writer_.program().routes.size()) - 1;
  }

  CollectiveWriter& writer_;
  std::vector<std::int64_t> shape_;
  std::int32_t protocol_;
  std::int64_t ranks_played_ = 1;
  std::int32_t part_ = 0;
};

}  // namespace

void WriteTorus(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  writer.program().wire_bytes_per_rank = 2 * (plan.ranks - 1) * CeilDivide(plan.bytes, plan.ranks);
  writer.program().channels = static_cast<std::int64_t>(2 * writer.cluster().topology.torus.size());
  TorusWriter(writer).Write();
}

}  // namespace siliscope
