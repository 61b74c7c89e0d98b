// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/granule_shape.h"

#include <array>
#include <cstddef>

#include "models/gpu/cta_geometry.h"
#include "sim/core/ceil_divide.h"

namespace siliscope {
namespace {

constexpr std::size_t kShapes = 7;  ///< 1, 2, 4, ... 64 rows

}  // namespace

std::vector<std::int64_t> GranuleRows(const GpuProgram& program, std::int64_t line_bytes) {
  std::vector<std::array<double, kShapes>> touched(program.tensors.size());
  const auto count = [&](const GpuKernel& kernel, const KernelPass& pass, std::uint16_t id) {
    const OperandStream& stream = kernel.streams[id];
    const Rectangle touch =
        InLines({0, stream.rows, 0, stream.row_bytes}, program.tensors[stream.tensor]);
    const std::int64_t lines = CeilDivide(touch.bytes, line_bytes);
    double times = static_cast<double>(kernel.grid.Ctas()) * static_cast<double>(pass.steps);
    if (pass.split_steps) times /= static_cast<double>(kernel.grid.splits);
    for (std::size_t i = 0; i < kShapes; ++i) {
      const std::int64_t rows = std::int64_t{1} << i;
      touched[stream.tensor][i] +=
          times * static_cast<double>(CeilDivide(touch.rows, rows) *
                                      CeilDivide(lines, kLinesPerGranule / rows));
    }
  };
  for (const GpuKernel& kernel : program.kernels) {
    for (const KernelPass& pass : kernel.passes) {
      for (const std::uint16_t id : pass.loads) count(kernel, pass, id);
      for (const std::uint16_t id : pass.stores) count(kernel, pass, id);
    }
  }
  std::vector<std::int64_t> rows;
  for (std::size_t t = 0; t < touched.size(); ++t) {
    std::size_t best = 0;
    for (std::size_t i = 1;
         i < kShapes && std::int64_t{1} << i <= 2 * LineRows(program.tensors[t]) - 1; ++i) {
      if (touched[t][i] < touched[t][best]) best = i;
    }
    rows.push_back(std::int64_t{1} << best);
  }
  return rows;
}

}  // namespace siliscope
