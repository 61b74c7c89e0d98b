// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/cpu/cpu_lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "workloads/lower/memory_use.h"
#include "workloads/lower/operator_infos.h"

namespace siliscope {
namespace {

constexpr std::int64_t kAlignment = 4096;
/// Allocators put a header before a block, so large blocks don't all begin in the first set.
constexpr std::int64_t kColour = 17 * 64;

}  // namespace

CpuLowering::CpuLowering(const Graph& graph, const MachineSpec& machine, const std::string& dtype)
    : graph_(graph), machine_(machine), address_of_(graph.tensors.size(), -1) {
  std::string runs_as = dtype;
  const auto converted = machine.converted_dtypes.find(dtype);
  if (converted != machine.converted_dtypes.end()) {
    runs_as = converted->second;
    program_.notes.push_back(dtype + " runs as " + runs_as + " on " + machine.name);
  }
  const std::vector<std::string> types = machine.cpu.DataTypes();
  DataType type{};
  if (std::find(types.begin(), types.end(), runs_as) == types.end() ||
      !ParseDataType(runs_as, &type)) {
    throw UserError(machine.name + " has no rate for data type \"" + dtype + "\"" +
                    Suggestion(dtype, types));
  }
  element_bytes_ = BytesOf(type, 1);
  group_ = std::max<std::int64_t>(1, 4 / element_bytes_);
  program_.dtype = runs_as;
}

void CpuLowering::BeginRegion(std::uint32_t op, std::int64_t threads) {
  CpuRegion region;
  region.op = op;
  region.threads.resize(static_cast<std::size_t>(threads));
  region.enter_s = std::exchange(enter_s_, 0);
  program_.cpu.regions.push_back(std::move(region));
}

std::int64_t CpuLowering::AddBuffer(const std::string& name, std::int64_t bytes) {
  CpuTensor tensor;
  tensor.name = name;
  tensor.address =
      next_address_ + kColour * static_cast<std::int64_t>(program_.cpu.tensors.size() % 32);
  tensor.bytes = bytes;
  next_address_ = (tensor.address + bytes + kAlignment - 1) / kAlignment * kAlignment;
  program_.cpu.tensors.push_back(tensor);
  workspace_bytes_ += bytes;
  return tensor.address;
}

std::int64_t CpuLowering::ThreadBuffer(const std::string& name, std::int64_t thread,
                                       std::int64_t bytes) {
  CpuTensor& buffer = thread_buffers_[{name, thread}];
  if (buffer.bytes < bytes) {
    buffer = {name, AddBuffer(name, bytes), bytes, thread};
    program_.cpu.tensors.back().thread = thread;
  }
  return buffer.address;
}

std::int64_t CpuLowering::Place(TensorId id, std::int64_t offset) {
  std::int64_t& at = address_of_[static_cast<std::size_t>(id)];
  if (at < 0) {
    const Tensor& tensor = graph_.tensor(id);
    const std::int64_t bytes = tensor.elements() * element_bytes_;
    at = AddBuffer(tensor.name, bytes + offset) + offset;
    workspace_bytes_ -= bytes + offset;
  }
  return at;
}

std::uint32_t CpuLowering::CodeOf(CpuCode code) {
  const auto known = codes_.find(code.name);
  if (known != codes_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(program_.cpu.codes.size());
  codes_[code.name] = index;
  program_.cpu.codes.push_back(std::move(code));
  return index;
}

Program CpuLowering::Run(std::int64_t invocations) {
  const auto bytes = [this](TensorId t) { return graph_.tensor(t).elements() * element_bytes_; };
  program_.operators = OperatorInfosOf(graph_, bytes);
  std::vector<std::string> missing;
  for (const Operator& op : graph_.operators) {
    if (CpuLowerRegistry::Instance().Find(op.kind) == nullptr) {
      missing.push_back(op.name + " (" + op.kind + ")");
    }
  }
  if (!missing.empty()) {
    std::string all;
    for (const std::string& m : missing) all += (all.empty() ? "" : ", ") + m;
    throw UserError("operators that no code of a CPU runs yet: " + all);
  }
  for (std::uint32_t i = 0; i < graph_.operators.size(); ++i) {
    CpuLowerRegistry::Instance().Get("operator for a CPU", graph_.operators[i].kind)(*this, i);
  }
  constexpr float kScalarFlops = 2;
  for (const CpuCode& code : program_.cpu.codes) {
    program_.cpu.wide_vectors = program_.cpu.wide_vectors ||
                                std::any_of(code.ops.begin(), code.ops.end(), [](const MicroOp& m) {
                                  return m.op == MicroOpClass::kMatrix ||
                                         (m.op == MicroOpClass::kFma && m.flops > kScalarFlops);
                                });
  }
  program_.memory = MemoryUseOf(graph_, bytes);
  program_.weight_bytes = program_.memory.weight_bytes;
  program_.memory_bytes = workspace_bytes_ + program_.memory.weight_bytes +
                          program_.memory.cache_bytes + program_.memory.activation_bytes;
  program_.compulsory_bytes = CompulsoryBytesOf(graph_, bytes, invocations);
  const std::int64_t capacity = machine_.memory.capacity_bytes;
  if (capacity > 0 && program_.memory_bytes > capacity) {
    throw DoesNotFit(fmt::format("{} of tensors do not fit the {} of {}: {} are missing",
                                 program_.memory_bytes, capacity, machine_.name,
                                 program_.memory_bytes - capacity));
  }
  return std::move(program_);
}

}  // namespace siliscope
