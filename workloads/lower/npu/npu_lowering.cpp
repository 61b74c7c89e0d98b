// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/npu_lowering.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.h"
#include "sim/core/quantity.h"

namespace siliscope {
namespace {

std::string ShapesText(const Graph& graph, const Operator& op) {
  std::string text;
  for (const TensorId t : op.inputs) {
    if (t != kNoTensor) text += (text.empty() ? "" : ", ") + ShapeText(graph.tensor(t).shape);
  }
  return text + " -> " + ShapeText(graph.tensor(op.outputs.front()).shape);
}

}  // namespace

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
  AddCompulsoryBytes(invocations);
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
  for (const Operator& op : graph_.operators) {
    OperatorInfo info;
    info.name = op.name;
    info.kind = op.kind;
    info.source_nodes = op.source_nodes;
    info.shape = ShapesText(graph_, op);
    info.macs = OperatorMacs(graph_, op);
    info.nominal_flops = OperatorFlops(graph_, op);
    std::vector<TensorId> reads = op.inputs;
    for (const EpilogueStep& step : op.epilogue) reads.push_back(step.operand);
    for (const TensorId t : reads) {
      if (t == kNoTensor) continue;
      ++homes_[static_cast<std::size_t>(t)].uses_left;
      const bool weight = graph_.tensor(t).role == Role::kWeight;
      // Of a table only the rows that are taken are read.
      const std::int64_t bytes = op.kind == "gather" && t == op.inputs[0]
                                     ? std::min(TensorBytes(t), TensorBytes(op.outputs[0]))
                                     : TensorBytes(t);
      (weight ? info.weight_bytes : info.input_bytes) += bytes;
      const int producer = uses_.producer[static_cast<std::size_t>(t)];
      if (producer >= 0) AddDependency(&info.producers, static_cast<std::uint32_t>(producer));
    }
    for (const TensorId t : op.outputs) info.output_bytes += TensorBytes(t);
    program_.operators.push_back(std::move(info));
  }
  for (const TensorId t : graph_.outputs) ++homes_[static_cast<std::size_t>(t)].uses_left;
}

/// What must move at least: weights once (of tables only the rows that are taken), the network's
/// inputs and outputs in every invocation.
void NpuLowering::AddCompulsoryBytes(std::int64_t invocations) {
  std::vector<std::int64_t> weights(graph_.tensors.size(), 0);
  for (const Operator& op : graph_.operators) {
    for (const TensorId t : op.inputs) {
      if (t == kNoTensor || graph_.tensor(t).role != Role::kWeight) continue;
      const std::int64_t most = op.kind == "gather" ? TensorBytes(op.outputs[0]) : TensorBytes(t);
      std::int64_t& bytes = weights[static_cast<std::size_t>(t)];
      bytes = std::min(TensorBytes(t), bytes + most);
    }
  }
  for (const std::int64_t bytes : weights) program_.compulsory_bytes += bytes;
  for (const std::vector<TensorId>* ends : {&graph_.inputs, &graph_.outputs}) {
    for (const TensorId t : *ends) program_.compulsory_bytes += invocations * TensorBytes(t);
  }
}

void NpuLowering::PlaceInputs() {
  const bool from_host = npu().host_link.bandwidth_bytes_per_s > 0;
  for (std::size_t t = 0; t < graph_.tensors.size(); ++t) {
    const Tensor& tensor = graph_.tensors[t];
    if (uses_.producer[t] >= 0 || tensor.role == Role::kWeight || homes_[t].uses_left == 0)
      continue;
    TensorHome& home = homes_[t];
    home.bytes = TensorBytes(static_cast<TensorId>(t));
    home.space = from_host ? MemorySpace::kHost : MemorySpace::kDram;
    home.address = TakeAddress(home.space, home.bytes);
  }
}

void NpuLowering::PlaceWeight(TensorId id, std::uint32_t op) {
  TensorHome& home = homes_[static_cast<std::size_t>(id)];
  if (home.bytes > 0) return;
  home.bytes = TensorBytes(id);
  home.first_operator = op;
  home.space = npu().host_link.streams_weights ? MemorySpace::kHost : MemorySpace::kDram;
  home.address = TakeAddress(home.space, home.bytes);
  program_.weight_bytes += home.bytes;
}

std::int64_t NpuLowering::TakeAddress(MemorySpace space, std::int64_t bytes) {
  return memories_[space].Take(bytes);
}

