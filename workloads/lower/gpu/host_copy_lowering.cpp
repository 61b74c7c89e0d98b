// SPDX-License-Identifier: Apache-2.0
// Copies between the host's memory and the chip's, by a copy engine: an operator of its own, and
// the inputs and outputs of a network where they are asked for.
#include <fmt/format.h>

#include <algorithm>

#include "workloads/lower/gpu/gpu_lowering.h"

namespace siliscope {
namespace {

GpuKernel MakeHostCopy(HostCopy way, std::uint32_t tensor) {
  GpuKernel k;
  k.name = way == HostCopy::kToChip ? "copy_host_to_chip" : "copy_chip_to_host";
  k.tile = "4 KiB a request";
  k.host_copy = way;
  OperandStream whole;
  whole.tensor = tensor;
  k.streams = {whole};
  return k;
}

void LowerHostCopy(GpuLowering& lowering, std::uint32_t index) {
  const Operator& op = lowering.op(index);
  const bool to_host = op.Text("to", "chip") == "host";
  if (op.Int("bytes", 0) > 0) lowering.SetLayout(op.inputs.front(), 1, op.Int("bytes", 0));
  lowering.Launch(index, MakeHostCopy(to_host ? HostCopy::kFromChip : HostCopy::kToChip,
                                      lowering.TensorOf(op.inputs.front())));
}

const bool kRegistered = GpuLowerRegistry::Instance().Add("host_copy", &LowerHostCopy);

}  // namespace

/// Copies go on streams of their own: what reads an input waits for it, outputs wait for all.
void GpuLowering::CopyInputsAndOutputs() {
  GpuProgram& gpu = program_.gpu;
  const auto info_of = [this](TensorId id, const char* way) {
    OperatorInfo info;
    info.name = graph_.tensor(id).name + way;
    info.kind = info.call = "host_copy";
    info.shape = ShapeText(graph_.tensor(id).shape);
    info.output_bytes = TensorBytes(id);
    program_.operators.push_back(std::move(info));
    return static_cast<std::uint32_t>(program_.operators.size() - 1);
  };
  const auto add = [&](TensorId id, HostCopy way, std::uint32_t stream) {
    GpuLaunch launch;
    launch.kernel = static_cast<std::uint32_t>(gpu.kernels.size());
    launch.op = info_of(id, way == HostCopy::kToChip ? ", to the chip" : ", to the host");
    launch.stream = stream;
    gpu.kernels.push_back(MakeHostCopy(way, TensorOf(id)));
    Describe(launch.op, gpu.kernels.back());
    return launch;
  };
  std::uint32_t streams = 1;  // of the kernels
  for (const GpuLaunch& launch : gpu.launches) streams = std::max(streams, launch.stream + 1);
  std::vector<GpuLaunch> copies;
  for (const TensorId id : graph_.inputs) copies.push_back(add(id, HostCopy::kToChip, streams));
  const auto first = static_cast<std::uint32_t>(copies.size());
  std::vector<bool> begun(streams, false);
  for (GpuLaunch& launch : gpu.launches) {
    for (std::uint32_t& before : launch.after) before += first;
    for (std::uint32_t i = 0; i < first && !begun[launch.stream]; ++i) launch.after.push_back(i);
    begun[launch.stream] = true;
  }
  gpu.launches.insert(gpu.launches.begin(), copies.begin(), copies.end());
  std::vector<std::uint32_t> last(streams);  // kernel of each stream
  for (std::uint32_t i = first; i < gpu.launches.size(); ++i) last[gpu.launches[i].stream] = i;
  for (const TensorId id : graph_.outputs) {
    GpuLaunch launch = add(id, HostCopy::kFromChip, streams + 1);
    launch.after = last;
    gpu.launches.push_back(launch);
  }
}

}  // namespace siliscope
