// SPDX-License-Identifier: Apache-2.0
// Collectives in the switch. All-reduce (NCCL, src/device/all_reduce.h, RunAllReduce NVLS): in each
// CTA some warps copy to a buffer that the switch reads from all chips, some read it through the
// switch, which adds, and multicast the sums, some copy these out. A sum waits for all ranks'
// copies, and what is copied out for all ranks' sums. Of a reduce-scatter each rank keeps its part
// of the sums; of an all-gather each multicasts its part, which it need not copy first.
#include <algorithm>
#include <array>
#include <cmath>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"

namespace siliscope {
namespace {

/// Larger ones for more data (src/enqueue.cc, calcCollChunking).
std::int64_t ChunkOf(const CollectivePlan& plan) {
  constexpr std::array<std::pair<std::int64_t, std::int64_t>, 3> kChunks = {
      {{131072, 64}, {65536, 8}, {32768, 2}}};
  std::int64_t chunk = 131072;
  for (const auto& [most, factor] : kChunks) {
    const std::int64_t concurrent = plan.channels * plan.ranks;
    if (plan.bytes < factor * concurrent * most && chunk > most / 2) chunk = most / 2;
  }
  return chunk;
}

/// To each switch that adds up, and back from it, as far as much data goes there.
std::int32_t WaysOf(CollectiveWriter& writer, std::int64_t rank) {
  const Topology& topology = writer.cluster().topology;
  const CollectiveOperation operation = writer.plan().operation;
  std::vector<Way> ways;
  for (std::size_t e = 0; e < topology.edges.size(); ++e) {
    const TopologyEdge& edge = topology.edges[e];
    if (edge.a != rank && edge.b != rank) continue;
    const auto up = static_cast<std::int32_t>(2 * e) + (edge.a == rank ? 0 : 1);
    const auto end = static_cast<std::size_t>(EndOf(topology, up));
    if (!topology.nodes[end].reduces_in_network) continue;
    Way way{{up, up ^ 1}, edge.links};
    if (operation == CollectiveOperation::kReduceScatter) way.route = {up};
    if (operation == CollectiveOperation::kAllGather) way.route = {up ^ 1};
    ways.push_back(way);
  }
  return writer.AddWays(ways);
}

}  // namespace

void WriteNvls(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  const ClusterSpec& cluster = writer.cluster();
  const bool scatters = plan.operation != CollectiveOperation::kAllGather;
  const bool keeps_part = plan.operation == CollectiveOperation::kReduceScatter;
  const std::int64_t chunk = ChunkOf(plan);
  const std::int64_t of_cta = CeilDivide(plan.bytes, plan.channels);
  const std::int64_t loop = chunk * plan.ranks;
  TransferProtocol stage;
  stage.name = "nvls";
  stage.bytes_per_s = stage.local_bytes_per_s =
      writer.PerSecond(cluster.library.nvls_bytes_per_cycle);
  stage.overhead = static_cast<Tick>(std::llround(cluster.library.nvls_stage_s * 1e12));
  stage.buffered = 2;
  const std::int32_t local = writer.AddProtocol(stage);
  // Of an all-reduce each rank's part of the buffer is read by the one that adds it up, and comes
  // back as sums. Else a rank's threads move one part, while its links carry those of all.
  const bool both = plan.operation == CollectiveOperation::kAllReduce;
  const auto ranks = static_cast<double>(plan.ranks);
  stage.wire_bytes_per_byte = both ? 1 + 1 / ranks : ranks;
  const std::int32_t through_switch = writer.AddProtocol(stage);
  Primitive whole, part;
  whole.bytes = of_cta;
  whole.piece_bytes = loop;
  part.bytes = CeilDivide(of_cta, plan.ranks);
  part.piece_bytes = chunk;
  whole.sends = part.sends = true;
  const std::int32_t scatter = writer.AddSequence({whole});
  whole.receives = part.receives = scatters;
  const std::int32_t middle = writer.AddSequence({both ? whole : part});
  whole.receives = part.receives = true;
  whole.sends = part.sends = false;
  const std::int32_t gather = writer.AddSequence({keeps_part ? part : whole});
  writer.program().wire_bytes_per_rank = plan.bytes + (both ? plan.bytes / plan.ranks : 0);
  const int stages = scatters ? 3 : 2;
  for (std::int64_t rank = 0; rank < plan.ranks; ++rank) {
    const std::int32_t route = WaysOf(writer, rank);
    for (std::int64_t channel = 0; channel < plan.channels; ++channel) {
      // Lanes of a stage of this channel, of all ranks: what each has scattered is read by all, and
      // each one's sums go to all.
      Lane lane;
      lane.rank = static_cast<std::int32_t>(rank);
      lane.cta = static_cast<std::int32_t>(channel);
      lane.start = writer.StartOf(plan.channels);
      lane.group = static_cast<std::int32_t>(plan.ranks);
      lane.stride = static_cast<std::int32_t>(plan.channels * stages);
      auto next = static_cast<std::int32_t>(channel * stages);
      if (scatters) {
        lane.protocol = local;
        lane.sequence = scatter;
        lane.to = next + 1;
        writer.AddLane(lane);
        lane.from = next++;
      }
      lane.protocol = through_switch;
      lane.sequence = middle;
      lane.to = next + 1;
      lane.route = route;
      writer.AddLane(lane);
      lane.protocol = local;
      lane.sequence = gather;
      lane.from = next;
      lane.to = kNoLane;
      lane.route = -1;
      writer.AddLane(lane);
    }
  }
}

}  // namespace siliscope