MemorySpace NpuLowering::SpillSpaceOf(std::int64_t bytes) const {
  if (npu().shared_memory.size_bytes >= shared_used_ + bytes) return MemorySpace::kShared;
  // A memory that holds weights only (or none at all) can't take results: they go to the host.
  const bool no_memory = npu().weight_fifo_tiles > 0 || npu().host_link.streams_weights;
  return no_memory && npu().host_link.bandwidth_bytes_per_s > 0 ? MemorySpace::kHost
                                                                : MemorySpace::kDram;
}

MemorySpace NpuLowering::SpillSpace(std::int64_t bytes) {
  const MemorySpace space = SpillSpaceOf(bytes);
  if (space == MemorySpace::kShared) shared_used_ += bytes;
  return space;
}

void NpuLowering::Alias(TensorId id, TensorId of) {
  const TensorId root = Root(of);
  // The other name's readers keep the elements alive.
  homes_[static_cast<std::size_t>(root)].uses_left +=
      homes_[static_cast<std::size_t>(id)].uses_left;
  alias_[static_cast<std::size_t>(id)] = root;
}

/// A share in the scratchpad of every core, where all have room for it.
bool NpuLowering::PlaceOnChip(TensorHome* home) {
  if (npu().unified.size_bytes == 0) return false;
  const std::int64_t share = (home->bytes + cores() - 1) / cores();
  const auto limit = static_cast<std::int64_t>(npu().mapping.resident_fraction *
                                               static_cast<double>(npu().unified.size_bytes));
  for (std::int64_t c = 0; c < cores(); ++c) {
    if (allocator(c).allocated() + share > limit) return false;
  }
  for (std::int64_t c = 0; c < cores(); ++c) {
    auto region = allocator(c).Allocate(share);
    if (!region) {
      for (std::size_t done = 0; done < home->regions.size(); ++done) {
        const ScratchpadAllocator::Region& taken = home->regions[done];
        allocator(static_cast<std::int64_t>(done)).Free(taken, taken.wait_for);
      }
      home->regions.clear();
      return false;
    }
    home->regions.push_back(*region);
  }
  home->on_chip = true;
  return true;
}

