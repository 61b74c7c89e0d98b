// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/option_text.h"

#include <charconv>
#include <sstream>

#include "sim/core/error.h"

namespace siliscope {

WorkloadRequest ResolveWorkload(const WorkloadOptions& options) {
  WorkloadRequest request = options.request;
  for (const std::string& text : options.dimensions) {
    const std::size_t equals = text.find('=');
    std::int64_t value = 0;
    const char* begin = text.data() + (equals == std::string::npos ? text.size() : equals + 1);
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(begin, end, value);
    if (equals == 0 || equals == std::string::npos || error != std::errc() || at != end ||
        value < 1 || value > (std::int64_t{1} << 32)) {
      throw UserError("--dim " + text + ": not name=N with a whole number N from 1 on");
    }
    request.dimensions[text.substr(0, equals)] = value;
  }
  return request;
}

std::vector<Override> ParseOverrides(const std::vector<std::string>& texts) {
  std::vector<Override> overrides;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw UserError("--set " + text + ": not key=value, such as array.rows=128");
    }
    overrides.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return overrides;
}

std::vector<std::string> SplitList(const std::string& text) {
  std::vector<std::string> items;
  std::stringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) {
    if (!item.empty()) items.push_back(item);
  }
  return items;
}

}  // namespace siliscope
