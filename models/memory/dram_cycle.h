// SPDX-License-Identifier: Apache-2.0
// One DRAM channel at cycle zoom: every burst, every command. A first-ready, first-come controller
// with a window of requests issues at most one activate or precharge and one column command a
// clock, each only when all its timings allow; refresh closes all banks. It knows the same timings
// as the tile zoom (dram_channel.h) and the same address mapping, but no stretch and no bus time.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "models/memory/dram_counters.h"
#include "sim/contract/dram_spec.h"
#include "sim/core/time.h"

namespace siliscope {

class DramCycle {
 public:
  explicit DramCycle(const DramTiming& timing);

  /// Queues a request that has arrived at the controller, in order of arrival. `tag` is given back
  /// when it is complete.
  void Enqueue(Tick arrival, std::int64_t address, std::int64_t bytes, bool write,
               std::uint32_t tag = 0);
  /// One slot of the command bus.
  void Step(Tick now);
  /// Steps until all requests are complete; returns the end of the last burst.
  Tick Run();
  bool Idle() const { return queue_.empty(); }
  /// The time from one command slot to the next.
  Tick slot() const { return clock_; }

  struct Completed {
    std::uint32_t tag;
    Tick first, end;  ///< data on the bus
  };
  /// Requests whose last burst was granted in the last step.
  const std::vector<Completed>& completed() const { return completed_; }

  const DramCounters& counters() const { return counters_; }
  std::size_t queued_bursts() const { return queue_.size(); }
  std::int64_t open_row(std::size_t bank) const { return banks_[bank].open_row; }
  std::size_t banks() const { return banks_.size(); }
  /// What the data bus carries.
  enum class Bus { kIdle, kRead, kWrite };
  Bus BusAt(Tick now);
  bool BusIdleFrom(Tick now) const { return now >= bus_free_; }

 private:
  struct Burst {
    Tick arrival;
    std::int64_t bank, row;  ///< bank over all groups
    bool write;
    std::uint32_t request;
  };
  struct Request {
    std::uint32_t tag = 0;
    std::int64_t bursts_left = 0;
    Tick first = kNever;
  };
  struct Bank {
    std::int64_t open_row = -1;
    Tick activate_ready = 0, column_ready = 0, precharge_ready = 0;
    bool fresh = false;  ///< just opened: the next burst is the miss's own
  };

  bool TryColumn(Tick now);
  void Grant(std::size_t index, Tick now, Tick data);
  bool TryRow(Tick now);
  bool ActivateAllowed(Tick now) const;
  void Refresh(Tick now);

  DramTiming t_;
  Tick clock_, burst_, trcd_, trp_, tras_, tcl_, tcwl_, tccd_l_, trrd_, tfaw_, twr_, twtr_, trtp_,
      trefi_, trfc_;
  std::deque<Burst> queue_;
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::vector<Completed> completed_;
  DramCounters counters_;
  struct Transfer {
    Tick begin;
    bool write;
  };
  std::deque<Transfer> transfers_;  ///< bursts whose data has not passed yet
  std::vector<Bank> banks_;
  std::deque<Tick> activates_;
  std::vector<Tick> group_column_;
  Tick bus_free_ = 0, write_data_end_ = 0, read_data_end_ = 0, end_ = 0;
  Tick next_refresh_ = 0, last_step_ = 0;
  bool any_column_ = false, last_write_ = false;
};

}  // namespace siliscope
