// SPDX-License-Identifier: Apache-2.0
// The event queue of one chip: plain callbacks in order of (time, priority, sequence), so that
// equal times run in the same order on every machine and at every zoom. (SystemC's own heap orders
// equal times arbitrarily; on a tile model that alone moves results by 2%.) No std::function and no
// allocation per event.
#pragma once

#include <algorithm>
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
  bool empty() const { return next() == kNever; }
  /// Events that are scheduled, without the one that runs.
  std::size_t pending() const { return heap_.size() + (early_.when == kNever ? 0 : 1); }
  Tick next() const { return std::min(early_.when, heap_.empty() ? kNever : heap_.top().when); }
  std::uint64_t events_run() const { return events_run_; }

  /// Schedules a callback at `when`, which must not lie in the past. Of equal times the lowest
  /// priority runs first, then the one that was scheduled first.
  void Schedule(Tick when, Callback callback, void* context, std::uint64_t argument,
                std::uint16_t priority = 0) {
    assert(when >= now_);
    const std::uint64_t rank = (std::uint64_t{priority} << 48) | sequence_++;
    const Event event{when, rank, callback, context, argument};
    if (early_ < event) {
      if (early_.when != kNever) heap_.push(early_);
      early_ = event;
    } else {
      heap_.push(event);
    }
  }

  /// Runs every event up to and including `limit`; returns the time of the next one, or kNever.
  Tick RunUntil(Tick limit) {
    for (;;) {
      Event event = early_;
      if (!heap_.empty() && event < heap_.top()) {
        event = heap_.top();
        if (event.when > limit) break;
        heap_.pop();
      } else {
        if (event.when > limit || event.when == kNever) break;
        early_.when = kNever;
      }
      now_ = event.when;
      ++events_run_;
      event.callback(event.context, event.argument);
    }
    return next();
  }

 private:
  struct Event {
    Tick when = kNever;
    std::uint64_t rank = 0;  ///< priority, then sequence
    Callback callback = nullptr;
    void* context = nullptr;
    std::uint64_t argument = 0;
    bool operator<(const Event& other) const {  // boost heaps are max-heaps
      return when != other.when ? when > other.when : rank > other.rank;
    }
  };

  boost::heap::d_ary_heap<Event, boost::heap::arity<4>> heap_;
  /// Of what was scheduled lately, the first: often the next to run, which then spares the heap.
  Event early_;
  Tick now_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
};

}  // namespace siliscope
