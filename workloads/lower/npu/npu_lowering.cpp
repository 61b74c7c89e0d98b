// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/npu_lowering.h"

#include <algorithm>

#include "sim/core/error.h"
#include "workloads/lower/memory_use.h"
#include "workloads/lower/operator_infos.h"

namespace siliscope {
NpuLowering::NpuLowering(const Graph& graph, const MachineSpec& machine, const TileCost& cost,
                         const std::string& dtype)
    : graph_(graph),
      machine_(machine),
      cost_(cost),
      uses_(graph),
      builder_(&program_),
      homes_(graph.tensors.size()),
      alias_(graph.tensors.size(), kNoTensor) {
  std::string runs_as = dtype;
  const auto converted = machine.converted_dtypes.find(dtype);
  if (converted != machine.converted_dtypes.end()) {
    runs_as = converted->second;
    program_.notes.push_back(dtype + " runs as " + runs_as + " on " + machine.name);
  }
  const auto& rates = machine.npu.array.macs_per_element;
  const auto rate = rates.find(runs_as);
  if (rate == rates.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : rates) names.push_back(name);
    for (const auto& [name, value] : machine.converted_dtypes) names.push_back(name);
    throw UserError(machine.name + " has no rate for data type \"" + dtype + "\"" +
                    Suggestion(dtype, names));
  }
  rate_ = rate->second;
  const std::size_t x = runs_as.find('x');
  if (!ParseDataType(runs_as.substr(0, x), &weight_type_) ||
      !ParseDataType(x == std::string::npos ? runs_as : runs_as.substr(x + 1), &activation_type_)) {
    throw UserError("\"" + dtype + "\" is not a data type" + Suggestion(dtype, DataTypeNames()));
  }
  program_.dtype = runs_as;
  fifo_pushes_.resize(static_cast<std::size_t>(machine.npu.cores));
  array_uses_.resize(static_cast<std::size_t>(machine.npu.cores * machine.npu.array.count));
  const bool unified = machine.npu.unified.size_bytes > 0;
  for (std::int64_t c = 0; c < machine.npu.cores; ++c) {
    allocators_.emplace_back(unified ? machine.npu.unified.size_bytes
                                     : machine.npu.input.size_bytes);
    if (!unified) weight_allocators_.emplace_back(machine.npu.weight.size_bytes);
  }
}

std::int64_t NpuLowering::ActivationBytes(std::int64_t elements) const {
  return BytesOf(activation_type_, elements);
}
std::int64_t NpuLowering::WeightBytes(std::int64_t elements) const {
  return BytesOf(weight_type_, elements);
}
std::int64_t NpuLowering::TensorBytes(TensorId id) const {
  const Tensor& tensor = graph_.tensor(id);
  return tensor.role == Role::kWeight ? WeightBytes(tensor.elements())
                                      : ActivationBytes(tensor.elements());
}

TensorId NpuLowering::Root(TensorId id) const {
  while (alias_[static_cast<std::size_t>(id)] != kNoTensor)
    id = alias_[static_cast<std::size_t>(id)];
  return id;
}

Program NpuLowering::Run(std::int64_t invocations) {
  AddOperators();
  CacheParameters();
  const std::deque<TensorHome> fresh = homes_;
  for (std::int64_t i = 0; i < invocations; ++i) {
    for (std::size_t t = 0; i > 0 && t < fresh.size(); ++t) {
      const bool weight = graph_.tensors[t].role == Role::kWeight;
      if (weight) {
        homes_[t].uses_left = fresh[t].uses_left;
      } else {
        homes_[t] = fresh[t];
      }
      alias_[t] = kNoTensor;
    }
    RunOnce();
    recording_ = false;
  }
  program_.memory = MemoryUseOf(graph_, [this](TensorId t) { return TensorBytes(t); });
  program_.compulsory_bytes = CompulsoryBytesOf(
      graph_, [this](TensorId t) { return TensorBytes(t); }, invocations);
  for (OperatorInfo& op : program_.operators) {
    op.macs *= static_cast<double>(invocations);
    op.nominal_flops *= static_cast<double>(invocations);
    op.input_bytes *= invocations;
    op.output_bytes *= invocations;
  }
  CheckCapacity();
  return std::move(program_);
}

void NpuLowering::CacheParameters() {
  // They were left there by an earlier invocation: no copy is made.
  std::int64_t left = npu().mapping.parameter_cache_bytes;
  for (const Operator& op : graph_.operators) {
    for (const TensorId t : op.inputs) {
      if (t == kNoTensor || graph_.tensor(t).role != Role::kWeight) continue;
      TensorHome& home = homes_[static_cast<std::size_t>(t)];
      const std::int64_t bytes = TensorBytes(t);
      if (home.on_chip || bytes > left || npu().unified.size_bytes == 0) continue;
      auto region = allocator(0).Allocate(bytes);
      if (!region) return;
      left -= bytes;
      home.bytes = bytes;
      home.on_chip = true;
      home.uses_left += 1;  // kept after the last use
      home.regions.assign(static_cast<std::size_t>(cores()), *region);
      program_.weight_bytes += bytes;
    }
  }
}

