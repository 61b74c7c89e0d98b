// SPDX-License-Identifier: Apache-2.0
// Which cores have a line in their private caches (a probe filter: Censier and Feautrier, IEEE
// Transactions on Computers 1978). It remembers so many lines; a line that it forgets is as if no
// core had it.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "models/cpu/host_prefetch.h"
#include "sim/core/divisor.h"

namespace siliscope {

class CoherenceDirectory {
 public:
  static constexpr std::size_t kMostCores = 256;
  static constexpr std::uint32_t kNobody = ~std::uint32_t{0};
  struct Entry {
    std::bitset<kMostCores> holders;
    std::uint32_t last = kNobody;  ///< the core that fetched or wrote it last
  };

  /// `lines`: that all private caches hold together.
  explicit CoherenceDirectory(std::int64_t lines);

  /// The line's entry, made where there was none.
  Entry& At(std::int64_t line);
  /// The host shall bring the line's set into its own caches: it will be asked for.
  void WillLookFor(std::int64_t line) const {
    const std::size_t set = static_cast<std::size_t>(sets_.Remainder(line)) * kWays;
    HostPrefetch(&tags_[set], kWays * sizeof(std::uint32_t));
  }

 private:
  static constexpr std::size_t kWays = 8;

  Divisor sets_;
  std::size_t next_ = 0;             ///< way that is forgotten next
  std::vector<std::uint32_t> tags_;  ///< line + 1; 0 = nothing
  std::vector<Entry> entries_;
};

}  // namespace siliscope
