// SPDX-License-Identifier: Apache-2.0
// Lowers a graph to calls of codes on the cores of a CPU: every operator becomes regions, one after
// another, whose threads each have a share of it.
#pragma once

#include <algorithm>
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
  const MachineSpec& machine() const { return machine_; }
  const std::string& dtype() const { return program_.dtype; }
  /// Of an element in memory.
  std::int64_t ElementBytes() const { return element_bytes_; }
  /// Multiply-accumulates of a lane of 32 bits (fp64: of 64) in one operation.
  std::int64_t Group() const { return group_; }
  /// Of a lane: an element, or the group of narrow ones that are multiplied at once.
  std::int64_t LaneBytes() const { return element_bytes_ * group_; }
  /// Lanes of a vector register.
  std::int64_t Lanes() const { return machine_.cpu.core.vector_bytes / LaneBytes(); }

  /// Another name for the same bytes.
  void Alias(TensorId view, TensorId of) {
    address_of_[static_cast<std::size_t>(view)] = AddressOf(of);
  }
  /// The address of a graph's tensor.
  std::int64_t AddressOf(TensorId id) { return Place(id, 0); }
  /// The same of an array that the matrix library's caller hands to it, as its allocator places it.
  /// (Frameworks and benchmarks align theirs to lines.)
  std::int64_t CallerAddressOf(TensorId id) { return Place(id, cpu().library.array_offset_bytes); }
  /// Memory of the lowering's own: packed panels.
  std::int64_t AddBuffer(const std::string& name, std::int64_t bytes);
  /// Memory that a thread's library keeps from call to call, of at least so many bytes.
  std::int64_t ThreadBuffer(const std::string& name, std::int64_t thread, std::int64_t bytes);
  /// The index of a code; one of the same name is the same.
  std::uint32_t CodeOf(CpuCode code);
  /// Threads for so many pieces of work.
  std::int64_t Threads(std::int64_t pieces) const {
    return std::clamp<std::int64_t>(pieces, 1, cpu().Threads());
  }
  /// A region of the operator begins: so many threads run what is called until the next one.
  void BeginRegion(std::uint32_t op, std::int64_t threads);
  void Call(std::int64_t thread, CpuCall call) {
    program_.cpu.regions.back().threads[static_cast<std::size_t>(thread)].push_back(
        std::move(call));
  }
  /// The next region is the first of a function of the matrix library.
  void EnterLibrary(bool multiplies) {
    const CpuLibrarySpec& library = cpu().library;
    enter_s_ = library.call_s + (multiplies ? library.product_call_s : 0);
  }

 private:
  std::int64_t Place(TensorId id, std::int64_t offset);
  const Graph& graph_;
  const MachineSpec& machine_;
  Program program_;
  std::int64_t element_bytes_ = 4, group_ = 1;
  double enter_s_ = 0;
  std::int64_t next_address_ = 1 << 21;
  std::int64_t workspace_bytes_ = 0;
  std::vector<std::int64_t> address_of_;  ///< by graph tensor; -1 = not yet
  std::map<std::string, std::uint32_t> codes_;
  std::map<std::pair<std::string, std::int64_t>, CpuTensor> thread_buffers_;
};

using CpuLowerFunction = void (*)(CpuLowering& lowering, std::uint32_t op);
using CpuLowerRegistry = Registry<CpuLowerFunction>;

}  // namespace siliscope
