// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_channel.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

Tick Nanoseconds(double ns) { return static_cast<Tick>(std::llround(ns * 1000)); }

}  // namespace

DramChannel::DramChannel(const DramTiming& t, const DramMapping& mapping,
                         std::int64_t gathered_bytes)
    : trcd_(Nanoseconds(t.trcd_ns)),
      trp_(Nanoseconds(t.trp_ns)),
      tras_(Nanoseconds(t.tras_ns)),
      tcl_(Nanoseconds(t.tcl_ns)),
      tcwl_(Nanoseconds(t.tcwl_ns)),
      trrd_(Nanoseconds(t.trrd_ns)),
      tfaw_(Nanoseconds(t.tfaw_ns)),
      twr_(Nanoseconds(t.twr_ns)),
      twtr_(Nanoseconds(t.twtr_ns)),
      trtp_(Nanoseconds(t.trtp_ns)),
      trefi_(Nanoseconds(t.trefi_ns)),
      trfc_(Nanoseconds(t.trfc_ns)),
      burst_bytes_(t.bus_bits / 8 * t.burst_length),
      bank_groups_(t.bank_groups),
      banks_per_group_(t.banks * mapping.ranks / t.bank_groups),
      grain_bytes_(mapping.bank_interleave_bytes),
      span_bytes_(grain_bytes_ > 0 ? grain_bytes_ : t.row_bytes * t.bank_groups),
      grains_per_row_(std::max<std::int64_t>(1, grain_bytes_ > 0 ? t.row_bytes / grain_bytes_ : 1)),
      banks_(t.banks * mapping.ranks),
      mapping_(mapping),
      ccd_long_(Nanoseconds(t.tccd_l_ns)),
      bank_refresh_(mapping.bank_refresh ? Nanoseconds(t.trfcsb_ns) : 0),
      row_timeout_(Nanoseconds(mapping.row_timeout_s * 1e9)) {
  burst_ = static_cast<Tick>(
      std::llround(static_cast<double>(t.burst_length) / t.data_rate_t_per_s * 1e12));
  state_.banks.resize(
      static_cast<std::size_t>(grain_bytes_ > 0 ? banks_ : banks_per_group_.value()));
  if (mapping.first_ready) state_.closed.resize(state_.banks.size());
  refresh_apart_ = Divisor(std::max<std::int64_t>(
      1, static_cast<std::int64_t>(trefi_ / static_cast<Tick>(state_.banks.size()))));
  state_.gathered_bytes = gathered_bytes;
  constexpr std::size_t kScattered = 256;  // lines of all cores that are on their way at a time
  if (mapping.scattered) state_.bus_gaps = state_.token_gaps = IdleGaps(kScattered);
  state_.next_refresh = trefi_;
}

Tick DramChannel::Access(Tick ready, std::int64_t address, std::int64_t bytes, bool write) {
  if (mapping_.write_batch_bytes == 0) return Perform(ready, address, bytes, write);
  if (!write) return Perform(ready, address, bytes, false);
  // Writes are accepted at once and leave together; a batch that is full has to.
  state_.writes.push_back({address, bytes});
  state_.gathered_bytes += bytes;
  first_data_ = ready;
  if (state_.gathered_bytes < mapping_.write_batch_bytes) return ready;
  DrainWrites(ready);
  return std::max(ready, state_.bus_free);
}

void DramChannel::DrainWrites(Tick ready) {
  DramChannelState& s = state_;
  // Row by row: what lies beside each other is written together.
  std::sort(s.writes.begin(), s.writes.end(),
            [](const DramChannelState::Write& a, const DramChannelState::Write& b) {
              return a.address < b.address;
            });
  const Tick last_read = s.bus_free > tcl_ ? s.bus_free - tcl_ : 0;
  if (!mapping_.first_ready) CloseRows(std::max(ready, last_read + trtp_));
  for (const DramChannelState::Write& w : s.writes) Perform(ready, w.address, w.bytes, true);
  if (!mapping_.first_ready) {
    CloseRows(s.bus_free + twr_);
    s.last_was_write = false;
  }
  s.writes.clear();
  s.gathered_bytes = 0;
}

