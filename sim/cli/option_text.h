// SPDX-License-Identifier: Apache-2.0
// What stands in the text of options: key=value, name=N, a,b,c.
#pragma once

#include <string>
#include <vector>

#include "sim/cli/commands.h"
#include "sim/config/yaml_document.h"

namespace siliscope {

/// The request with its dimensions parsed; throws UserError.
WorkloadRequest ResolveWorkload(const WorkloadOptions& options);
/// Parses `--set key=value`; throws UserError.
std::vector<Override> ParseOverrides(const std::vector<std::string>& texts);
/// Splits "a,b,c".
std::vector<std::string> SplitList(const std::string& text);

}  // namespace siliscope
