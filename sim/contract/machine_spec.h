// SPDX-License-Identifier: Apache-2.0
// The typed content of a chip YAML. Each kind of chip has its own part; what is common to all kinds
// stands here, so that rooflines and comparisons need not know the kind.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "sim/contract/cpu_spec.h"
#include "sim/contract/data_type.h"
#include "sim/contract/dram_spec.h"
#include "sim/contract/gpu_spec.h"
#include "sim/contract/npu_spec.h"

namespace siliscope {

/// A published peak and the clock it is quoted at.
struct PeakSpec {
  double operations_per_s = 0;
  double clock_hz = 0;
};

struct MachineSpec {
  std::string name;
  std::string kind;  ///< "npu", "gpu" or "cpu": which of the parts below counts
  std::string description;
  double clock_hz = 0;
  double tdp_w = 0;
  DataType default_dtype = DataType::kInt8;
  std::map<std::string, std::string> converted_dtypes;  ///< fp16 -> bf16: runs as
  std::map<std::string, PeakSpec> peaks;                ///< published, by data type
  DramSpec memory;
  NpuSpec npu;
  GpuSpec gpu;
  CpuSpec cpu;

  /// Where each number comes from: path of the section or field -> "source; confidence".
  std::map<std::string, std::string> sources;
  /// The resolved configuration as YAML, for run.yaml.
  std::string resolved_yaml;

  /// What the user made ideal (`--ideal dram`), by resource name.
  std::vector<std::string> ideal;
  /// The off-chip memory, without latency and limit where the user made it ideal.
  DramSpec EffectiveMemory() const {
    DramSpec spec = memory;
    if (IsIdeal("dram")) {
      spec.kind = "ideal";
      spec.ideal_bandwidth_bytes_per_s = 0;
      spec.ideal_latency_s = 0;
      spec.controller_latency_s = 0;
    }
    return spec;
  }
  /// While matrices are multiplied: wide vectors slow some CPUs down.
  double MatrixClock() const {
    return kind == "cpu" && cpu.core.wide_clock_hz > 0 ? cpu.core.wide_clock_hz : clock_hz;
  }
  bool IsIdeal(const std::string& resource) const {
    return std::find(ideal.begin(), ideal.end(), resource) != ideal.end();
  }
};

}  // namespace siliscope
