// SPDX-License-Identifier: Apache-2.0
// Rings (NCCL, src/device/all_reduce.h, all_gather.h, reduce_scatter.h): a channel's CTA runs its
// steps one after another, the last of which only copies within its chip.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"
#include "workloads/lower/link/link_symmetry.h"
#include "workloads/lower/link/ring_search.h"

namespace siliscope {
namespace {

/// Steps of a channel's buffer in a chunk and in a slice.
struct Steps {
  std::int64_t chunk = 1, slice = 1;
};
Steps StepsOf(const CollectiveProtocolSpec& spec, const CollectivePlan& plan) {
  if (IsChain(plan)) return {spec.chain_chunk_steps, spec.chain_slice_steps};
  return {spec.chunk_steps, spec.slice_steps};
}

/// Data of a channel's chunk, at most.
std::int64_t MostChunk(const CollectiveWriter& writer) {
  const CollectiveProtocolSpec& spec = SpecOf(writer.cluster().library, writer.plan().protocol);
  return spec.step_bytes * StepsOf(spec, writer.plan()).chunk;
}

/// What of a chunk is posted at a time. (Lines of LL and LL128 carry their flags, but the warps of
/// all channels share the wire line by line, so that each warp's last line comes at the end.)
std::int64_t PieceOf(const CollectiveWriter& writer, std::int64_t chunk) {
  const CollectiveLibrarySpec& library = writer.cluster().library;
  const CollectiveProtocolSpec& spec = SpecOf(library, writer.plan().protocol);
  const Steps steps = StepsOf(spec, writer.plan());
  const std::int64_t slice = CeilDivide(chunk * steps.slice, steps.chunk);
  return steps.slice == steps.chunk ? slice : std::max(slice, library.least_slice_bytes);
}

/// One loop over chunks of all ranks.
void AddLoop(const CollectiveWriter& writer, std::int64_t chunk, std::vector<Primitive>* sequence) {
  const auto steps = static_cast<std::int32_t>(RingSteps(writer.plan()));
  Primitive p;
  p.bytes = chunk;
  p.piece_bytes = PieceOf(writer, chunk);
  p.sends = true;
  sequence->push_back(p);  // its own
  p.receives = true;
  p.repeat = steps - 1;
  if (p.repeat > 0) sequence->push_back(p);
  p.repeat = 1;
  p.sends = false;
  // Where receivers read, the step within the chip is the first: an all-gather's goes to the result
  // and to the buffer that the next rank reads.
  const CollectivePlan& plan = writer.plan();
  if (plan.protocol == CollectiveProtocol::kSimple && writer.cluster().reads_peers &&
      plan.operation == CollectiveOperation::kAllGather) {
    p.copies = 1.5F;
  }
  sequence->push_back(p);  // the last goes nowhere
}

}  // namespace

namespace {

using Ring = std::vector<std::int32_t>;

/// The ways from one rank to the next, in turn.
std::vector<std::int32_t> StepOf(CollectiveWriter& writer, const Ring& ring, std::int64_t place) {
  const auto ranks = static_cast<std::int64_t>(ring.size());
  return writer.program().TurnsOf(
      writer.RouteBetween(ring[static_cast<std::size_t>(place % ranks)],
                          ring[static_cast<std::size_t>((place + 1) % ranks)]));
}

const Route& WayOf(CollectiveWriter& writer, std::int32_t route) {
  return writer.program().routes[static_cast<std::size_t>(route)];
}

/// Whether each link carries as many steps of all ranks as its representative does of those that
/// are played: else links that are shared would be shared by too few.
bool LoadsAgree(CollectiveWriter& writer, const std::vector<Ring>& rings, std::int64_t period,
                const LinkShift& shift, std::map<std::int32_t, std::int64_t>* alike) {
  std::map<std::int32_t, double> all, played;
  for (std::size_t r = 0; r < rings.size(); ++r) {
    // Channels take the rings in turn.
    const auto channels = static_cast<std::size_t>(writer.plan().channels);
    const auto weight = static_cast<std::int64_t>((channels + rings.size() - 1 - r) / rings.size());
    const auto ranks = static_cast<std::int64_t>(rings[r].size());
    for (std::int64_t i = 0; i < ranks; ++i) {
      const std::vector<std::int32_t> turns = StepOf(writer, rings[r], i);
      const double load = static_cast<double>(weight) / static_cast<double>(turns.size());
      for (const std::int32_t way : turns) {
        for (const std::int32_t link : WayOf(writer, way)) {
          all[link] += load;
          if (i < period) played[shift.Representative(link)] += load;
        }
      }
    }
  }
  const auto edges = static_cast<std::int32_t>(2 * writer.cluster().topology.edges.size());
  std::set<std::int32_t> used;
  for (const auto& [link, load] : all) {
    if (std::abs(load - played[shift.Representative(link)]) > 1e-6) return false;
    used.insert(link);
    if (link >= edges) continue;
    used.insert(link ^ 1);
    // Responses meet the data of the other direction: both must be played as such.
    if (shift.Representative(link ^ 1) != (shift.Representative(link) ^ 1)) return false;
  }
  for (const std::int32_t link : used) ++(*alike)[shift.Representative(link)];
  return true;
}

/// After how many places all rings repeat themselves over links alike: ranks from there on do what
/// the first do, at the same times, and so do their links.
std::int64_t PeriodOf(CollectiveWriter& writer, const std::vector<Ring>& rings,
                      std::optional<LinkShift>* shift) {
  std::map<std::int32_t, std::int64_t>& alike = writer.program().links_alike;
  const auto ranks = static_cast<std::int64_t>(rings.front().size());
  for (std::int64_t period = 1; period < ranks; ++period) {
    if (ranks % period != 0) continue;
    shift->emplace(writer.cluster().topology);
    bool same = true;
    for (const Ring& ring : rings) {
      for (std::int64_t i = 0; same && i < ranks; ++i) {
        const std::vector<std::int32_t> from = StepOf(writer, ring, i);
        const std::vector<std::int32_t> to = StepOf(writer, ring, i + period);
        same = from.size() == to.size();
        for (std::size_t turn = 0; same && turn < from.size(); ++turn) {
          same = (*shift)->Add(WayOf(writer, from[turn]), WayOf(writer, to[turn]));
        }
      }
    }
    if (same && LoadsAgree(writer, rings, period, **shift, &alike)) return period;
    alike.clear();
  }
  shift->reset();
  return ranks;
}

std::vector<Primitive> RingSequence(const CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  const std::int64_t of_chunks = CeilDivide(plan.bytes, plan.ranks * plan.channels);
  std::vector<Primitive> sequence;
  for (std::int64_t left = of_chunks; left > 0;) {
    const std::int64_t chunk = std::min(left, MostChunk(writer));
    AddLoop(writer, chunk, &sequence);
    left -= chunk;
  }
  return sequence;
}

std::vector<Primitive> ChainSequence(const CollectiveWriter& writer, bool receives, bool sends) {
  const CollectivePlan& plan = writer.plan();
  std::vector<Primitive> sequence;
  for (std::int64_t left = CeilDivide(plan.bytes, plan.channels); left > 0;) {
    Primitive p;
    p.bytes = std::min(left, MostChunk(writer));
    p.piece_bytes = PieceOf(writer, p.bytes);
    p.receives = receives;
    p.sends = sends;
    sequence.push_back(p);
    left -= p.bytes;
  }
  return sequence;
}

class RingWriter {
 public:
  explicit RingWriter(CollectiveWriter& writer)
      : writer_(writer),
        rings_(FindRings(writer.cluster().topology, writer.plan().ranks)),
        protocol_(writer.AddProtocol(writer.ProtocolOf(writer.plan().protocol))) {
    if (IsChain(writer.plan())) {
      first_ = writer.AddSequence(ChainSequence(writer, false, true));
      sequence_ = writer.AddSequence(ChainSequence(writer, true, true));
      last_ = writer.AddSequence(ChainSequence(writer, true, false));
    } else {
      sequence_ = writer.AddSequence(RingSequence(writer));
    }
    const bool prologue = writer.plan().protocol != CollectiveProtocol::kLl;
    start_ = writer.StartOf(writer.plan().channels) +
             static_cast<Tick>(prologue ? writer.cluster().times.prologue_s * 1e12 : 0);
  }

