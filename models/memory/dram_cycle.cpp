// SPDX-License-Identifier: Apache-2.0
#include "models/memory/dram_cycle.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
namespace {

constexpr std::size_t kWindow = 64;  ///< requests the controller looks at

Tick Nanoseconds(double ns) { return static_cast<Tick>(std::llround(ns * 1000)); }

}  // namespace

DramCycle::DramCycle(const DramTiming& timing)
    : t_(timing),
      burst_(static_cast<Tick>(std::llround(static_cast<double>(timing.burst_length) /
                                            timing.data_rate_t_per_s * 1e12))),
      trcd_(Nanoseconds(timing.trcd_ns)),
      trp_(Nanoseconds(timing.trp_ns)),
      tras_(Nanoseconds(timing.tras_ns)),
      tcl_(Nanoseconds(timing.tcl_ns)),
      tcwl_(Nanoseconds(timing.tcwl_ns)),
      tccd_l_(Nanoseconds(timing.tccd_l_ns)),
      trrd_(Nanoseconds(timing.trrd_ns)),
      tfaw_(Nanoseconds(timing.tfaw_ns)),
      twr_(Nanoseconds(timing.twr_ns)),
      twtr_(Nanoseconds(timing.twtr_ns)),
      trtp_(Nanoseconds(timing.trtp_ns)),
      trefi_(Nanoseconds(timing.trefi_ns)),
      trfc_(Nanoseconds(timing.trfc_ns)),
      banks_(static_cast<std::size_t>(timing.banks)),
      group_column_(static_cast<std::size_t>(timing.bank_groups), 0) {
  clock_ = std::max<Tick>(1, (burst_ + 1) / 2);  // two command slots a burst
  next_refresh_ = trefi_;
}

void DramCycle::Enqueue(Tick arrival, std::int64_t address, std::int64_t bytes, bool write,
                        std::uint32_t tag) {
  const std::int64_t burst_bytes = t_.bus_bits / 8 * t_.burst_length;
  const std::int64_t groups = t_.bank_groups, banks_a_group = t_.banks / groups;
  const std::int64_t bursts_a_row = t_.row_bytes / burst_bytes;
  const std::int64_t first = address / burst_bytes, last = (address + bytes - 1) / burst_bytes;
  if (free_requests_.empty()) {
    free_requests_.push_back(static_cast<std::uint32_t>(requests_.size()));
    requests_.emplace_back();
  }
  const std::uint32_t request = free_requests_.back();
  free_requests_.pop_back();
  requests_[request] = {tag, last - first + 1, kNever};
  for (std::int64_t b = first; b <= last; ++b) {
    const std::int64_t span = b / (bursts_a_row * groups);
    queue_.push_back({arrival, span % banks_a_group * groups + b % groups, span / banks_a_group,
                      write, request});
  }
}

void DramCycle::Refresh(Tick now) {
  Tick start = std::max(now, bus_free_);
  for (const Bank& bank : banks_) {
    if (bank.open_row >= 0) start = std::max(start, bank.precharge_ready);
  }
  const Tick end = start + trp_ + trfc_;
  for (Bank& bank : banks_) {
    bank.open_row = -1;
    bank.activate_ready = std::max(bank.activate_ready, end);
  }
  next_refresh_ += trefi_;
  counters_.refresh += trfc_;
}

bool DramCycle::ActivateAllowed(Tick now) const {
  if (!activates_.empty() && now < activates_.back() + trrd_) return false;
  return activates_.size() < 4 || now >= activates_.front() + tfaw_;
}

bool DramCycle::TryColumn(Tick now) {
  for (std::size_t i = 0; i < std::min(kWindow, queue_.size()); ++i) {
    const Burst& b = queue_[i];
    if (b.arrival > now) break;
    Bank& bank = banks_[static_cast<std::size_t>(b.bank)];
    const auto group = static_cast<std::size_t>(b.bank % t_.bank_groups);
    if (bank.open_row != b.row || now < bank.column_ready) continue;
    if (any_column_ && now < group_column_[group] + tccd_l_ && group_column_[group] > 0) continue;
    const Tick data = now + (b.write ? tcwl_ : tcl_);
    if (data < bus_free_) continue;
    if (!b.write && now < write_data_end_ + twtr_ && write_data_end_ > 0) continue;
    if (b.write && last_write_ == false && any_column_ && data < read_data_end_ + burst_) continue;
    Grant(i, now, data);
    return true;
  }
  return false;
}

void DramCycle::Grant(std::size_t index, Tick now, Tick data) {
  const Burst b = queue_[index];
  Bank& bank = banks_[static_cast<std::size_t>(b.bank)];
  group_column_[static_cast<std::size_t>(b.bank % t_.bank_groups)] = now;
  bus_free_ = data + burst_;
  (b.write ? write_data_end_ : read_data_end_) = bus_free_;
  bank.precharge_ready = std::max(bank.precharge_ready, b.write ? bus_free_ + twr_ : now + trtp_);
  any_column_ = true;
  last_write_ = b.write;
  end_ = std::max(end_, bus_free_);
  transfers_.push_back({data, b.write});
  while (transfers_.front().begin + burst_ <= now) transfers_.pop_front();
  counters_.busy += burst_;
  if (!bank.fresh) ++counters_.row_hits;
  bank.fresh = false;
  Request& request = requests_[b.request];
  request.first = std::min(request.first, data);
  if (--request.bursts_left == 0) {
    completed_.push_back({request.tag, request.first, bus_free_});
    free_requests_.push_back(b.request);
  }
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool DramCycle::TryRow(Tick now) {
  for (std::size_t i = 0; i < std::min(kWindow, queue_.size()); ++i) {
    const Burst& b = queue_[i];
    if (b.arrival > now) break;
    Bank& bank = banks_[static_cast<std::size_t>(b.bank)];
    if (bank.open_row == b.row) continue;
    if (bank.open_row >= 0) {
      // A row that an older request still needs stays open.
      bool needed = false;
      for (std::size_t j = 0; j < i && !needed; ++j) {
        needed = queue_[j].bank == b.bank && queue_[j].row == bank.open_row;
      }
      if (needed || now < bank.precharge_ready) continue;
      bank.open_row = -1;
      bank.activate_ready = std::max(bank.activate_ready, now + trp_);
      return true;
    }
    if (now < bank.activate_ready || !ActivateAllowed(now)) continue;
    bank.open_row = b.row;
    bank.fresh = true;
    ++counters_.row_misses;
    bank.column_ready = now + trcd_;
    bank.precharge_ready = now + tras_;
    activates_.push_back(now);
    if (activates_.size() > 4) activates_.pop_front();
    return true;
  }
  return false;
}

DramCycle::Bus DramCycle::BusAt(Tick now) {
  while (!transfers_.empty() && transfers_.front().begin + burst_ <= now) transfers_.pop_front();
  if (transfers_.empty() || transfers_.front().begin > now) return Bus::kIdle;
  return transfers_.front().write ? Bus::kWrite : Bus::kRead;
}

void DramCycle::Step(Tick now) {
  completed_.clear();
  ++counters_.steps;
  if (trefi_ > 0) {
    // Refreshes that fell into a time without requests began when they were due.
    if (now > next_refresh_ + trefi_) next_refresh_ += (now - next_refresh_) / trefi_ * trefi_;
    if (now >= next_refresh_) Refresh(std::max(next_refresh_, last_step_));
  }
  last_step_ = now;
  TryColumn(now);
  TryRow(now);
}

Tick DramCycle::Run() {
  for (Tick now = 0; !queue_.empty(); now += clock_) Step(now);
  return end_;
}

}  // namespace siliscope
