// SPDX-License-Identifier: Apache-2.0
// Waveforms of units at cycle zoom: signals by name, and their changes in order of time.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "sim/core/registry.h"
#include "sim/core/time.h"

namespace siliscope {

class Waveform {
 public:
  virtual ~Waveform() = default;
  /// Declares a signal of `bits` bits under a hierarchical name such as "core0.array0.push". All
  /// signals are declared before the first change. Returns its handle.
  virtual std::uint32_t AddSignal(const std::string& name, int bits) = 0;
  /// Declares a real-valued signal.
  virtual std::uint32_t AddReal(const std::string& name) = 0;
  /// The value from `when` on; times must not decrease. Equal values are written once.
  virtual void Set(Tick when, std::uint32_t signal, std::uint64_t value) = 0;
  virtual void SetReal(Tick when, std::uint32_t signal, double value) = 0;
};

/// Makes a writer of a format; it writes to `out` as values are set.
using WaveformRegistry = Registry<std::unique_ptr<Waveform> (*)(std::ostream& out)>;

}  // namespace siliscope
