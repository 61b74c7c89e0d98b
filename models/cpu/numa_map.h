// SPDX-License-Identifier: Apache-2.0
// On which node's memory an address lies.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
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
    const CpuTensor* tensor = TensorAt(address);
    if (tensor != nullptr && tensor->thread >= 0) {
      return static_cast<std::size_t>(spec_.NodeOf(spec_.CoreOf(tensor->thread)));
    }
    switch (spec_.numa.placement) {
      case NumaPlacement::kOneNode:
        return 0;
      case NumaPlacement::kInterleave:
        return static_cast<std::size_t>(address / spec_.tlb.page_bytes % nodes);
      case NumaPlacement::kFirstTouch:
        break;
    }
    if (tensor == nullptr) return 0;
    const std::int64_t at = std::min(address - tensor->address, tensor->bytes - 1);
    return static_cast<std::size_t>(at * nodes / std::max<std::int64_t>(1, tensor->bytes));
  }

 private:
  /// The last that begins at an address or before it; null = none does.
  const CpuTensor* TensorAt(std::int64_t address) const {
    const auto after = std::upper_bound(
        tensors_.begin(), tensors_.end(), address,
        [](std::int64_t at, const CpuTensor& tensor) { return at < tensor.address; });
    return after == tensors_.begin() ? nullptr : &*std::prev(after);
  }

  const CpuSpec& spec_;
  const std::vector<CpuTensor>& tensors_;
};

}  // namespace siliscope
