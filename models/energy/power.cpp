// SPDX-License-Identifier: Apache-2.0
#include "models/energy/power.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

Energy EnergyOf(const GpuPowerSpec& spec, const EnergyEvents& events) {
  Energy energy;
  energy.core_j =
      events.tensor_macs * spec.tensor_j_per_mac + events.fp32_macs * spec.fp32_j_per_mac +
      events.shared_bytes * spec.shared_j_per_byte + events.l2_bytes * spec.l2_j_per_byte;
  energy.dram_j = events.dram_bytes * spec.dram_j_per_byte;
  return energy;
}

double AveragePower(const GpuPowerSpec& spec, const Energy& energy, double seconds, double ratio) {
  if (seconds <= 0) return spec.idle_w;
  const double core_j = energy.core_j * std::pow(ratio, spec.voltage_exponent);
  return spec.idle_w + (core_j + energy.dram_j) / seconds;
}

double SustainedClock(const GpuPowerSpec& spec, const Energy& energy, double seconds,
                      double limit_w, double boost_hz, double base_hz) {
  if (limit_w <= 0 || seconds <= 0) return boost_hz;
  const auto power = [&](double clock_hz) {
    const double ratio = clock_hz / boost_hz;
    return AveragePower(spec, energy, seconds / ratio, ratio);
  };
  if (power(boost_hz) <= limit_w) return boost_hz;
  double low = std::max(base_hz > 0 ? 0.5 * base_hz : 0.3 * boost_hz, 1e6), high = boost_hz;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (power(middle) <= limit_w ? low : high) = middle;
  }
  return low;
}

}  // namespace siliscope