/// Between reads and gathered writes every row is closed, at `when` at the earliest, by a
/// controller that doesn't look for hits.
void DramChannel::CloseRows(Tick when) {
  for (auto& bank : state_.banks) {
    const Tick closing = bank.open_row < 0 ? 0 : trp_;
    KeepIdle(bank, bank.precharge_ready + closing, when);
    bank.precharge_ready = std::max(bank.precharge_ready, when) + closing;
    bank.open_row = -1;
  }
}

/// A closed bank has nothing to do: a row that is asked for late may have been open then.
void DramChannel::KeepIdle(DramChannelState::Bank& bank, Tick from, Tick until) const {
  if (until < from + tras_ + trp_) return;
  bank.idle_from = from;
  bank.idle_until = until;
}

Tick DramChannel::Perform(Tick ready, std::int64_t address, std::int64_t bytes, bool write) {
  Tick end = ready;
  first_data_ = 0;
  while (bytes > 0) {
    const std::int64_t in_span =
        std::min(bytes, span_bytes_.value() - span_bytes_.Remainder(address));
    end = Stretch(ready, address, in_span, write);
    address += in_span;
    bytes -= in_span;
  }
  return end;
}

/// One bank after another: the others go on.
void DramChannel::RefreshBanksBefore(Tick when) {
  DramChannelState& s = state_;
  if (s.next_refresh > when) return;
  const auto count = static_cast<Tick>(s.banks.size());
  const auto apart = static_cast<Tick>(refresh_apart_.value());
  if (when > s.next_refresh + 2 * trefi_) {  // idle banks lose nothing by it
    s.next_refresh += (when - s.next_refresh - trefi_) / apart * apart;
  }
  for (; s.next_refresh <= when; s.next_refresh += apart) {
    auto& bank = s.banks[s.next_refresh / apart % count];
    const Tick closed = bank.open_row >= 0 ? trp_ : 0;
    bank.precharge_ready = std::max(s.next_refresh, bank.precharge_ready) + closed + bank_refresh_;
    bank.open_row = -1;
    s.counters.refresh += bank_refresh_ / count;
  }
}

void DramChannel::RefreshBefore(Tick when) {
  DramChannelState& s = state_;
  if (trefi_ == 0) return;
  while (s.next_refresh <= when) {
    // All banks are precharged and stay away for tRFC; an idle channel loses nothing by it.
    const Tick start = std::max(s.next_refresh, s.bus_free) + trp_;
    const Tick end = start + trfc_;
    if (s.bus_free < end) s.bus_free = end;
    s.counters.refresh += trfc_;
    for (auto& bank : s.banks) {
      bank.open_row = -1;
      bank.precharge_ready = std::max(bank.precharge_ready, end > trp_ ? end - trp_ : 0);
    }
    s.next_refresh += trefi_;
    if (end < when && when - end > 64 * trefi_) {  // a long idle time: no need to walk through it
      s.next_refresh += (when - s.next_refresh) / trefi_ * trefi_;
    }
  }
}

Tick DramChannel::Activate(Tick ready, std::int64_t groups) {
  // The rows of all groups open one after another; data can start with the first.
  DramChannelState& s = state_;
  Tick first = 0;
  for (std::int64_t g = 0; g < groups; ++g) {
    Tick when = ready;
    if (s.any_activate) when = std::max(when, s.last_activate + trrd_);
    const Tick fourth_last = s.activates[s.next_activate];
    if (fourth_last != 0) when = std::max(when, fourth_last + tfaw_);
    s.activates[s.next_activate] = when;
    s.next_activate = (s.next_activate + 1) % 4;
    s.last_activate = when;
    s.any_activate = true;
    if (g == 0) first = when;
  }
  return first;
}

