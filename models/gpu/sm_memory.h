// SPDX-License-Identifier: Apache-2.0
// What an SM at cycle zoom sees of the memory behind its L1.
#pragma once

#include <cstdint>

#include "models/gpu/lane_pattern.h"

namespace siliscope {

class SmMemory {
 public:
  virtual ~SmMemory() = default;
  /// Fetches sectors of one line; returns the cycle in which they are in the SM.
  virtual std::uint64_t Read(std::uint64_t cycle, const TouchedLine& line) = 0;
  /// Sends sectors of one line; returns the cycle in which the SM may forget them.
  virtual std::uint64_t Write(std::uint64_t cycle, const TouchedLine& line) = 0;
  /// Operations on one line, `on_one_address` of them on the same address, which follow each other;
  /// returns the cycle in which the old values are in the SM.
  virtual std::uint64_t Atomic(std::uint64_t cycle, const TouchedLine& line,
                               std::int64_t on_one_address) = 0;
};

/// A memory of fixed latency and no other limit: what the phases of a CTA are measured against.
class IdealSmMemory : public SmMemory {
 public:
  explicit IdealSmMemory(std::uint64_t latency_cycles) : latency_(latency_cycles) {}
  std::uint64_t Read(std::uint64_t cycle, const TouchedLine&) override { return cycle + latency_; }
  std::uint64_t Write(std::uint64_t cycle, const TouchedLine&) override { return cycle + 1; }
  std::uint64_t Atomic(std::uint64_t cycle, const TouchedLine&, std::int64_t) override {
    return cycle + 1 + latency_;
  }

 private:
  std::uint64_t latency_;
};

}  // namespace siliscope
