// SPDX-License-Identifier: Apache-2.0
// The event queue of one chip: plain callbacks in order of (time, priority, sequence), so that
// equal times run in the same order on every machine and at every zoom. (SystemC's own heap orders
// equal times arbitrarily; on a tile model that alone moves results by 2%.) No std::function and no
// allocation per event.
#pragma once

#include <boost/heap/d_ary_heap.hpp>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "sim/core/time.h"

namespace siliscope {

class EventQueue {
 public:
  /// Called as callback(context, argument) when its time comes.
  using Callback = void (*)(void* context, std::uint64_t argument);

  Tick now() const { return now_; }
  bool empty() const { return heap_.empty(); }
  /// Events that are scheduled, without the one that runs.
  std::size_t pending() const { return heap_.size(); }
  Tick next() const { return heap_.empty() ? kNever : heap_.top().when; }
  std::uint64_t events_run() const { return events_run_; }

  /// Schedules a callback at `when`, which must not lie in the past. Of equal times the lowest
  /// priority runs first, then the one that was scheduled first.
  void Schedule(Tick when, Callback callback, void* context, std::uint64_t argument,
                std::uint16_t priority = 0) {
    assert(when >= now_);
    const std::uint64_t rank = (std::uint64_t{priority} << 48) | sequence_++;
    heap_.push(Event{when, rank, callback, context, argument});
  }

  /// Runs every event up to and including `limit`; returns the time of the next one, or kNever.
  Tick RunUntil(Tick limit) {
    while (!heap_.empty() && heap_.top().when <= limit) {
      const Event event = heap_.top();
      heap_.pop();
      now_ = event.when;
      ++events_run_;
      event.callback(event.context, event.argument);
    }
    return next();
  }

 private:
  struct Event {
    Tick when;
    std::uint64_t rank;  ///< priority, then sequence
    Callback callback;
    void* context;
    std::uint64_t argument;
    bool operator<(const Event& other) const {  // boost heaps are max-heaps
      return when != other.when ? when > other.when : rank > other.rank;
    }
  };

  boost::heap::d_ary_heap<Event, boost::heap::arity<4>> heap_;
  Tick now_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
};

}  // namespace siliscope