  void Write() {
    const bool chain = IsChain(writer_.plan());
    std::int64_t period = writer_.plan().ranks;
    if (writer_.plan().symmetry && !chain) period = PeriodOf(writer_, rings_, &shift_);
    writer_.program().ranks_played = period;
    for (std::int64_t channel = 0; channel < writer_.plan().channels; ++channel) {
      WriteChannel(channel, period, chain);
    }
    if (!shift_) return;
    for (Route& route : writer_.program().routes) {
      for (std::int32_t& link : route) link = shift_->Representative(link);
    }
  }

 private:
  /// A chain from the root, rank 0 (broadcast), or to it (reduce).
  void OrderChain(Ring* ring) const {
    const auto root = std::find(ring->begin(), ring->end(), 0);
    std::rotate(ring->begin(), root, ring->end());
    if (writer_.plan().operation == CollectiveOperation::kReduce) {
      std::rotate(ring->begin(), ring->begin() + 1, ring->end());
    }
  }

  void WriteChannel(std::int64_t channel, std::int64_t played, bool chain) {
    Ring ring = rings_[static_cast<std::size_t>(channel) % rings_.size()];
    if (chain) OrderChain(&ring);
    const auto first = static_cast<std::int32_t>(writer_.program().lanes.size());
    const auto ranks = static_cast<std::int64_t>(ring.size());
    for (std::int64_t i = 0; i < played; ++i) {
      Lane lane;
      lane.rank = ring[static_cast<std::size_t>(i)];
      lane.cta = static_cast<std::int32_t>(channel);
      lane.protocol = protocol_;
      lane.sequence = sequence_;
      lane.start = start_;
      lane.to = first + static_cast<std::int32_t>((i + 1) % played);
      lane.from = first + static_cast<std::int32_t>((i + played - 1) % played);
      lane.route = writer_.RouteBetween(lane.rank, ring[static_cast<std::size_t>((i + 1) % ranks)]);
      if (chain && i == 0) {
        lane.sequence = first_;
        lane.from = kNoLane;
      }
      if (chain && i == ranks - 1) {
        lane.sequence = last_;
        lane.to = kNoLane;
        lane.route = -1;
      }
      writer_.AddLane(lane);
    }
  }

  CollectiveWriter& writer_;
  std::vector<Ring> rings_;
  std::optional<LinkShift> shift_;
  std::int32_t protocol_, sequence_ = 0, first_ = 0, last_ = 0;
  Tick start_ = 0;
};

}  // namespace

void WriteRing(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  const bool all_reduce = plan.operation == CollectiveOperation::kAllReduce;
  writer.program().wire_bytes_per_rank =
      IsChain(plan) ? plan.bytes
                    : (all_reduce ? 2 : 1) * (plan.ranks - 1) * CeilDivide(plan.bytes, plan.ranks);
  RingWriter(writer).Write();
}

}  // namespace siliscope
