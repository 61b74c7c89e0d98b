// SPDX-License-Identifier: Apache-2.0
// The event queue of one chip: plain callbacks in order of (time, priority, sequence), so that
// equal times run in the same order on every machine and at every zoom. (SystemC's own heap orders
// equal times arbitrarily; on a tile model that alone moves results by 2%.) No std::function and no
// allocation per event.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/core/time.h"

namespace siliscope {

/// A heap of four children a node. What an event schedules takes the event's own place, as most
/// events schedule one other, and the least of four is found without branches; both halve the time
/// that boost::heap::d_ary_heap takes here.
class EventQueue {
 public:
  /// Called as callback(context, argument) when its time comes.
  using Callback = void (*)(void* context, std::uint64_t argument);

  Tick now() const { return now_; }
  bool empty() const { return pending() == 0; }
  /// Events that are scheduled, without the one that runs.
  std::size_t pending() const { return keys_.size() - (taken_ ? 1 : 0); }
  std::uint64_t events_run() const { return events_run_; }

  /// Schedules a callback at `when`, which must not lie in the past. Of equal times the lowest
  /// priority runs first, then the one that was scheduled first.
  void Schedule(Tick when, Callback callback, void* context, std::uint64_t argument,
                std::uint16_t priority = 0) {
    assert(when >= now_);
    Key key{when, (std::uint64_t{priority} << 48) | sequence_++, 0};
    if (free_.empty()) {
      key.place = calls_.size();
      calls_.push_back({callback, context, argument});
    } else {
      key.place = free_.back();
      free_.pop_back();
      calls_[key.place] = {callback, context, argument};
    }
    if (taken_) {
      taken_ = false;
      Sink(key);
    } else {
      Rise(key);
    }
  }

  /// Runs every event up to and including `limit`; returns the time of the next one, or kNever.
  Tick RunUntil(Tick limit) {
    while (!keys_.empty() && keys_.front().when <= limit) {
      const Key key = keys_.front();
      const Call call = calls_[key.place];
      free_.push_back(key.place);
      taken_ = true;
      now_ = key.when;
      ++events_run_;
      call.callback(call.context, call.argument);
      if (taken_) DropFirst();
    }
    return keys_.empty() ? kNever : keys_.front().when;
  }

 private:
  static constexpr std::size_t kChildren = 4;
  struct Key {
    Tick when;
    std::uint64_t rank;  ///< priority, then sequence
    std::size_t place;   ///< of the call
  };
  struct Call {
    Callback callback;
    void* context;
    std::uint64_t argument;
  };

  static bool Before(const Key& a, const Key& b) {
    return (a.when < b.when) | ((a.when == b.when) & (a.rank < b.rank));
  }

  void DropFirst() {
    taken_ = false;
    const Key last = keys_.back();
    keys_.pop_back();
    if (!keys_.empty()) Sink(last);
  }

  /// Puts a key in from the last place upwards.
  void Rise(const Key& key) {
    std::size_t at = keys_.size();
    keys_.push_back(key);
    while (at > 0) {
      const std::size_t parent = (at - 1) / kChildren;
      if (!Before(key, keys_[parent])) break;
      keys_[at] = keys_[parent];
      at = parent;
    }
    keys_[at] = key;
  }

  /// Puts a key in from the first place, which is free, downwards.
  void Sink(const Key& key) {
    Key* const keys = keys_.data();
    const std::size_t count = keys_.size();
    std::size_t at = 0;
    for (std::size_t first = 1; first < count; first = kChildren * at + 1) {
      std::size_t least = first;
      if (first + kChildren <= count) {
        const std::size_t left = first + (Before(keys[first + 1], keys[first]) ? 1 : 0);
        const std::size_t right = first + 2 + (Before(keys[first + 3], keys[first + 2]) ? 1 : 0);
        least = Before(keys[right], keys[left]) ? right : left;
      } else {
        for (std::size_t c = first + 1; c < count; ++c) {
          if (Before(keys[c], keys[least])) least = c;
        }
      }
      if (!Before(keys[least], key)) break;
      keys[at] = keys[least];
      at = least;
    }
    keys[at] = key;
  }

  std::vector<Key> keys_;
  std::vector<Call> calls_;
  std::vector<std::size_t> free_;  ///< places among the calls
  bool taken_ = false;             ///< the first key's event runs
  Tick now_ = 0;
  std::uint64_t sequence_ = 0;
  std::uint64_t events_run_ = 0;
};

}  // namespace siliscope
