// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/gpu/gpu_lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "workloads/lower/memory_use.h"
#include "workloads/lower/operator_infos.h"

namespace siliscope {
namespace {

constexpr std::int64_t kAlignment = 2 << 20;  // a page
constexpr std::int64_t kColour = 17 << 10;    // by which tensors are set apart inside of pages

/// Types that a GPU multiplies in: those of its Tensor Cores and of its pipes.
std::vector<std::string> TypesOf(const MachineSpec& machine) {
  std::vector<std::string> types = {"fp16", "fp32", "fp64"};
  for (const auto& [name, rate] : machine.gpu.tensor_core.macs_per_cycle) types.push_back(name);
  for (const auto& [name, as] : machine.converted_dtypes) types.push_back(name);
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  return types;
}

bool IsProduct(const std::string& kind) {
  return kind == "matmul" || kind == "conv" || kind == "conv_transpose" || kind == "attention" ||
         kind == "lstm" || kind == "gru" || kind == "rnn";
}

}  // namespace

GpuLowering::GpuLowering(const Graph& graph, const MachineSpec& machine, const std::string& dtype,
                         const std::string& kernel, ProgramTrials trials)
    : graph_(graph),
      machine_(machine),
      kernel_name_(kernel),
      trials_(std::move(trials)),
      tensor_of_(graph.tensors.size(), -1),
      layouts_(graph.tensors.size()) {
  std::string runs_as = dtype;
  const auto converted = machine.converted_dtypes.find(dtype);
  if (converted != machine.converted_dtypes.end()) {
    runs_as = converted->second;
    program_.notes.push_back(dtype + " runs as " + runs_as + " on " + machine.name);
  }
  const std::vector<std::string> types = TypesOf(machine);
  if (std::find(types.begin(), types.end(), runs_as) == types.end()) {
    throw UserError(machine.name + " has no rate for data type \"" + dtype + "\"" +
                    Suggestion(dtype, types));
  }
  DataType type{};
  ParseDataType(runs_as, &type);
  weight_bytes_ = BitsPerElement(type) / 8.0;
  // Activations between 8-bit products stay in 16 bits.
  activation_bytes_ = std::max(weight_bytes_, runs_as == "int8" ? 1.0 : 2.0);
  program_.dtype = runs_as;
}

double GpuLowering::ElementBytes(TensorId id) const {
  return graph_.tensor(id).role == Role::kWeight ? weight_bytes_ : activation_bytes_;
}
std::int64_t GpuLowering::TensorBytes(TensorId id) const {
  return static_cast<std::int64_t>(
      ElementBytes(id) * static_cast<double>(graph_.tensor(id).elements()) + 0.5);
}

void GpuLowering::SetLayout(TensorId id, std::int64_t rows, std::int64_t row_bytes) {
  if (tensor_of_[static_cast<std::size_t>(id)] >= 0) return;
  layouts_[static_cast<std::size_t>(id)] = {rows, row_bytes};
}

/// Products and transposes take tiles of rows and columns, everything else row by row.
void GpuLowering::ChooseLayouts() {
  std::vector<bool> matrix(graph_.tensors.size(), false), image(graph_.tensors.size(), false);
  for (const Operator& op : graph_.operators) {
    if (op.kind == "transpose") {
      matrix[static_cast<std::size_t>(op.inputs[0])] = true;
      matrix[static_cast<std::size_t>(op.outputs.front())] = true;
    }
    if (!IsProduct(op.kind)) continue;
    const bool conv = op.kind == "conv" || op.kind == "conv_transpose";
    for (const TensorId t : op.inputs) {
      if (t == kNoTensor) continue;
      matrix[static_cast<std::size_t>(t)] = true;
      if (conv && graph_.tensor(t).role != Role::kWeight) image[static_cast<std::size_t>(t)] = true;
    }
    matrix[static_cast<std::size_t>(op.outputs.front())] = true;
    if (conv) image[static_cast<std::size_t>(op.outputs.front())] = true;
  }
  for (std::size_t i = 0; i < graph_.tensors.size(); ++i) {
    const Tensor& t = graph_.tensors[i];
    if (layouts_[i].rows != 0) continue;
    const auto id = static_cast<TensorId>(i);
    const std::int64_t bytes = std::max<std::int64_t>(1, TensorBytes(id));
    std::int64_t rows = 1;
    const bool channels_last = image[i] && t.shape.size() == 4;
    if (channels_last) {
      rows = t.shape[0] * t.shape[2] * t.shape[3];
    } else if (matrix[i] && t.shape.size() > 1) {
      rows = t.elements() / std::max<std::int64_t>(1, t.shape.back());
    }
    rows = std::max<std::int64_t>(1, rows);
    const std::int64_t row_bytes = std::max<std::int64_t>(1, (bytes + rows - 1) / rows);
    layouts_[i] = {rows, row_bytes};
  }
}

std::uint32_t GpuLowering::AddTensor(const std::string& name, std::int64_t rows,
                                     std::int64_t row_bytes) {
  GpuTensor tensor;
  tensor.name = name;
  // Physical pages lie anywhere: tensors don't begin in the same bank of the same channel.
  const auto colour = static_cast<std::int64_t>(program_.gpu.tensors.size() * 29 % 64);
  tensor.address = next_address_ + colour * kColour;
  tensor.rows = rows;
  tensor.row_bytes = row_bytes;
  const std::int64_t bytes = rows * row_bytes;
  workspace_of_operator_ += bytes;
  workspace_bytes_ = std::max(workspace_bytes_, workspace_of_operator_);
  next_address_ += (bytes + 64 * kColour + kAlignment - 1) / kAlignment * kAlignment;
  program_.gpu.tensors.push_back(tensor);
  return static_cast<std::uint32_t>(program_.gpu.tensors.size() - 1);
}

std::uint32_t GpuLowering::TensorOf(TensorId id) {
  std::int64_t& at = tensor_of_[static_cast<std::size_t>(id)];
  if (at < 0) {
    const Layout_& layout = layouts_[static_cast<std::size_t>(id)];
    const Tensor& tensor = graph_.tensor(id);
    const std::int64_t workspace = workspace_bytes_;
    at = AddTensor(tensor.name, layout.rows, layout.row_bytes);
    workspace_of_operator_ -= layout.rows * layout.row_bytes;
    workspace_bytes_ = workspace;
    const bool weight = tensor.role == Role::kWeight;
    program_.gpu.tensors.back().weight = weight;
  }
  return static_cast<std::uint32_t>(at);
}

void GpuLowering::Alias(TensorId id, TensorId of) {
  tensor_of_[static_cast<std::size_t>(id)] = TensorOf(of);
}

void GpuLowering::Describe(std::uint32_t op, const GpuKernel& kernel) {
  std::string& mapping = info(op).mapping;
  mapping += fmt::format("{}{} grid {}x{}", mapping.empty() ? "" : "; ", kernel.name,
                         kernel.grid.rows, kernel.grid.columns);
  if (kernel.grid.batch > 1 || kernel.grid.splits > 1) {
    mapping += fmt::format("x{}", kernel.grid.batch * kernel.grid.splits);
  }
}

void GpuLowering::Launch(std::uint32_t op, GpuKernel kernel) {
  Describe(op, kernel);
  GpuLaunch launch;
  launch.kernel = static_cast<std::uint32_t>(program_.gpu.kernels.size());
  launch.op = op;
  program_.gpu.kernels.push_back(std::move(kernel));
  program_.gpu.launches.push_back(launch);
}

Program GpuLowering::Run(std::int64_t invocations, bool host_copies, std::int64_t streams) {
  const auto bytes = [this](TensorId t) { return TensorBytes(t); };
  program_.operators = OperatorInfosOf(graph_, bytes);
  std::vector<std::string> missing;
  for (const Operator& op : graph_.operators) {
    if (GpuLowerRegistry::Instance().Find(op.kind) == nullptr) {
      missing.push_back(op.name + " (" + op.kind + ")");
    }
  }
  if (!missing.empty()) {
    std::string all;
    for (const std::string& m : missing) all += (all.empty() ? "" : ", ") + m;
    throw UserError("operators that no kernel of a GPU runs: " + all);
  }
  ChooseLayouts();
  for (std::uint32_t i = 0; i < graph_.operators.size(); ++i) {
    workspace_of_operator_ = 0;
    GpuLowerRegistry::Instance().Get("operator for a GPU", graph_.operators[i].kind)(*this, i);
  }
  if (streams > 1) AssignStreams(streams);
  if (host_copies) CopyInputsAndOutputs();
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
