// SPDX-License-Identifier: Apache-2.0
// What moves data between chips, as a collective library's kernel does it: lanes (the threads of a
// CTA that work together) run primitives one after another; each waits for what it receives, moves
// it piece by piece, and posts it to the lane that it sends to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/core/time.h"

namespace siliscope {

/// Collectives that can share links by weights.
inline constexpr std::size_t kMostTrafficClasses = 8;

/// How a lane moves data.
struct TransferProtocol {
  std::string name;
  double wire_bytes_per_byte = 1;
  double bytes_per_s = 0;        ///< of one lane onto the wire
  double local_bytes_per_s = 0;  ///< of one lane within its chip
  Tick overhead = 0;             ///< before each piece
  Tick hop = 0;                  ///< from the last byte's arrival until the peer goes on
  std::int32_t buffered = 4;     ///< pieces that may be sent and not yet taken
  bool copy_engine = false;      ///< packets are as a copy engine makes them, not as stores of SMs
  bool reads = false;            ///< the receiver reads: requests go the other way, not responses
  std::uint8_t traffic_class = 0;  ///< the collective whose it is, of several
  float weight = 0;                ///< of that one on links; 0 = first come, first served
};

/// A step of a lane: receive, reduce, copy, send, as its flags say.
struct Primitive {
  std::int64_t bytes = 0;  ///< of data
  std::int64_t piece_bytes = 0;
  std::int32_t repeat = 1;  ///< so many steps alike follow each other
  bool receives = false;
  bool sends = false;
  std::uint8_t source = 0;  ///< of the lane's two, from which it receives
  std::uint8_t target = 0;  ///< of the lane's two, to which it sends
  float copies = 1;  ///< of its data, that a local step makes: two results of one source are 1.5
};

inline constexpr std::int32_t kNoLane = -1;

struct Lane {
  std::int32_t rank = 0;
  std::int32_t cta = 0;       ///< of its rank's kernel
  std::int32_t protocol = 0;  ///< index into LinkProgram::protocols
  std::int32_t sequence = 0;  ///< index into LinkProgram::sequences
  /// The lanes that receive what this one sends, and those it receives from: one, or a tree's two.
  std::int32_t to = kNoLane, second_to = kNoLane;
  std::int32_t from = kNoLane, second_from = kNoLane;
  /// Indices into LinkProgram::routes, to each; -1 = that lane is on this chip.
  std::int32_t route = -1, second_route = -1;
  /// Where a switch adds up or multicasts: so many lanes, `stride` apart, are in the place of `to`
  /// and of `from`. A piece has come when all of them have sent it.
  std::int32_t group = 1, stride = 0;
  std::int32_t after = kNoLane;  ///< the lane of its rank that must be done before it begins
  Tick start = 0;                ///< not before; after another lane: so much later
};

inline std::int32_t TargetOf(const Lane& lane, int which) {
  return which == 0 ? lane.to : lane.second_to;
}
inline std::int32_t SourceOf(const Lane& lane, int which) {
  return which == 0 ? lane.from : lane.second_from;
}
inline std::int32_t RouteOf(const Lane& lane, int which) {
  return which == 0 ? lane.route : lane.second_route;
}

struct LinkProgram {
  std::string operation;  ///< labels, for the reader
  std::string algorithm;
  std::string protocol_name;
  std::int64_t bytes = 0;  ///< as nccl-tests counts them
  std::int64_t ranks = 0;
  std::int64_t channels = 0;
  std::int64_t wire_bytes_per_rank = 0;  ///< of data that a rank must send at least
  std::vector<TransferProtocol> protocols;
  std::vector<std::vector<Primitive>> sequences;
  std::vector<std::vector<std::int32_t>> routes;  ///< directed links, in order
  /// Of a route, the routes that bursts take in turn: those through switches side by side. None =
  /// the route alone.
  std::vector<std::vector<std::int32_t>> turns;
  std::vector<Lane> lanes;
  std::vector<std::int32_t> first_lanes;  ///< of each collective, where several run side by side
  std::int64_t ranks_played = 0;          ///< the others do the same at the same times
  /// Of these ranks' links, how many links do the same, each itself included; none = one.
  std::map<std::int32_t, std::int64_t> links_alike;

  /// The routes that bursts of a lane of this route take in turn.
  std::vector<std::int32_t> TurnsOf(std::int32_t route) const {
    const auto at = static_cast<std::size_t>(route);
    return at < turns.size() && !turns[at].empty() ? turns[at] : std::vector<std::int32_t>{route};
  }
};

}  // namespace siliscope
