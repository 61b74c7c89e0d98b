// SPDX-License-Identifier: Apache-2.0
// Rings (NCCL, src/device/all_reduce.h, all_gather.h, reduce_scatter.h): a channel's CTA runs its
// steps one after another, the last of which only copies within its chip.
#include <algorithm>
#include <cmath>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"

namespace siliscope {
namespace {

/// Data of a channel's chunk, at most.
std::int64_t MostChunk(const CollectiveWriter& writer) {
  const CollectiveProtocolSpec& spec = SpecOf(writer.cluster().library, writer.plan().protocol);
  return spec.step_bytes * spec.chunk_steps;
}

/// What of a chunk is posted at a time. (Lines of LL and LL128 carry their flags, but the warps of
/// all channels share the wire line by line, so that each warp's last line comes at the end.)
std::int64_t PieceOf(const CollectiveWriter& writer, std::int64_t chunk) {
  const CollectiveLibrarySpec& library = writer.cluster().library;
  const CollectiveProtocolSpec& spec = SpecOf(library, writer.plan().protocol);
  const std::int64_t slice = CeilDivide(chunk * spec.slice_steps, spec.chunk_steps);
  return spec.slice_steps == spec.chunk_steps ? slice : std::max(slice, library.least_slice_bytes);
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

void WriteRing(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  const bool all_reduce = plan.operation == CollectiveOperation::kAllReduce;
  const std::int64_t of_chunks = CeilDivide(plan.bytes, plan.ranks * plan.channels);
  std::vector<Primitive> sequence;
  for (std::int64_t left = of_chunks; left > 0;) {
    const std::int64_t chunk = std::min(left, MostChunk(writer));
    AddLoop(writer, chunk, &sequence);
    left -= chunk;
  }
  const std::int32_t in_order = writer.AddSequence(std::move(sequence));
  const std::int32_t protocol = writer.AddProtocol(writer.ProtocolOf(plan.protocol));
  writer.program().wire_bytes_per_rank =
      (all_reduce ? 2 : 1) * (plan.ranks - 1) * CeilDivide(plan.bytes, plan.ranks);
  const bool prologue = plan.protocol != CollectiveProtocol::kLl;
  for (std::int64_t channel = 0; channel < plan.channels; ++channel) {
    const auto first = static_cast<std::int32_t>(writer.program().lanes.size());
    for (std::int64_t rank = 0; rank < plan.ranks; ++rank) {
      const std::int64_t next = (rank + 1) % plan.ranks;
      const std::int64_t before = (rank + plan.ranks - 1) % plan.ranks;
      Lane lane;
      lane.rank = static_cast<std::int32_t>(rank);
      lane.cta = static_cast<std::int32_t>(channel);
      lane.protocol = protocol;
      lane.sequence = in_order;
      lane.to = first + static_cast<std::int32_t>(next);
      lane.from = first + static_cast<std::int32_t>(before);
      lane.route = writer.RouteBetween(rank, next);
      lane.start = writer.StartOf(plan.channels) +
                   static_cast<Tick>(prologue ? writer.cluster().times.prologue_s * 1e12 : 0);
      writer.AddLane(lane);
    }
  }
}

}  // namespace siliscope
