// SPDX-License-Identifier: Apache-2.0
// Pairs as operator lists write them: "m=1024;n=512;k=64".
#pragma once

#include <algorithm>
#include <map>
#include <string>

#include "sim/core/error.h"

namespace siliscope {

/// Throws UserError where a pair is malformed or a key repeated.
inline std::map<std::string, std::string> ParseKeyValueList(const std::string& text) {
  std::map<std::string, std::string> pairs;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string pair = text.substr(at, end - at);
    at = end + 1;
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UserError("shape: \"" + pair.substr(0, 40) + "\" is not key=value");
    }
    if (!pairs.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      throw UserError("shape: " + pair.substr(0, equals) + " is given twice");
    }
  }
  return pairs;
}

}  // namespace siliscope
