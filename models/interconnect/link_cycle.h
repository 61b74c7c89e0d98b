// SPDX-License-Identifier: Apache-2.0
// A link at cycle zoom: every flit of both directions, with credits for two virtual channels,
// acknowledgements, and replay from the packet whose check sum was wrong. The format is that of
// NVLink 1 (NVIDIA, Pascal whitepaper, 2016; Foley and Danskin, IEEE Micro 37-2, 2017), other links
// by their numbers. A cycle is the time of a flit.
#pragma once

#include <array>
#include <cstdint>
#include <deque>

#include "sim/contract/link_program.h"
#include "sim/contract/link_spec.h"

namespace siliscope {

enum class PacketKind : std::uint8_t { kWrite, kResponse, kReadRequest, kReadData };
inline constexpr std::size_t kPacketKinds = 4;

struct LinkPacket {
  PacketKind kind = PacketKind::kWrite;
  std::int64_t bytes = 0;  ///< of data: its own, or what a read asks for
  std::int64_t flits = 0;
  std::int64_t reply_flits = 0;  ///< of what a write is answered with
  bool begins = false;           ///< a message that is read
  std::size_t traffic_class = 0;
  double turn = 0;  ///< among classes of traffic that share by weights
  std::uint64_t sequence = 0;
};

/// What one direction sent and had to do with.
struct LinkCycleCounters {
  std::array<std::int64_t, kPacketKinds> packets{};
  std::int64_t data_bytes = 0;                                  ///< delivered by it
  std::array<std::int64_t, kMostTrafficClasses> class_bytes{};  ///< of these, by class of traffic
  std::int64_t data_flits = 0, header_flits = 0, acknowledge_flits = 0, replayed_flits = 0;
  std::int64_t idle_cycles = 0, credit_wait_cycles = 0, replay_wait_cycles = 0;
  std::int64_t errors = 0;
};

class LinkCycle {
 public:
  LinkCycle(const LinkSpec& spec, std::uint64_t seed);

  /// Data that direction `from` (0 or 1) writes, or that it reads from the other end, in packets of
  /// so many bytes.
  void Write(int from, std::int64_t bytes, std::int64_t packet_bytes);
  /// One packet, answered with so many flits: as many as the requests of data that is read.
  /// `weight` 0: first come, first served; else each class gets its share of the flits.
  void WritePacket(int from, std::int64_t bytes, std::int64_t reply_flits, bool begins,
                   std::size_t traffic_class = 0, double weight = 0);
  void Read(int from, std::int64_t bytes, std::int64_t packet_bytes);

  /// One flit time of both directions.
  void Step();
  /// All that was asked for is delivered and answered.
  bool Done() const;
  /// Where all is done: to a later cycle.
  void SkipTo(std::uint64_t cycle);
  std::uint64_t cycle() const { return cycle_; }
  const LinkCycleCounters& counters(int direction) const {
    return ends_[static_cast<std::size_t>(direction)].counters;
  }
  double SecondsOf(std::uint64_t cycles) const {
    return static_cast<double>(cycles) * static_cast<double>(spec_.flit_bytes) / spec_.bytes_per_s;
  }
  /// The kind of flit that a direction sends in this cycle, for waveforms: 0 none, 1 header, 2
  /// data, 3 acknowledgement.
  int sending(int direction) const { return ends_[static_cast<std::size_t>(direction)].sending; }

 private:
  static constexpr std::size_t kChannels = 2;  ///< requests, and what answers them

  struct Arrival {
    std::uint64_t cycle = 0;
    LinkPacket packet;
    bool damaged = false;
    std::int64_t acknowledges = -1;  ///< packets before this one are acknowledged; -1 = none
    bool asks_replay = false;
  };
  struct CreditReturn {
    std::uint64_t cycle = 0;
    std::size_t channel = 0;
    std::int64_t flits = 0;
  };
  /// The sender of one direction, and the receiver of the other at the same end.
  struct End {
    std::array<std::deque<LinkPacket>, kChannels> queues;
    std::array<std::deque<LinkPacket>, kMostTrafficClasses> shares;  ///< requests with a weight
    std::array<std::int64_t, kChannels> credits{};
    std::deque<LinkPacket> unacknowledged;
    std::size_t replay_from = 0;  ///< of these, where it is replaying
    bool replaying = false;
    LinkPacket current;
    std::int64_t left = 0;  ///< flits of the packet that is being sent
    std::uint64_t next_sequence = 0;
    std::uint64_t expected = 0;  ///< of the other direction
    std::int64_t to_acknowledge = 0;
    bool must_ask_replay = false;
    std::deque<Arrival> arrivals;  ///< on their way to this end
    std::deque<CreditReturn> returns;
    std::array<double, kMostTrafficClasses> turns{};  ///< of each class's last packet
    double turn = 0;                                  ///< of the packet that is being sent
    LinkCycleCounters counters;
    std::uint64_t heard = 0;  ///< when packets were acknowledged last, or the first was sent
    int sending = 0;
  };

  static std::size_t ChannelOf(PacketKind kind) {
    return kind == PacketKind::kWrite || kind == PacketKind::kReadRequest ? 0 : 1;
  }
  void Receive(End& end, End& other);
  void Deliver(End& end, const LinkPacket& packet);
  void Send(End& end, End& other);
  bool BeginPacket(End& end);
  /// The queue whose first packet is next in the channel; null where none waits.
  static std::deque<LinkPacket>* NextQueue(End& end, std::size_t channel);
  static bool Waits(const End& end);
  void FinishPacket(End& end, End& other);
  void SendAcknowledgement(End& end, End& other);
  /// Where a message begins, the address goes in full.
  void Enqueue(End& end, PacketKind kind, std::int64_t bytes, std::int64_t reply_flits = 0,
               bool begins = false);
  void ReplayWhereNothingIsHeard(End& end) const;
  bool Damaged(std::int64_t flits);

  LinkSpec spec_;
  std::uint64_t latency_cycles_, timeout_cycles_;
  std::uint64_t random_;
  std::uint64_t cycle_ = 0;
  std::array<End, 2> ends_;
};

}  // namespace siliscope
