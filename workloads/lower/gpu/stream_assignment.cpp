// SPDX-License-Identifier: Apache-2.0
// Which stream each launch goes to where a network may use several: operators that don't wait for
// each other run side by side, as captured graphs do with their branches.
#include <algorithm>
#include <set>

#include "workloads/lower/gpu/gpu_lowering.h"

namespace siliscope {

/// An operator follows one of those that it reads from on their stream, if nobody has done so
/// yet; else it takes a stream of its own, or that one whose last launch lies back furthest. What
/// comes from other streams it waits for.
void GpuLowering::AssignStreams(std::int64_t streams) {
  std::vector<GpuLaunch>& launches = program_.gpu.launches;
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, streams));
  std::vector<std::set<std::uint32_t>> makers(graph_.tensors.size());  ///< launches, by tensor
  std::vector<std::uint32_t> last;                                     ///< launch, by stream
  std::size_t next = 0;
  for (std::uint32_t o = 0; o < graph_.operators.size(); ++o) {
    const Operator& op = graph_.operators[o];
    std::set<std::uint32_t> before;
    const auto reads = [&](TensorId t) {
      if (t == kNoTensor) return;
      const auto& made = makers[static_cast<std::size_t>(t)];
      before.insert(made.begin(), made.end());
    };
    for (const TensorId t : op.inputs) reads(t);
    for (const EpilogueStep& step : op.epilogue) reads(step.operand);
    if (next < launches.size() && launches[next].op == o) {
      std::size_t stream = last.size();
      for (std::size_t s = 0; s < last.size(); ++s) {
        if (before.count(last[s]) != 0) stream = s;
      }
      if (stream == last.size() && last.size() < most) last.push_back(0);
      if (stream == last.size()) {
        stream =
            static_cast<std::size_t>(std::min_element(last.begin(), last.end()) - last.begin());
      }
      for (const std::uint32_t launch : before) {
        if (launches[launch].stream != stream) launches[next].after.push_back(launch);
      }
      for (; next < launches.size() && launches[next].op == o; ++next) {
        launches[next].stream = static_cast<std::uint32_t>(stream);
        last[stream] = static_cast<std::uint32_t>(next);
      }
      before = {last[stream]};
    }
    for (const TensorId t : op.outputs) {
      if (t != kNoTensor) makers[static_cast<std::size_t>(t)] = before;
    }
  }
}

}  // namespace siliscope