/// An activate of one bank: the limits of all banks are a rate, so that a bank that is busy holds
/// up no other.
Tick DramChannel::ActivateOne(Tick ready, Tick bank_ready) {
  DramChannelState& s = state_;
  const Tick apart = ActivatesApart();
  const Tick token = std::max(ready, s.next_token);
  if (mapping_.scattered) {
    const Tick before = s.token_gaps.Take(ready, apart, apart);
    if (before != kNever) return std::max(before, bank_ready);
    s.token_gaps.Keep(s.next_token, token, apart);
  }
  s.next_token = token + apart;
  return std::max(token, bank_ready);
}

/// Where a transfer finds the bus: in a gap that an earlier request left while its bank was busy
/// (the controller serves first what is ready first), else at the end.
Tick DramChannel::BusTime(Tick bus, Tick data_ready, Tick duration, bool write) {
  if (!write) {
    const Tick before = state_.bus_gaps.Take(data_ready, duration, burst_);
    if (before != kNever) return before;
  }
  const Tick begin = std::max(bus, data_ready);
  state_.bus_gaps.Keep(bus, begin, burst_);
  return begin;
}

/// Each row begins with another bank, so that vectors that lie a multiple of all banks apart don't
/// meet in one (after Zhang et al., "A Permutation-based Page Interleaving Scheme", MICRO 2000).
std::int64_t DramChannel::BankTurn(std::int64_t row) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(row) * 0x9e3779b97f4a7c15ULL) >> 48);
}

/// Whether a row that has to go for another is still there when a request for it comes: the
/// controller serves what hits an open row before it closes that (FR-FCFS: Rixner et al., "Memory
/// Access Scheduling", ISCA 2000). The longer requests wait, the more hits are found.
bool DramChannel::IsStillOpen(std::size_t bank, std::int64_t row, Tick ready) const {
  if (!mapping_.first_ready) return false;
  const auto& rows = state_.closed[bank].rows;
  return std::any_of(rows.begin(), rows.end(), [&](const DramChannelState::ClosedRows::Row& c) {
    return c.row == row && ready <= c.at;
  });
}

/// Opens a row, after the one that is open; returns when its columns can be read.
Tick DramChannel::OpenRow(std::size_t index, std::int64_t row, Tick ready, std::int64_t groups) {
  auto& bank = state_.banks[index];
  const bool was_open = bank.open_row >= 0;
  const Tick precharge = std::max(ready, bank.precharge_ready);
  if (was_open && mapping_.first_ready) {
    DramChannelState::ClosedRows& closed = state_.closed[index];
    closed.rows[closed.next] = {bank.open_row, precharge};
    closed.next = (closed.next + 1) % closed.rows.size();
  }
  const Tick open = was_open ? precharge + trp_ : std::max(ready, precharge);
  const Tick activate = grain_bytes_ > 0 ? ActivateOne(ready, open) : Activate(open, groups);
  KeepIdle(bank, bank.precharge_ready + (was_open ? trp_ : 0), activate);
  bank.open_row = row;
  bank.column_ready = activate + trcd_;
  bank.precharge_ready = activate + tras_;
  return bank.column_ready;
}

/// The same for a request that comes late, in a time in which the bank was idle; kNever where it
/// was not.
Tick DramChannel::OpenBefore(DramChannelState::Bank& bank, Tick ready) {
  const Tick from = std::max(ready, bank.idle_from), cycle = tras_ + trp_;
  if (!mapping_.scattered || from + cycle > bank.idle_until) return kNever;
  const Tick apart = ActivatesApart();
  const Tick activate = state_.token_gaps.Take(from, apart, apart, bank.idle_until - cycle + apart);
  if (activate == kNever) return kNever;
  bank.idle_from = activate + cycle;
  return activate + trcd_;
}

