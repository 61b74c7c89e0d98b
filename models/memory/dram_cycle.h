// SPDX-License-Identifier: Apache-2.0
// One DRAM channel at cycle zoom: every burst, every command. A first-ready, first-come controller
// with a window of requests issues at most one activate or precharge and one column command a
// clock, each only when all its timings allow; refresh closes all banks. It knows the same timings
// as the tile zoom (dram_channel.h) and the same address mapping, but no stretch and no bus time.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "sim/contract/dram_spec.h"
#include "sim/core/time.h"

namespace siliscope {

class DramCycle {
 public:
  explicit DramCycle(const DramTiming& timing);

  /// Queues a request; requests must come in order of `arrival`.
  void Enqueue(Tick arrival, std::int64_t address, std::int64_t bytes, bool write);
  /// Runs to the end of the last burst; returns that time.
  Tick Run();

 private:
  struct Burst {
    Tick arrival;
    std::int64_t bank, row;  ///< bank over all groups
    bool write;
  };
  struct Bank {
    std::int64_t open_row = -1;
    Tick activated = 0, activate_ready = 0, column_ready = 0, precharge_ready = 0;
  };

  bool TryColumn(Tick now);
  bool TryRow(Tick now);
  bool ActivateAllowed(Tick now) const;
  void Refresh(Tick now);

  DramTiming t_;
  Tick clock_, burst_, trcd_, trp_, tras_, tcl_, tcwl_, tccd_l_, trrd_, tfaw_, twr_, twtr_, trtp_,
      trefi_, trfc_;
  std::deque<Burst> queue_;
  std::vector<Bank> banks_;
  std::deque<Tick> activates_;
  std::vector<Tick> group_column_;
  Tick bus_free_ = 0, write_data_end_ = 0, read_data_end_ = 0, end_ = 0;
  Tick next_refresh_ = 0;
  bool any_column_ = false, last_write_ = false;
};

}  // namespace siliscope
