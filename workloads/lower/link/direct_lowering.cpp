// SPDX-License-Identifier: Apache-2.0
// Sends and receives between pairs (NCCL, src/device/sendrecv.h): a peer's data is cut into parts,
// each of a CTA whose one half of the warps sends while the other copies out what has come.
#include <algorithm>
#include <cmath>

#include "sim/core/ceil_divide.h"
#include "workloads/lower/link/collective_lowering.h"

namespace siliscope {
namespace {

struct Parts {
  std::int64_t count = 1;
  std::int64_t bytes = 0;
  bool ll = false;
};

/// Versions differ: the protocol is chosen by a peer's bytes, or by a part's once parts are made.
Parts PartsOf(const CollectiveLibrarySpec& library, std::int64_t ranks, std::int64_t peer_bytes) {
  Parts parts;
  std::int64_t most = library.p2p_channels;
  while (most > 1 && most * ranks > library.p2p_channels) most /= 2;
  parts.ll = !library.p2p_parts_first && peer_bytes <= library.p2p_ll_bytes;
  const std::int64_t least = parts.ll ? library.p2p_ll_part_bytes : library.p2p_part_bytes;
  parts.count = std::clamp(CeilDivide(peer_bytes, least), std::int64_t{1}, most);
  while (parts.count * 2 <= library.p2p_channels && library.p2p_most_part_bytes > 0 &&
         CeilDivide(peer_bytes, parts.count) > library.p2p_most_part_bytes) {
    parts.count *= 2;
  }
  parts.bytes = CeilDivide(peer_bytes, parts.count);
  if (library.p2p_parts_first) parts.ll = parts.bytes <= library.p2p_ll_bytes;
  return parts;
}

bool ToOne(const CollectivePlan& plan) {
  return plan.operation == CollectiveOperation::kSendReceive ||
         plan.operation == CollectiveOperation::kSend;
}

/// Of all-to-all (or what sends every part where it belongs), all others; a send and receive is to
/// the next rank and from the one before. A send is of rank 0, to rank 1.
std::int64_t PeersOf(const CollectivePlan& plan) { return ToOne(plan) ? 1 : plan.ranks - 1; }

class DirectWriter {
 public:
  DirectWriter(CollectiveWriter& writer, const Parts& parts)
      : writer_(writer),
        parts_(parts),
        peers_(PeersOf(writer.plan())),
        ctas_(parts.count * peers_) {
    const CollectiveLibrarySpec& library = writer.cluster().library;
    const auto kind = parts.ll ? CollectiveProtocol::kLl : CollectiveProtocol::kSimple;
    TransferProtocol send = writer.ProtocolOf(kind);
    if (!parts.ll)
      send.bytes_per_s =
          writer.PerSecond(writer.cluster().reads_peers ? library.p2p_read_bytes_per_cycle
                                                        : library.p2p_send_bytes_per_cycle);
    send.overhead = 0;
    TransferProtocol drain = send;
    drain.local_bytes_per_s = writer.PerSecond(parts.ll ? library.ll.local_bytes_per_cycle
                                                        : library.p2p_drain_bytes_per_cycle);
    send_ = writer.AddProtocol(send);
    drain_ = writer.AddProtocol(drain);
    Primitive p;
    p.bytes = parts.bytes;
    p.piece_bytes = parts.ll ? library.ll.step_bytes : library.p2p_chunk_bytes;
    p.sends = true;
    sending_ = writer.AddSequence({p});
    p.sends = false;
    p.receives = true;
    draining_ = writer.AddSequence({p});
    const ClusterTimesSpec& times = writer.cluster().times;
    const auto peers = static_cast<double>(peers_);
    group_ = static_cast<Tick>(std::llround((times.group_s + times.group_peer_s * peers) * 1e12));
  }

