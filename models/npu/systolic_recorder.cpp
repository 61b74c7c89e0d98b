// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "models/npu/systolic_product.h"
#include "sim/contract/array_recorder.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

ArrayFrame FrameOf(const SystolicCycle& array, const SystolicArraySpec& spec) {
  ArrayFrame frame;
  for (std::int64_t r = 0; r < spec.rows; ++r) {
    frame.active.emplace_back();
    frame.sums.emplace_back();
    for (std::int64_t c = 0; c < spec.columns; ++c) {
      frame.active.back().push_back(array.Active(r, c) ? 1 : 0);
      frame.sums.back().push_back(array.Sum(r, c));
    }
  }
  return frame;
}

ArrayRecording Record(const MachineSpec& machine, std::int64_t m, std::int64_t k, std::int64_t n) {
  const SystolicArraySpec& spec = machine.npu.array;
  if (spec.rows * spec.columns > 64 * 64 || m > 512 || k > 512 || n > 512) {
    throw UserError("wavefront: at most 64x64 processing elements and 512 in m, k and n");
  }
  std::vector<float> a(static_cast<std::size_t>(m * k)), b(static_cast<std::size_t>(k * n));
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 9 + 1);
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(9 - i % 9);
  ArrayRecording recording;
  SystolicProduct product = MultiplyOnArray(spec, a, b, m, k, n, [&](const SystolicCycle& array) {
    recording.frames.push_back(FrameOf(array, spec));
  });
  recording.cycles = product.cycles;
  recording.product = std::move(product.values);
  recording.reference.assign(static_cast<std::size_t>(m * n), 0);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      for (std::int64_t t = 0; t < k; ++t) {
        recording.reference[static_cast<std::size_t>(i * n + j)] +=
            a[static_cast<std::size_t>(i * k + t)] * b[static_cast<std::size_t>(t * n + j)];
      }
    }
  }
  recording.a = std::move(a);
  recording.b = std::move(b);
  return recording;
}

const bool kRegistered = ArrayRecorderRegistry::Instance().Add("npu", &Record);

}  // namespace
}  // namespace siliscope
