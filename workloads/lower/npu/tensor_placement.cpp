// SPDX-License-Identifier: Apache-2.0
// Where tensors live: inputs and weights in memory or at the host, results on chip where they fit,
// addresses that are taken and given back, and what of it the network needs at once.
#include <fmt/format.h>

#include <algorithm>

#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "workloads/lower/npu/npu_lowering.h"

namespace siliscope {

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

TensorId NpuLowering::NewTemporary(std::int64_t bytes, std::uint32_t op) {
  homes_.emplace_back();
  homes_.back().bytes = bytes;
  homes_.back().first_operator = op;
  alias_.push_back(kNoTensor);
  return static_cast<TensorId>(homes_.size()) - 1;
}

TensorId NpuLowering::PlaceTemporary(std::int64_t bytes, std::uint32_t op, bool may_be_on_chip) {
  const TensorId id = NewTemporary(bytes, op);
  TensorHome& home = homes_.back();
  if (may_be_on_chip && PlaceOnChip(&home)) return id;
  home.space = SpillSpace(bytes);
  home.address = TakeAddress(home.space, bytes);
  return id;
}

TensorId NpuLowering::PlaceInWeightMemory(std::int64_t bytes, std::uint32_t op) {
  const TensorId id = NewTemporary(bytes, op);
  homes_.back().address = TakeAddress(MemorySpace::kDram, bytes);
  return id;
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
