// SPDX-License-Identifier: Apache-2.0
// The links between two nodes at cycle zoom, within a run: both directions flit by flit, with
// credits, acknowledgements and replays. The links side by side act as one of their joint rate and
// buffers.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <systemc>
#include <vector>

#include "models/interconnect/link.h"
#include "models/interconnect/link_cycle.h"

namespace siliscope {

class ZoomedLink : public sc_core::sc_module {
 public:
  /// One direction; 0 goes from node a to node b of the edge.
  class Direction : public LinkPort {
   public:
    Direction(ZoomedLink& link, int number) : link_(link), number_(number) {}
    Passage Pass(const Burst& burst) override { return link_.Pass(burst, number_); }

   private:
    ZoomedLink& link_;
    int number_;
  };

  sc_core::sc_export<LinkPort> forward{"forward"}, back{"back"};

  /// From one cycle on a direction sends: 0 nothing, 1 header, 2 data, 3 acknowledgement.
  struct Change {
    Tick when = 0;
    int direction = 0;
    int sending = 0;
  };

  /// `latencies_s`: of the nodes that the directions end in. `watched`: changes are kept.
  ZoomedLink(const sc_core::sc_module_name& name, const LinkSpec& spec, std::int64_t links,
             std::array<double, 2> latencies_s, bool watched);

  /// To the end of all that was sent.
  void Finish();
  const std::vector<Change>& changes() const { return changes_; }
  LinkUse use(int direction) const;

 private:
  /// Packets that come to a sender one after another.
  struct Offer {
    std::uint64_t cycle = 0;
    int direction = 0;
    std::int64_t bytes = 0, reply_flits = 0;
    bool begins = false;  ///< a burst
    std::size_t traffic_class = 0;
    double weight = 0;
  };
  struct State {
    LinkCycle link;
    std::deque<Offer> offers;  ///< by cycle
  };

  Passage Pass(const Burst& burst, int direction);
  static void Step(State* state);
  void AdvanceTo(std::uint64_t cycle);
  std::uint64_t CycleAt(Tick t) const;
  Tick TimeOf(std::uint64_t cycle) const;
  static LinkSpec Joined(LinkSpec spec, std::int64_t links);

  LinkSpec spec_;
  double cycle_ps_;
  std::array<Tick, 2> node_latency_{};
  bool watched_;
  std::array<int, 2> sending_{};
  std::vector<Change> changes_;
  std::array<Direction, 2> directions_;
  State state_;
  std::array<std::array<std::int64_t, kMostTrafficClasses>, 2> offered_{};  ///< bytes
  std::array<LinkUse, 2> uses_;
};

}  // namespace siliscope
