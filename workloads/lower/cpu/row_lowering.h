// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "workloads/lower/cpu/cpu_lowering.h"

namespace siliscope {

struct CpuRows {
  std::int64_t rows = 0, columns = 0;
  std::int64_t input = 0, output = 0;  ///< addresses
};

/// A region: the largest of each row, exponentials and their sum, the division.
void WriteSoftmax(CpuLowering& lowering, std::uint32_t op, const CpuRows& rows);

}  // namespace siliscope
