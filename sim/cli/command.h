// SPDX-License-Identifier: Apache-2.0
// The subcommands of the program: one file each in sim/cli.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sim/config/yaml_document.h"
#include "sim/contract/compiler.h"

namespace siliscope {

/// Parses the command line and runs a subcommand; returns the exit code.
int RunCommandLine(int argc, char** argv);

/// The command as typed, without its output folder: what run.yaml keeps.
const std::string& CommandText();

// Each adds its subcommand; the callback sets the exit code where it is not 0.
void AddRunCommand(CLI::App& app, int* exit_code);
void AddCompareCommand(CLI::App& app, int* exit_code);
void AddOperatorCommands(CLI::App& app, int* exit_code);
void AddListCommand(CLI::App& app);
void AddExplainCommand(CLI::App& app);
void AddCheckCommand(CLI::App& app, int* exit_code);
void AddFiguresCommand(CLI::App& app, int* exit_code);
void AddSchemaCommand(CLI::App& app);
void AddWavefrontCommand(CLI::App& app);
void AddStoreCommand(CLI::App& app);

/// Options that several subcommands share.
struct WorkloadOptions {
  WorkloadRequest request;
  std::vector<std::string> dimensions;  ///< name=N
};
void AddWorkloadOptions(CLI::App& command, WorkloadOptions* options);
/// The request with its dimensions parsed; throws UserError.
WorkloadRequest ResolveWorkload(const WorkloadOptions& options);

/// Parses `--set key=value`; throws UserError.
std::vector<Override> ParseOverrides(const std::vector<std::string>& texts);
/// Splits "a,b,c".
std::vector<std::string> SplitList(const std::string& text);

/// A progress bar on standard error, on a terminal only.
class Progress {
 public:
  Progress(std::string what, std::size_t total);
  ~Progress();
  void Done(std::size_t done);

 private:
  std::string what_;
  std::size_t total_;
  bool shown_;
};

}  // namespace siliscope
