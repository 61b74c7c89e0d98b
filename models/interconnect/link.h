// SPDX-License-Identifier: Apache-2.0
// Links between two nodes at tile zoom: bursts of packets queue at the sender, pass at the wire's
// rate with their headers as far as the receiver has room, and are answered in the opposite
// direction. A damaged packet is sent again, and all that followed it.
#pragma once

#include <cstdint>
#include <systemc>
#include <vector>

#include "sim/contract/cluster_model.h"
#include "sim/contract/topology.h"
#include "sim/core/time.h"

namespace siliscope {

/// Packets of one lane that follow each other.
struct Burst {
  Tick ready = 0;          ///< the first packet is at the sender
  Tick complete = 0;       ///< the last packet is
  std::int64_t bytes = 0;  ///< of data
  bool copy_engine = false;
  bool reads = false;
  std::uint8_t traffic_class = 0;
  float weight = 0;  ///< of its class; 0 = first come, first served
};

struct Passage {
  Tick begins = 0;  ///< the first flit leaves
  Tick first = 0;   ///< the first packet is at the far end
  Tick served = 0;  ///< the last flit has left
  Tick last = 0;    ///< the last packet is at the far end
};

class LinkPort : public virtual sc_core::sc_interface {
 public:
  virtual Passage Pass(const Burst& burst) = 0;
};

/// One direction.
class LinkDirection : public sc_core::sc_module, public LinkPort {
 public:
  sc_core::sc_export<LinkPort> port{"port"};

  LinkDirection(const sc_core::sc_module_name& name, const LinkSpec& spec, std::int64_t links,
                double node_latency_s);

  /// The direction that its packets' responses take.
  void AnswerOn(LinkDirection* opposite) { opposite_ = opposite; }

  Passage Pass(const Burst& burst) override;

  LinkUse use() const;

 private:
  /// Responses that wait go between the packets.
  void Answer(std::int64_t bytes) { owed_bytes_ += bytes; }
  /// What a burst is on the wire.
  struct Form {
    std::int64_t bytes = -1;
    bool copy_engine = false, reads = false;
    std::int64_t wire_bytes = 0, opposite_bytes = 0;
    Tick first_packet = 0;
  };
  const Form& FormOf(const Burst& burst);
  Tick Replays(std::int64_t wire_bytes);
  Tick SharedUntil(const Burst& burst, Tick begins, Tick sending);
  Tick RoomFrom(Tick begins, std::int64_t wire_bytes);

  // What each burst touches lies together.
  Form form_;  ///< of the last burst: most are alike
  double bytes_per_s_, error_rate_, damaged_per_byte_ = 0;
  Tick latency_;
  Tick free_at_ = 0;
  std::int64_t owed_bytes_ = 0;
  std::int64_t window_bytes_ = 0;  ///< on their way, or not yet acknowledged, at most; 0 = enough
  LinkDirection* opposite_ = nullptr;
  LinkUse use_;
  Tick round_trip_;     ///< from a packet's first flit until its place is free again
  Tick room_at_ = 0;    ///< when all that was sent is acknowledged, at the window's rate
  double damaged_ = 0;  ///< packets, of the next error a part
  const LinkSpec spec_;
  /// Traffic that shares the wire by weights.
  struct Share {
    float weight = 0;
    Tick free_at = 0, last = 0;  ///< all of it has left; what its last burst took
    double served = 0;           ///< time on the wire / weight, since the wire was idle
  };
  std::vector<Share> shares_;  ///< by class
};

}  // namespace siliscope
