// SPDX-License-Identifier: Apache-2.0
// The lines of one cache: sets of ways, of which the least recently used
// or any goes first. Addresses are line numbers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "sim/contract/cpu_spec.h"
#include "sim/core/divisor.h"

namespace siliscope {

/// All zeros is a place without a line, so that pages of a large cache that nothing touches cost
/// the host nothing.
struct CacheLine {
  std::int64_t tag = 0;     ///< line + 1; 0 = nothing
  std::uint64_t ready = 0;  ///< cycle in which its data is here
  std::uint32_t used = 0;
  bool dirty = false;
  bool prefetched = false;  ///< and not yet asked for

  bool valid() const { return tag != 0; }
  std::int64_t line() const { return tag - 1; }
};

class CacheArray {
 public:
  CacheArray(const CpuCacheSpec& spec, std::int64_t line_bytes);

  bool exists() const { return lines_ != nullptr; }
  /// The line where it is here, made the most recently used; else null.
  CacheLine* Find(std::int64_t line);
  bool Holds(std::int64_t line) const;
  /// Puts a line in, which must not be here, and returns what had to go, if anything.
  CacheLine Insert(std::int64_t line, std::uint64_t ready, bool dirty, bool prefetched = false);
  /// Takes a line out; returns it as it was, if it was here.
  CacheLine Remove(std::int64_t line);

 private:
  struct Free {
    void operator()(CacheLine* lines) const { std::free(lines); }
  };
  CacheLine* SetOf(std::int64_t line) const {
    return &lines_[static_cast<std::size_t>(sets_.Remainder(line)) * ways_];
  }

  Divisor sets_;
  std::size_t ways_ = 1;
  bool random_;
  std::uint32_t uses_ = 0;
  std::uint64_t chance_ = 1;
  std::unique_ptr<CacheLine[], Free> lines_;
};

}  // namespace siliscope
