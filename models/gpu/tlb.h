// SPDX-License-Identifier: Apache-2.0
// Translation of addresses: pages known to an SM, pages known to the chip, and page walks. A page
// that is on its way is waited for by everybody who wants it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <unordered_map>
#include <vector>

#include "sim/contract/gpu_spec.h"
#include "sim/core/time.h"

namespace siliscope {

/// The second level, of the chip.
class ChipTlb {
 public:
  explicit ChipTlb(const TlbSpec& spec)
      : spec_(spec), walkers_(static_cast<std::size_t>(spec.walkers), 0) {}

  void SetClock(Clock clock) { clock_ = clock; }
  /// When a page is known, asked for at `when`.
  Tick Translate(Tick when, std::int64_t page) {
    if (const Page* known = Find(page)) return std::max(when, known->ready);
    Tick& walker = *std::min_element(walkers_.begin(), walkers_.end());
    walker = std::max(walker, when) + clock_.Cycles(static_cast<std::uint64_t>(spec_.walk_cycles));
    Insert(page, walker);
    ++walks_;
    return walker;
  }
  /// The pages have been used before the time that is played.
  void Touch(std::int64_t first_page, std::int64_t last_page) {
    for (std::int64_t p = first_page; p <= last_page; ++p) {
      if (Find(p) == nullptr) Insert(p, 0);
    }
  }
  void Forget(std::int64_t first_page, std::int64_t last_page) {
    for (std::int64_t p = first_page; p <= last_page; ++p) {
      const auto it = pages_.find(p);
      if (it == pages_.end()) continue;
      order_.erase(it->second.place);
      pages_.erase(it);
    }
  }
  std::uint64_t walks() const { return walks_; }

 private:
  struct Page {
    Tick ready = 0;
    std::list<std::int64_t>::iterator place;
  };
  /// A known page, which becomes the most recent; or null.
  const Page* Find(std::int64_t page) {
    const auto it = pages_.find(page);
    if (it == pages_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second.place);
    return &it->second;
  }
  void Insert(std::int64_t page, Tick ready) {
    if (pages_.size() >= static_cast<std::size_t>(spec_.l2_entries)) {
      pages_.erase(order_.back());
      order_.pop_back();
    }
    order_.push_front(page);
    pages_[page] = {ready, order_.begin()};
  }

  TlbSpec spec_;
  Clock clock_;
  std::vector<Tick> walkers_;
  std::unordered_map<std::int64_t, Page> pages_;
  std::list<std::int64_t> order_;  ///< most recent first
  std::uint64_t walks_ = 0;
};

/// The first level, of an SM: few pages, least recently used out.
class SmTlb {
 public:
  SmTlb(const TlbSpec& spec, ChipTlb& chip) : spec_(spec), chip_(chip) {}

  void SetClock(Clock clock) { clock_ = clock; }
  Tick Translate(Tick when, std::int64_t address) {
    const std::int64_t page = address / spec_.page_bytes;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].page != page) continue;
      const Entry hit = entries_[i];
      entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
      entries_.push_back(hit);
      return std::max(when, hit.ready);
    }
    if (entries_.size() >= static_cast<std::size_t>(spec_.l1_entries))
      entries_.erase(entries_.begin());
    const Tick ready = chip_.Translate(
        when + clock_.Cycles(static_cast<std::uint64_t>(spec_.l1_miss_cycles)), page);
    entries_.push_back({page, ready});
    return ready;
  }
  void Forget() { entries_.clear(); }

 private:
  struct Entry {
    std::int64_t page = 0;
    Tick ready = 0;
  };
  TlbSpec spec_;
  ChipTlb& chip_;
  Clock clock_;
  std::vector<Entry> entries_;  ///< oldest first
};

}  // namespace siliscope
