// SPDX-License-Identifier: Apache-2.0
// A host: the framework and driver that launch kernels one by one.
#pragma once

#include <map>
#include <string>

namespace siliscope {

struct HostSpec {
  std::string name;
  std::string description;
  std::string measured_by;  ///< a word in the source of measurements that include this host's calls
  /// Seconds from a framework call to the start of its first kernel, by kind of call: an operator
  /// ("gemm"), a function ("gelu"), or "default".
  std::map<std::string, double> dispatch_s;
  double next_kernel_s = 0;  ///< between the kernels of one call

  double DispatchSeconds(const std::string& function, const std::string& op) const {
    for (const std::string& key : {function, op, std::string("default")}) {
      const auto it = dispatch_s.find(key);
      if (it != dispatch_s.end()) return it->second;
    }
    return 0;
  }
};

}  // namespace siliscope
