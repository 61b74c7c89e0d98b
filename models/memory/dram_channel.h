// SPDX-License-Identifier: Apache-2.0
// One DRAM channel at tile zoom: the state of its banks and its data bus, advanced by stretches of
// consecutive bytes that lie in one row of each bank group. Rows are opened ahead of the data as
// soon as a request is known; what can't be hidden (refresh, activate limits, turnaround, row
// misses of short accesses) is lost on the bus. There is no efficiency factor.
//
// Address mapping inside a channel: bursts go round the bank groups first, then along the row, then
// to the next bank of each group, then to the next row; so a long stream keeps one row of every
// bank group open. Source of the rules: JEDEC JESD79-3F (DDR3) and its successors.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "models/memory/dram_counters.h"
#include "models/memory/idle_gaps.h"
#include "sim/contract/dram_spec.h"
#include "sim/core/divisor.h"
#include "sim/core/time.h"

namespace siliscope {

/// Plain state; `DramChannel` is the behaviour over it.
struct DramChannelState {
  struct Bank {
    std::int64_t open_row = -1;
    Tick precharge_ready = 0;  ///< earliest precharge
    Tick column_ready = 0;     ///< earliest column command of the open row
    Tick last_use = 0;         ///< end of the last data
    Tick idle_from = 0;        ///< it was closed and had nothing to do, lately,
    Tick idle_until = 0;       ///< until then
  };
  /// Rows of a bank that had to go for others, lately.
  struct ClosedRows {
    struct Row {
      std::int64_t row = -1;
      Tick at = 0;  ///< precharge
    };
    std::array<Row, 4> rows{};
    std::size_t next = 0;
  };
  std::vector<Bank> banks;  ///< one for each bank of a group where groups act together, else all
  std::vector<ClosedRows> closed;   ///< of each bank, where hits go first
  std::array<Tick, 4> activates{};  ///< the last four, for tFAW
  std::uint32_t next_activate = 0;
  Tick last_activate = 0;
  bool any_activate = false;
  Tick bus_free = 0;
  bool last_was_write = false;
  Tick next_refresh = 0;
  DramCounters counters;
  IdleGaps bus_gaps;
  Tick next_token = 0;  ///< the activate limits as a rate, where banks act apart
  IdleGaps token_gaps;
  struct Write {
    std::int64_t address, bytes;
  };
  std::vector<Write> writes;  ///< gathered
  std::int64_t gathered_bytes = 0;
};

class DramChannel {
 public:
  /// `gathered_bytes` are taken as gathered already: channels don't turn around all at once.
  explicit DramChannel(const DramTiming& timing, const DramMapping& mapping = {},
                       std::int64_t gathered_bytes = 0);

  /// Moves `bytes` at `address` (both inside this channel), known to the controller from `ready`
  /// on. Returns when the last data has moved.
  Tick Access(Tick ready, std::int64_t address, std::int64_t bytes, bool write);

  const DramChannelState& state() const { return state_; }
  /// When the first data of the last Access moved.
  Tick first_data() const { return first_data_; }

 private:
  Tick Perform(Tick ready, std::int64_t address, std::int64_t bytes, bool write);
  void DrainWrites(Tick ready);
  void CloseRows(Tick when);
  static std::int64_t BankTurn(std::int64_t row);
  Tick Stretch(Tick ready, std::int64_t address, std::int64_t bytes, bool write);
  void RefreshBefore(Tick when);
  void RefreshBanksBefore(Tick when);
  bool IsStillOpen(std::size_t bank, std::int64_t row, Tick ready) const;
  Tick BusTime(Tick bus, Tick data_ready, Tick duration, bool write);
  Tick ActivatesApart() const { return std::max(trrd_, tfaw_ / 4); }
  Tick ActivateOne(Tick ready, Tick bank_ready);
  Tick Activate(Tick ready, std::int64_t groups);
  void KeepIdle(DramChannelState::Bank& bank, Tick from, Tick until) const;
  Tick OpenRow(std::size_t index, std::int64_t row, Tick ready, std::int64_t groups);
  Tick OpenBefore(DramChannelState::Bank& bank, Tick ready);

  Tick burst_, trcd_, trp_, tras_, tcl_, tcwl_, trrd_, tfaw_, twr_, twtr_, trtp_, trefi_, trfc_;
  Divisor burst_bytes_, bank_groups_, banks_per_group_;
  std::int64_t grain_bytes_;
  Divisor span_bytes_, grains_per_row_;  ///< where banks act apart
  std::int64_t banks_;
  Divisor refresh_apart_;  ///< from one bank to the next
  DramMapping mapping_;
  Tick ccd_long_, bank_refresh_, row_timeout_;
  Tick first_data_ = 0;
  DramChannelState state_;
};

}  // namespace siliscope