  void Write() {
    const std::int64_t ranks = writer_.plan().ranks;
    const bool one_way = writer_.plan().operation == CollectiveOperation::kSend;
    for (std::int64_t rank = 0; rank < (one_way ? 1 : ranks); ++rank) {
      for (std::int64_t away = 1; away <= peers_; ++away) {
        for (std::int64_t part = 0; part < parts_.count; ++part) {
          Send(rank, (rank + away) % ranks, (away - 1) * parts_.count + part);
        }
      }
    }
  }

 private:
  void Send(std::int64_t from, std::int64_t to, std::int64_t cta) {
    Lane lane;
    lane.cta = static_cast<std::int32_t>(cta);
    lane.start = writer_.StartOf(ctas_) + group_;
    const auto index = static_cast<std::int32_t>(writer_.program().lanes.size());
    lane.rank = static_cast<std::int32_t>(from);
    lane.protocol = send_;
    lane.sequence = sending_;
    lane.to = index + 1;
    lane.route = writer_.RouteBetween(from, to);
    writer_.AddLane(lane);
    lane.rank = static_cast<std::int32_t>(to);
    lane.protocol = drain_;
    lane.sequence = draining_;
    lane.to = kNoLane;
    lane.from = index;
    lane.route = -1;
    writer_.AddLane(lane);
  }

  CollectiveWriter& writer_;
  Parts parts_;
  std::int64_t peers_, ctas_;
  std::int32_t send_ = 0, drain_ = 0, sending_ = 0, draining_ = 0;
  Tick group_ = 0;
};

/// By a copy engine, which no SM's rate limits; the far end only has to see that it is done.
void WriteCopy(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  TransferProtocol engine;
  engine.name = "copy_engine";
  constexpr double kUnlimited = 1e15;
  engine.bytes_per_s = engine.local_bytes_per_s = kUnlimited;
  engine.copy_engine = true;
  engine.reads = plan.from >= plan.ranks;
  const std::int32_t protocol = writer.AddProtocol(engine);
  Primitive p;
  p.bytes = plan.bytes;
  p.piece_bytes = 1 << 20;
  p.sends = true;
  Lane lane;
  lane.protocol = protocol;
  lane.sequence = writer.AddSequence({p});
  // Where one end is a host's memory, the chip's engine does all of it.
  const bool to_host = plan.to >= plan.ranks, from_host = plan.from >= plan.ranks;
  lane.rank = static_cast<std::int32_t>(from_host ? plan.to : plan.from);
  lane.to = 1;
  lane.route = writer.RouteBetween(plan.from, plan.to);
  lane.start = writer.StartOf(1);
  writer.AddLane(lane);
  p.sends = false;
  p.receives = true;
  lane.sequence = writer.AddSequence({p});
  lane.rank = static_cast<std::int32_t>(to_host ? plan.from : plan.to);
  lane.cta = to_host || from_host ? 1 : 0;
  lane.from = 0;
  lane.to = kNoLane;
  lane.route = -1;
  writer.AddLane(lane);
  writer.program().protocol_name = engine.name;
  writer.program().wire_bytes_per_rank = plan.bytes;
}

}  // namespace

void WriteDirect(CollectiveWriter& writer) {
  const CollectivePlan& plan = writer.plan();
  if (plan.operation == CollectiveOperation::kCopy) return WriteCopy(writer);
  const std::int64_t peers = PeersOf(plan);
  const std::int64_t peer_bytes = ToOne(plan) ? plan.bytes : CeilDivide(plan.bytes, plan.ranks);
  const Parts parts = PartsOf(writer.cluster().library, plan.ranks, peer_bytes);
  LinkProgram& program = writer.program();
  // Sends to several peers share a CTA where there are more of them than CTAs.
  program.channels = std::min(parts.count * peers, writer.cluster().library.p2p_channels);
  program.protocol_name =
      ProtocolName(parts.ll ? CollectiveProtocol::kLl : CollectiveProtocol::kSimple);
  program.wire_bytes_per_rank = peer_bytes * peers;
  DirectWriter(writer, parts).Write();
}

}  // namespace siliscope