void NpuLowering::RunOnce() {
  AddLaunch();
  stored_.clear();
  PlaceInputs();
  for (std::uint32_t i = 0; i < graph_.operators.size(); ++i) {
    const Operator& op = graph_.operators[i];
    for (const TensorId t : op.inputs) {
      if (t != kNoTensor && graph_.tensor(t).role == Role::kWeight) PlaceWeight(t, i);
    }
    for (const EpilogueStep& step : op.epilogue) {
      if (step.operand != kNoTensor && graph_.tensor(step.operand).role == Role::kWeight) {
        PlaceWeight(step.operand, i);
      }
    }
    NpuLowerRegistry::Instance().Get("operator for an NPU", op.kind)(*this, i);
    ReleaseInputs(i);
  }
  StoreOutputs();
}

void NpuLowering::AddLaunch() {
  if (machine_.npu.mapping.launch_s <= 0) return;
  NpuCommand launch;
  launch.opcode = NpuOpcode::kLaunch;
  builder_.SetLaunch(builder_.Add(launch, stored_));
}

void NpuLowering::AddOperators() {
  program_.operators = OperatorInfosOf(graph_, [this](TensorId t) { return TensorBytes(t); });
  for (const Operator& op : graph_.operators) {
    std::vector<TensorId> reads = op.inputs;
    for (const EpilogueStep& step : op.epilogue) reads.push_back(step.operand);
    for (const TensorId t : reads) {
      if (t != kNoTensor) ++homes_[static_cast<std::size_t>(t)].uses_left;
    }
  }
  for (const TensorId t : graph_.outputs) ++homes_[static_cast<std::size_t>(t)].uses_left;
}

void NpuLowering::FinishResult(TensorId id, std::uint32_t op, const CommandIds& commands) {
  TensorHome& home = homes_[static_cast<std::size_t>(id)];
  home.ready = commands;
  if (npu().mapping.synchronise_s <= 0 && commands.size() <= 8) return;
  NpuCommand synchronise;
  synchronise.opcode = NpuOpcode::kSynchronise;
  synchronise.op = op;
  home.ready = {builder_.Add(synchronise, commands)};
}

CommandId NpuLowering::LoadWeightTile(std::uint32_t op, std::int64_t core, TensorId weights,
                                      std::int64_t tile) {
  const CommandIds& pushes = fifo_pushes_[static_cast<std::size_t>(core)];
  const auto depth = static_cast<std::size_t>(npu().weight_fifo_tiles);
  CommandIds dependencies;
  if (pushes.size() >= depth) dependencies = {pushes[pushes.size() - depth]};
  // Tiles are stored padded to the array.
  const std::int64_t bytes = WeightBytes(npu().array.rows * npu().array.columns);
  const TensorHome& from = home(weights);
  AddDependencies(&dependencies, from.ready);
  const std::int64_t tiles = std::max<std::int64_t>(1, from.bytes / bytes);
  return Copy(NpuOpcode::kLoad, op, core, from, tile % tiles * bytes, bytes, true, dependencies);
}

void NpuLowering::WeightTilePushed(std::int64_t core, CommandId push) {
  fifo_pushes_[static_cast<std::size_t>(core)].push_back(push);
}

CommandId NpuLowering::DataflowChange(std::int64_t core, std::int64_t array,
                                      bool output_stationary) const {
  const ArrayUse& use = array_uses_[static_cast<std::size_t>(core * npu().array.count + array)];
  return use.output_stationary == output_stationary ? kNone : use.last;
}

void NpuLowering::ArrayUsed(std::int64_t core, std::int64_t array, bool output_stationary,
                            CommandId command) {
  array_uses_[static_cast<std::size_t>(core * npu().array.count + array)] = {command,
                                                                             output_stationary};
}

void NpuLowering::AddReaders(TensorId id, const CommandIds& commands) {
  AddDependencies(&home(id).readers, commands);
}

CommandId NpuLowering::Copy(NpuOpcode opcode, std::uint32_t op, std::int64_t core,
                            const TensorHome& home, std::int64_t offset, std::int64_t bytes,
                            bool weights, const CommandIds& dependencies) {
  if (bytes <= 0) return kNone;
  NpuCommand copy;
  copy.opcode = opcode;
  copy.space = home.space;
  copy.core = static_cast<std::uint16_t>(core);
  copy.op = op;
  copy.bytes = bytes;
  copy.address = home.address + offset;
  copy.weights = weights;
  return builder_.Add(copy, dependencies);
}

}  // namespace siliscope
