// SPDX-License-Identifier: Apache-2.0
#include "sim/config/config_folder.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace siliscope {

std::string RootFolder() {
  const char* root = std::getenv("SILISCOPE_ROOT");
  return root != nullptr && *root != '\0' ? root : SILISCOPE_SOURCE_DIR;
}

std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(RootFolder() + "/" + folder, ignored)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool LooksLikeFile(const std::string& name) {
  return name.find('/') != std::string::npos ||
         (name.size() > 5 && name.compare(name.size() - 5, 5, ".yaml") == 0) ||
         (name.size() > 4 && name.compare(name.size() - 4, 4, ".yml") == 0);
}

}  // namespace siliscope
