// SPDX-License-Identifier: Apache-2.0
// Exchanges with ranks at distances of powers of two, log2(n) of them one after another.
//   halving_doubling: halves of what is left with rank ^ distance, near ones first; for all-gathers
//                     in the opposite order (Thakur, Rabenseifner and Gropp, "Optimization of
//                     collective communication operations in MPICH", IJHPCA 19, 2005, section 4.4).
//   pat:              trees for each rank's part, all shifted; a rank sends what it has to the rank
//                     at a distance, far ones first, so that most data goes to near ones (Jeaugey,
//                     "PAT: a new algorithm for all-gather and reduce-scatter operations at
//                     scale", 2025).
#include <algorithm>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"
#include "workloads/lower/link/collective_lowering.h"

namespace siliscope {
namespace {

struct Step {
  std::int64_t distance = 1;
  std::int64_t parts = 1;  ///< of a rank's, that are sent
};

/// Distances and parts of an all-gather; a reduce-scatter is the same backwards.
std::vector<Step> GatherSteps(const CollectivePlan& plan) {
  std::vector<Step> steps;
  std::int64_t parts = 1;
  if (plan.algorithm == CollectiveAlgorithm::kHalvingDoubling) {
    for (std::int64_t distance = plan.ranks / 2; distance > 0; distance /= 2, parts *= 2) {
      steps.push_back({distance, parts});
    }
    return steps;
  }
  std::int64_t distance = 1;
  while (distance * 2 < plan.ranks) distance *= 2;
  for (std::int64_t have = 1; distance > 0; distance /= 2) {
    // What the rank at the distance has already, or will not miss, is not sent.
    const std::int64_t sent = std::min(have, plan.ranks - have);
    steps.push_back({distance, sent});
    have += sent;
  }
  return steps;
}

std::vector<Step> StepsOf(const CollectivePlan& plan) {
  const std::vector<Step> gather = GatherSteps(plan);
  std::vector<Step> steps;
  if (plan.operation != CollectiveOperation::kAllGather)
    steps.assign(gather.rbegin(), gather.rend());
  if (plan.operation != CollectiveOperation::kReduceScatter) {
    steps.insert(steps.end(), gather.begin(), gather.end());
  }
  return steps;
}

class DoublingWriter {
 public:
  explicit DoublingWriter(CollectiveWriter& writer)
      : writer_(writer),
        plan_(writer.plan()),
        steps_(StepsOf(plan_)),
        protocol_(writer.AddProtocol(writer.ProtocolOf(plan_.protocol))) {
    const bool prologue = plan_.protocol != CollectiveProtocol::kLl;
    start_ = writer.StartOf(plan_.channels) +
             static_cast<Tick>(prologue ? writer.cluster().times.prologue_s * 1e12 : 0);
    for (const Step& step : steps_) sequences_.push_back(SequenceOf(step));
  }

  void Write() {
    for (std::int64_t channel = 0; channel < plan_.channels; ++channel) WriteChannel(channel);
  }

 private:
  /// Piece by piece, sent and then received, so that neither side waits for room forever.
  std::int32_t SequenceOf(const Step& step) {
    const CollectiveProtocolSpec& spec = SpecOf(writer_.cluster().library, plan_.protocol);
    const std::int64_t most = spec.step_bytes * spec.slice_steps;
    std::vector<Primitive> sequence;
    std::int64_t left = CeilDivide(plan_.bytes * step.parts, plan_.ranks * plan_.channels);
    while (left > 0) {
      Primitive p;
      p.bytes = p.piece_bytes = std::min(left, most);
      p.sends = true;
      sequence.push_back(p);
      p.sends = false;
      p.receives = true;
      sequence.push_back(p);
      left -= p.bytes;
    }
    return writer_.AddSequence(std::move(sequence));
  }

  std::int64_t PeerOf(std::int64_t rank, std::int64_t distance, bool to) const {
    if (plan_.algorithm == CollectiveAlgorithm::kHalvingDoubling) return rank ^ distance;
    return (rank + (to ? distance : plan_.ranks - distance)) % plan_.ranks;
  }

  void WriteChannel(std::int64_t channel) {
    const auto first = static_cast<std::int64_t>(writer_.program().lanes.size());
    const auto steps = static_cast<std::int64_t>(steps_.size());
    const auto lane_of = [&](std::int64_t rank, std::int64_t step) {
      return static_cast<std::int32_t>(first + rank * steps + step);
    };
    for (std::int64_t rank = 0; rank < plan_.ranks; ++rank) {
      for (std::int64_t s = 0; s < steps; ++s) {
        const std::int64_t distance = steps_[static_cast<std::size_t>(s)].distance;
        const std::int64_t to = PeerOf(rank, distance, true);
        Lane lane;
        lane.rank = static_cast<std::int32_t>(rank);
        lane.cta = static_cast<std::int32_t>(channel);
        lane.protocol = protocol_;
        lane.sequence = sequences_[static_cast<std::size_t>(s)];
        lane.to = lane_of(to, s);
        lane.from = lane_of(PeerOf(rank, distance, false), s);
        lane.route = writer_.RouteBetween(rank, to);
        if (s > 0) lane.after = lane_of(rank, s - 1);
        lane.start = s == 0 ? start_ : 0;
        writer_.AddLane(lane);
      }
    }
  }

  CollectiveWriter& writer_;
  const CollectivePlan& plan_;
  std::vector<Step> steps_;
  std::vector<std::int32_t> sequences_;  ///< by step
  std::int32_t protocol_;
  Tick start_ = 0;
};

}  // namespace

void WriteDoubling(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  std::int64_t parts = 0;
  for (const Step& step : StepsOf(plan)) parts += step.parts;
  writer.program().wire_bytes_per_rank = parts * CeilDivide(plan.bytes, plan.ranks);
  DoublingWriter(writer).Write();
}

}  // namespace siliscope
