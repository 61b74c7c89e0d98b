// SPDX-License-Identifier: Apache-2.0
// The shipped folders of configuration, and what a user's word for one of their files may be.
#pragma once

#include <string>
#include <vector>

namespace siliscope {

/// The root folder of configs, workloads/graphs and analysis: $SILISCOPE_ROOT, else the source
/// tree.
std::string RootFolder();

/// The YAML files of a folder below the root, by name, without their endings.
std::vector<std::string> NamesIn(const std::string& folder);

/// Whether a word is a path, not a name.
bool LooksLikeFile(const std::string& name);

}  // namespace siliscope
