// SPDX-License-Identifier: Apache-2.0
// Lowers a graph to calls of codes on a CPU core: every operator becomes calls, one after another.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/core/registry.h"
#include "workloads/ir/graph.h"

namespace siliscope {

class CpuLowering {
 public:
  CpuLowering(const Graph& graph, const MachineSpec& machine, const std::string& dtype);
  Program Run(std::int64_t invocations);

  const Graph& graph() const { return graph_; }
  const CpuSpec& cpu() const { return machine_.cpu; }
  const Operator& op(std::uint32_t index) const { return graph_.operators[index]; }
  OperatorInfo& info(std::uint32_t index) { return program_.operators[index]; }
  std::int64_t ElementBytes() const { return element_bytes_; }
  /// Elements of a vector register.
  std::int64_t Lanes() const { return machine_.cpu.core.vector_bytes / element_bytes_; }

  /// The address of a graph's tensor.
  std::int64_t AddressOf(TensorId id);
  /// Memory of the lowering's own: packed panels.
  std::int64_t AddBuffer(const std::string& name, std::int64_t bytes);
  /// The index of a code; one of the same name is the same.
  std::uint32_t CodeOf(CpuCode code);
  void Call(CpuCall call) {
    call.enter_s = std::exchange(enter_s_, 0);
    program_.cpu.calls.push_back(std::move(call));
  }
  /// The next call is the first of a function of the matrix library.
  void EnterLibrary() { enter_s_ = cpu().library.call_s; }

 private:
  const Graph& graph_;
  const MachineSpec& machine_;
  Program program_;
  std::int64_t element_bytes_ = 4;
  double enter_s_ = 0;
  std::int64_t next_address_ = 1 << 21;
  std::vector<std::int64_t> address_of_;  ///< by graph tensor; -1 = not yet
  std::map<std::string, std::uint32_t> codes_;
};

using CpuLowerFunction = void (*)(CpuLowering& lowering, std::uint32_t op);
using CpuLowerRegistry = Registry<CpuLowerFunction>;

}  // namespace siliscope
