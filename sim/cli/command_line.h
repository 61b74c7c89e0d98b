// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace siliscope {

/// Parses the command line and runs a subcommand; returns the exit code.
int RunCommandLine(int argc, char** argv);

}  // namespace siliscope
