// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/npu/program_builder.h"

#include <algorithm>

#include "sim/core/error.h"

namespace siliscope {

void AddDependency(CommandIds* list, CommandId id) {
  if (id != kNone && std::find(list->begin(), list->end(), id) == list->end()) list->push_back(id);
}

void AddDependencies(CommandIds* list, const CommandIds& ids) {
  for (const CommandId id : ids) AddDependency(list, id);
}

CommandId ProgramBuilder::Add(const NpuCommand& command, const CommandIds& dependencies) {
  NpuProgram& npu = program_->npu;
  constexpr std::size_t kMost = 12'000'000;  // about 1.5 GB of commands
  if (npu.commands.size() >= kMost) {
    throw UserError(
        "the network needs more than 12 million commands on this chip; a larger array "
        "or a smaller batch needs fewer");
  }
  const CommandId id = next();
  npu.commands.push_back(command);
  if (dependencies.empty() && launch_ != kNone) npu.dependencies.push_back(launch_);
  npu.dependencies.insert(npu.dependencies.end(), dependencies.begin(), dependencies.end());
  npu.dependency_begin.push_back(static_cast<std::uint32_t>(npu.dependencies.size()));
  return id;
}

std::uint16_t ProgramBuilder::AddVectorWork(const VectorWork& work) {
  auto& works = program_->npu.vector_works;
  for (std::size_t i = 0; i < works.size(); ++i) {
    const VectorWork& w = works[i];
    if (w.label == work.label && w.functions == work.functions && w.reductions == work.reductions &&
        w.transpose == work.transpose && w.load_bytes_per_element == work.load_bytes_per_element &&
        w.store_bytes_per_element == work.store_bytes_per_element &&
        w.matrix_flops_per_element == work.matrix_flops_per_element) {
      return static_cast<std::uint16_t>(i);
    }
  }
  if (works.size() > 65000) throw UserError("the network has too many different vector operations");
  works.push_back(work);
  return static_cast<std::uint16_t>(works.size() - 1);
}

}  // namespace siliscope