TensorHome& NpuLowering::PlaceResult(TensorId id, std::uint32_t op) {
  TensorHome& home = homes_[static_cast<std::size_t>(id)];
  home.bytes = TensorBytes(id);
  home.first_operator = op;
  const bool read_again = !uses_.consumers[static_cast<std::size_t>(id)].empty();
  const bool to_host = npu().host_link.bandwidth_bytes_per_s > 0;
  if (read_again || to_host) PlaceOnChip(&home);
  if (!home.on_chip) {
    home.space = read_again ? SpillSpace(home.bytes)
                 : to_host  ? MemorySpace::kHost
                            : MemorySpace::kDram;
    home.address = TakeAddress(home.space, home.bytes);
  }
  return home;
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

void NpuLowering::Pin(TensorId id, std::uint32_t op) {
  TensorHome& tensor = home(id);
  if (tensor.on_chip || npu().weight_fifo_tiles > 0 || npu().unified.size_bytes == 0) return;
  const auto limit = static_cast<std::int64_t>(npu().mapping.resident_fraction *
                                               static_cast<double>(npu().unified.size_bytes));
  for (std::int64_t c = 0; c < cores(); ++c) {
    if (allocator(c).allocated() + tensor.bytes > limit) return;
  }
  CommandIds loads;
  for (std::int64_t c = 0; c < cores(); ++c) {
    auto region = allocator(c).Allocate(tensor.bytes);
    if (!region) return;  // cores are alike: the first would have failed
    CommandIds dependencies = region->wait_for;
    AddDependencies(&dependencies, tensor.ready);
    AddDependency(&loads,
                  Copy(NpuOpcode::kLoad, op, c, tensor, 0, tensor.bytes, true, dependencies));
    tensor.regions.push_back(*region);
  }
  tensor.on_chip = true;
  tensor.ready = loads;
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

TensorId NpuLowering::PlaceTemporary(std::int64_t bytes, std::uint32_t op, bool may_be_on_chip) {
  const auto id = static_cast<TensorId>(homes_.size());
  homes_.emplace_back();
  alias_.push_back(kNoTensor);
  TensorHome& home = homes_.back();
  home.bytes = bytes;
  home.first_operator = op;
  if (may_be_on_chip && PlaceOnChip(&home)) return id;
  home.space = SpillSpace(bytes);
  home.address = TakeAddress(home.space, bytes);
  return id;
}

TensorId NpuLowering::PlaceInWeightMemory(std::int64_t bytes, std::uint32_t op) {
  const auto id = static_cast<TensorId>(homes_.size());
  homes_.emplace_back();
  alias_.push_back(kNoTensor);
  TensorHome& home = homes_.back();
  home.bytes = bytes;
  home.first_operator = op;
  home.address = TakeAddress(home.space, bytes);
  return id;
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

void NpuLowering::ReleaseInputs(std::uint32_t op) {
  const Operator& o = graph_.operators[op];
  std::vector<TensorId> reads = o.inputs;
  for (const EpilogueStep& step : o.epilogue) reads.push_back(step.operand);
  for (const TensorId t : reads) {
    if (t == kNoTensor) continue;
    const TensorId root = Root(t);
    if (--homes_[static_cast<std::size_t>(root)].uses_left == 0) {
      RecordPlacement(root, op);
      Release(root);
    }
  }
  for (const TensorId t : o.outputs) {  // a result that nobody reads
    const TensorId root = Root(t);
    if (homes_[static_cast<std::size_t>(root)].uses_left == 0 && root == t) {
      RecordPlacement(root, op);
      Release(root);
    }
  }
}

void NpuLowering::Release(TensorId id) {
  TensorHome& home = homes_[static_cast<std::size_t>(id)];
  CommandIds last = home.readers;
  AddDependencies(&last, home.ready);
  for (std::size_t c = 0; c < home.regions.size(); ++c) {
    allocators_[c].Free(home.regions[c], last);
  }
  home.regions.clear();
  if (home.on_chip) return;
  if (home.space == MemorySpace::kShared) shared_used_ -= home.bytes;
  const bool weight = static_cast<std::size_t>(id) < graph_.tensors.size() &&
                      graph_.tensor(id).role == Role::kWeight;
  if (!weight && home.bytes > 0) memories_[home.space].Give(home.address, home.bytes);
}

void NpuLowering::RecordPlacement(TensorId id, std::uint32_t last_operator) {
  static const char* const kSpaces[] = {"dram", "shared_memory", "host"};
  static const char* const kRoles[] = {"activation", "weight", "state"};
  if (!recording_) return;
  const TensorHome& home = homes_[static_cast<std::size_t>(id)];
  const Tensor& tensor = graph_.tensor(id);
  program_.tensors.push_back({tensor.name, kRoles[static_cast<int>(tensor.role)],
                              home.on_chip ? "scratchpad" : kSpaces[static_cast<int>(home.space)],
                              home.bytes, home.first_operator, last_operator});
}

void NpuLowering::StoreOutputs() {
  const auto last = static_cast<std::uint32_t>(graph_.operators.size()) - 1;
  const bool to_host = npu().host_link.bandwidth_bytes_per_s > 0;
  for (const TensorId t : graph_.outputs) {
    TensorHome& home = homes_[static_cast<std::size_t>(Root(t))];
    const int producer = uses_.producer[static_cast<std::size_t>(t)];
    const auto op = producer < 0 ? last : static_cast<std::uint32_t>(producer);
    if (home.on_chip) {
      TensorHome out;
      out.space = to_host ? MemorySpace::kHost : MemorySpace::kDram;
      out.address = TakeAddress(out.space, home.bytes);
      for (std::int64_t c = 0; c < cores(); ++c) {
        AddDependency(&stored_, Copy(NpuOpcode::kStore, op, c, out, home.bytes * c / cores(),
                                     home.bytes * (c + 1) / cores() - home.bytes * c / cores(),
                                     false, home.ready));
      }
    }
    if (!home.on_chip) AddDependencies(&stored_, home.ready);
    if (--home.uses_left == 0) RecordPlacement(Root(t), last);
  }
}

void NpuLowering::CheckCapacity() {
  program_.memory_bytes = memories_[MemorySpace::kDram].end();
  const std::int64_t capacity = machine_.memory.capacity_bytes;
  if (capacity == 0 || program_.memory_bytes <= capacity) return;
  std::vector<TensorPlacement> largest = program_.tensors;
  std::stable_sort(largest.begin(), largest.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  std::string names;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, largest.size()); ++i) {
    names += fmt::format("{}{} ({} {})", i == 0 ? "" : ", ", largest[i].name, largest[i].role,
                         Engineering(static_cast<double>(largest[i].bytes), "B"));
  }
  throw DoesNotFit(fmt::format(
      "the network does not fit the memory of {}: it needs {}, {} has {}, so {} are missing; "
      "weights {}; largest tensors: {}; what would fit: a smaller --batch, a narrower --dtype, or "
      "a system with more memory",
      machine_.name, Engineering(static_cast<double>(program_.memory_bytes), "B"), machine_.name,
      Engineering(static_cast<double>(capacity), "B"),
      Engineering(static_cast<double>(program_.memory_bytes - capacity), "B"),
      Engineering(static_cast<double>(program_.weight_bytes), "B"), names));
}

}  // namespace siliscope
