// SPDX-License-Identifier: Apache-2.0
// Energy of counted events, and the clock that a power limit leaves. Power is what the chip draws
// idle plus the energy of its events over time. Energies of the core's events fall with voltage,
// which falls with the clock; those of the off-chip memory do not.
#pragma once

#include <cstdint>

#include "sim/contract/gpu_spec.h"

namespace siliscope {

struct EnergyEvents {
  double tensor_macs = 0;  ///< in 16-bit multiply-accumulates
  double fp32_macs = 0;
  double shared_bytes = 0;
  double l2_bytes = 0;
  double dram_bytes = 0;
};

/// Joules at the boost clock.
struct Energy {
  double core_j = 0;  ///< falls with the voltage
  double dram_j = 0;
};
Energy EnergyOf(const GpuPowerSpec& spec, const EnergyEvents& events);

/// Watts of a run of `seconds` at `ratio` of the boost clock.
double AveragePower(const GpuPowerSpec& spec, const Energy& energy, double seconds, double ratio);

/// The highest clock, at most `boost_hz` and at least `base_hz`, at which events that took
/// `seconds` at the boost clock stay within `limit_w` (0 = no limit). Work is taken to slow down
/// with the clock.
double SustainedClock(const GpuPowerSpec& spec, const Energy& energy, double seconds,
                      double limit_w, double boost_hz, double base_hz);

}  // namespace siliscope