Tick DramChannel::Stretch(Tick ready, std::int64_t address, std::int64_t bytes, bool write) {
  DramChannelState& s = state_;
  if (bank_refresh_ > 0) {
    RefreshBanksBefore(ready);
  } else {
    RefreshBefore(std::max(ready, s.bus_free));
  }
  const std::int64_t span = span_bytes_.Quotient(address);
  std::int64_t bank_index = span, row = 0;
  if (grain_bytes_ > 0) {  // groups, then along the row, then banks, then rows
    const std::int64_t in_groups = bank_groups_.Quotient(span);
    const std::int64_t in_rows = grains_per_row_.Quotient(in_groups);
    row = banks_per_group_.Quotient(in_rows);
    std::int64_t in_group = in_rows - row * banks_per_group_.value();
    if (mapping_.hashed) in_group = banks_per_group_.Remainder(in_group + BankTurn(row));
    bank_index = in_group * bank_groups_.value() + span - in_groups * bank_groups_.value();
  } else {
    row = banks_per_group_.Quotient(span);
    bank_index = span - row * banks_per_group_.value();
  }
  const auto index = static_cast<std::size_t>(bank_index);
  auto& bank = s.banks[index];
  const std::int64_t first_burst = burst_bytes_.Quotient(address);
  const std::int64_t bursts = burst_bytes_.Quotient(address + bytes - 1) - first_burst + 1;
  const std::int64_t groups = grain_bytes_ > 0 ? 1 : std::min(bursts, bank_groups_.value());
  if (row_timeout_ > 0 && bank.open_row >= 0 && ready > bank.last_use + row_timeout_) {
    bank.precharge_ready = std::max(bank.precharge_ready, bank.last_use + row_timeout_) + trp_;
    bank.open_row = -1;
  }
  const bool hits = bank.open_row == row;
  const bool joins = !hits && IsStillOpen(index, row, ready);
  bool before = false;
  Tick column_ready = joins ? ready : bank.column_ready;
  if (hits || joins) {
    ++s.counters.row_hits;
  } else {
    column_ready = OpenBefore(bank, ready);
    before = column_ready != kNever;
    if (!before) column_ready = OpenRow(index, row, ready, groups);
    s.counters.row_misses += static_cast<std::uint64_t>(groups);
  }
  // Bursts of one bank group follow each other at tCCD_L; going round the groups hides it.
  const Tick per_burst =
      bursts > groups
          ? std::max(burst_, groups == 1 ? ccd_long_ : ccd_long_ / static_cast<Tick>(groups))
          : burst_;
  Tick bus = s.bus_free;
  if (write != s.last_was_write && s.counters.busy > 0) bus += write ? burst_ : twtr_ + tcl_;
  const Tick column_to_data = write ? tcwl_ : tcl_;
  const Tick data_ready = std::max(column_ready, ready) + column_to_data;
  // Where a grain lies in one bank its bursts leave gaps, which are free for other banks.
  const Tick duration = (grain_bytes_ > 0 ? burst_ : per_burst) * static_cast<Tick>(bursts);
  const Tick begin =
      grain_bytes_ > 0 ? BusTime(bus, data_ready, duration, write) : std::max(bus, data_ready);
  const Tick end = begin + per_burst * static_cast<Tick>(bursts);
  s.counters.busy += burst_ * static_cast<Tick>(bursts);
  s.last_was_write = begin + duration >= s.bus_free ? write : s.last_was_write;
  s.bus_free = std::max(s.bus_free, begin + duration);
  ++s.counters.steps;
  if (first_data_ == 0) first_data_ = begin;
  if (joins || before) return end;  // ahead of the row that is open by now
  bank.precharge_ready =
      std::max(bank.precharge_ready, write ? end + twr_ : (end > tcl_ ? end - tcl_ : 0) + trtp_);
  bank.last_use = end;
  return end;
}

}  // namespace siliscope
