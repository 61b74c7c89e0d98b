// SPDX-License-Identifier: Apache-2.0
// On which node's memory an address lies.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sim/contract/cpu_program.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class NumaMap {
 public:
  /// Tensors follow each other in the order of their addresses.
  NumaMap(const CpuSpec& spec, const std::vector<CpuTensor>& tensors)
      : spec_(spec), tensors_(tensors) {}

  std::size_t NodeOf(std::int64_t address) const {
    const std::int64_t nodes = spec_.numa.nodes;
    if (nodes == 1) return 0;
    auto after = std::upper_bound(
        tensors_.begin(), tensors_.end(), address,
        [](std::int64_t at, const CpuTensor& tensor) { return at < tensor.address; });
    if (after == tensors_.begin()) return 0;
    const CpuTensor& t = *std::prev(after);
    if (t.thread >= 0) return static_cast<std::size_t>(spec_.NodeOf(spec_.CoreOf(t.thread)));
    switch (spec_.numa.placement) {
      case NumaPlacement::kOneNode:
        return 0;
      case NumaPlacement::kInterleave:
        return static_cast<std::size_t>(address / spec_.tlb.page_bytes % nodes);
      case NumaPlacement::kFirstTouch:
        break;
    }
    const std::int64_t at = std::min(address - t.address, t.bytes - 1);
    return static_cast<std::size_t>(at * nodes / std::max<std::int64_t>(1, t.bytes));
  }

 private:
  const CpuSpec& spec_;
  const std::vector<CpuTensor>& tensors_;
};

}  // namespace siliscope
