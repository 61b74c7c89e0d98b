// SPDX-License-Identifier: Apache-2.0
// Lowers a graph to launches of GPU kernels: every operator becomes one kernel or a few, all
// tensors lie in the off-chip memory, and the launches run in the order of the operators on one
// stream.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/contract/compiler.h"
#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/core/registry.h"
#include "workloads/ir/graph.h"
#include "workloads/lower/gpu/gemm_kernel.h"

namespace siliscope {

class GpuLowering {
 public:
  /// `kernel` names the kernel that products take, as a profiler would; "" = the fastest.
  /// With `trials`, the best few by estimate are run, and the fastest of them is taken.
  GpuLowering(const Graph& graph, const MachineSpec& machine, const std::string& dtype,
              const std::string& kernel, ProgramTrials trials);
  /// With `host_copies`, inputs come from the host's memory and outputs go there. Operators that
  /// don't wait for each other go to as many as `streams`.
  Program Run(std::int64_t invocations, bool host_copies, std::int64_t streams);

  const Graph& graph() const { return graph_; }
  const MachineSpec& machine() const { return machine_; }
  const Operator& op(std::uint32_t index) const { return graph_.operators[index]; }
  OperatorInfo& info(std::uint32_t index) { return program_.operators[index]; }
  /// The data type that matrix products run in.
  const std::string& dtype() const { return program_.dtype; }
  const std::string& kernel_name() const { return kernel_name_; }
  const ProgramTrials& trials() const { return trials_; }
  /// Tiles that have been tried, by problem.
  std::map<std::string, GemmTile>& tried() { return tried_; }
  double ActivationBytes() const { return activation_bytes_; }
  double ElementBytes(TensorId id) const;
  std::int64_t TensorBytes(TensorId id) const;

  /// The program's tensor of a graph's tensor.
  std::uint32_t TensorOf(TensorId id);
  const GpuTensor& Layout(std::uint32_t tensor) const { return program_.gpu.tensors[tensor]; }
  /// Says how a tensor lies in memory, before it is first asked for.
  void SetLayout(TensorId id, std::int64_t rows, std::int64_t row_bytes);
  /// A tensor of the lowering's own.
  std::uint32_t AddTensor(const std::string& name, std::int64_t rows, std::int64_t row_bytes);
  /// `id` is another name for the bytes of `of`.
  void Alias(TensorId id, TensorId of);
  void Launch(std::uint32_t op, GpuKernel kernel);
  void Note(const std::string& text) { program_.notes.push_back(text); }
  /// "  kernel ampere_..., tile ..., 64 CTAs, ..." of the operator's longest text.
  void Describe(std::uint32_t op, const GpuKernel& kernel);

 private:
  void ChooseLayouts();
  void AssignStreams(std::int64_t streams);
  void CopyInputsAndOutputs();

  const Graph& graph_;
  const MachineSpec& machine_;
  std::string kernel_name_;
  ProgramTrials trials_;
  std::map<std::string, GemmTile> tried_;
  Program program_;
  double weight_bytes_ = 2, activation_bytes_ = 2;
  std::int64_t next_address_ = 0;
  std::int64_t workspace_bytes_ = 0;  ///< of the operator that needs most
  std::int64_t workspace_of_operator_ = 0;
  std::vector<std::int64_t> tensor_of_;  ///< by graph tensor; -1 = not yet
  struct Layout_ {
    std::int64_t rows = 0, row_bytes = 0;
  };
  std::vector<Layout_> layouts_;
};

using GpuLowerFunction = void (*)(GpuLowering& lowering, std::uint32_t op);
using GpuLowerRegistry = Registry<GpuLowerFunction>;

}  // namespace siliscope
