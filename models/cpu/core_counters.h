// SPDX-License-Identifier: Apache-2.0
// What a core has done. Every slot of every cycle, of as many as enter the window at a time, goes
// to one of five places (Yasin, "A Top-Down Method for Performance Analysis and Counters
// Architecture", ISPASS 2014).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace siliscope {

enum class TopDown : std::uint8_t {
  kRetiring,
  kFrontEnd,        ///< nothing was fetched
  kBadSpeculation,  ///< after a branch that went the other way
  kBackEndMemory,   ///< the window waited for data
  kBackEndCore,     ///< the window waited for ports or results
};
inline constexpr std::size_t kTopDown = 5;

struct CoreCounters {
  std::uint64_t micro_ops = 0, loads = 0, stores = 0, branches = 0, mispredicts = 0;
  std::uint64_t repeated = 0;  ///< micro-operations that were counted on, of all
  double flops = 0;
  std::int64_t load_bytes = 0, store_bytes = 0;
  std::array<double, kTopDown> slots{};

  /// Adds `share` of what another has counted, of its slots only `slots_share` of that.
  void Add(const CoreCounters& more, double share, double slots_share) {
    const auto add = [share](std::uint64_t* to, std::uint64_t from) {
      *to += static_cast<std::uint64_t>(static_cast<double>(from) * share + 0.5);
    };
    add(&micro_ops, more.micro_ops);
    add(&loads, more.loads);
    add(&stores, more.stores);
    add(&branches, more.branches);
    add(&mispredicts, more.mispredicts);
    flops += more.flops * share;
    load_bytes += static_cast<std::int64_t>(static_cast<double>(more.load_bytes) * share);
    store_bytes += static_cast<std::int64_t>(static_cast<double>(more.store_bytes) * share);
    for (std::size_t i = 0; i < kTopDown; ++i) slots[i] += more.slots[i] * share * slots_share;
  }
  CoreCounters Since(const CoreCounters& before) const {
    CoreCounters d;
    d.micro_ops = micro_ops - before.micro_ops;
    d.loads = loads - before.loads;
    d.stores = stores - before.stores;
    d.branches = branches - before.branches;
    d.mispredicts = mispredicts - before.mispredicts;
    d.repeated = repeated - before.repeated;
    d.flops = flops - before.flops;
    d.load_bytes = load_bytes - before.load_bytes;
    d.store_bytes = store_bytes - before.store_bytes;
    for (std::size_t i = 0; i < kTopDown; ++i) d.slots[i] = slots[i] - before.slots[i];
    return d;
  }
};

}  // namespace siliscope
