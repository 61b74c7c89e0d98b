// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/gpu_peak.h"

#include <algorithm>

namespace siliscope {

double SmPipePeak(const GpuSpec& gpu, const std::string& dtype, double clock_hz) {
  const SmSpec& sm = gpu.sm;
  const double warps = static_cast<double>(sm.subcores) * clock_hz;
  const auto rate = [&](const GpuPipeSpec& pipe, double lanes) {
    return 2 * lanes * warps / static_cast<double>(pipe.interval_cycles);
  };
  if (dtype == "fp32" || dtype == "tf32") return rate(sm.fp32, 32);
  if (dtype == "fp64") return rate(sm.fp64, 32);
  if (dtype == "fp16" || dtype == "bf16") return rate(sm.fp16, 64);
  if (dtype == "int32") return rate(sm.integer, 32);
  if (dtype == "int8") return rate(sm.integer, 128);  // dot products of four
  return 0;
}

double SmPeak(const GpuSpec& gpu, const std::string& dtype, double clock_hz) {
  const auto it = gpu.tensor_core.macs_per_cycle.find(dtype);
  if (it != gpu.tensor_core.macs_per_cycle.end()) return 2 * it->second * clock_hz;
  return SmPipePeak(gpu, dtype, clock_hz);
}

double GpuPeak(const MachineSpec& machine, const std::string& dtype) {
  return static_cast<double>(machine.gpu.sms) * SmPeak(machine.gpu, dtype, machine.clock_hz);
}

}  // namespace siliscope
