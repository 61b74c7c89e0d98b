// SPDX-License-Identifier: Apache-2.0
// Which cores have a line in their private caches (a probe filter: Censier and Feautrier, IEEE
// Transactions on Computers 1978). It remembers so many lines; a line that it forgets is as if no
// core had it.
#pragma once

#include <bitset>
#include <cstdint>
#include <vector>

namespace siliscope {

class CoherenceDirectory {
 public:
  static constexpr std::size_t kMostCores = 256;
  struct Entry {
    std::int64_t tag = 0;  ///< line + 1; 0 = nothing
    std::bitset<kMostCores> holders;
    std::uint32_t last = 0;  ///< the core that fetched or wrote it last
  };

  /// `lines`: that all private caches hold together.
  explicit CoherenceDirectory(std::int64_t lines);

  /// Null where no core is known to have it.
  Entry* Find(std::int64_t line);
  /// The line's entry, made where there was none.
  Entry& At(std::int64_t line);

 private:
  static constexpr std::size_t kWays = 8;
  Entry* SetOf(std::int64_t line) {
    return &entries_[static_cast<std::size_t>(line) % sets_ * kWays];
  }

  std::size_t sets_;
  std::size_t next_ = 0;  ///< way that is forgotten next
  std::vector<Entry> entries_;
};

}  // namespace siliscope
