// SPDX-License-Identifier: Apache-2.0
// Collects the commands of an NPU program and what each waits for.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/program.h"

namespace siliscope {

using CommandId = std::uint32_t;
using CommandIds = std::vector<CommandId>;

/// Adds what is not there yet.
void AddDependency(CommandIds* list, CommandId id);
void AddDependencies(CommandIds* list, const CommandIds& ids);

class ProgramBuilder {
 public:
  explicit ProgramBuilder(Program* program) : program_(program) {
    program_->npu.dependency_begin.assign(1, 0);
  }

  /// From here on, commands without dependencies wait for `id`: the launch of an invocation.
  void SetLaunch(CommandId id) { launch_ = id; }
  /// Adds a command. Without dependencies it waits for the launch, if there is one.
  CommandId Add(const NpuCommand& command, const CommandIds& dependencies);

  std::uint16_t AddVectorWork(const VectorWork& work);
  CommandId next() const { return static_cast<CommandId>(program_->npu.commands.size()); }

 private:
  Program* program_;
  CommandId launch_ = kNone;
};

}  // namespace siliscope
