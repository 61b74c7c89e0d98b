// SPDX-License-Identifier: Apache-2.0
#include "sim/core/nearest_name.h"

#include <algorithm>
#include <numeric>

namespace siliscope {
namespace {

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> previous(b.size() + 1);
  std::iota(previous.begin(), previous.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::vector<std::size_t> current(b.size() + 1);
    current[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = previous[j] + (a[i] == b[j] ? 0 : 1);
      current[j + 1] = std::min({previous[j + 1] + 1, current[j] + 1, substituted});
    }
    previous = std::move(current);
  }
  return previous[b.size()];
}

}  // namespace

std::string NearestName(std::string_view misspelt, const std::vector<std::string>& names) {
  misspelt = misspelt.substr(0, 64);  // a longer word is no misspelling; keeps the work bounded
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, misspelt.size() / 3) + 1;
  for (const std::string& name : names) {
    const std::size_t distance = EditDistance(misspelt, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

std::string Suggestion(std::string_view misspelt, const std::vector<std::string>& names) {
  const std::string nearest = NearestName(misspelt, names);
  if (!nearest.empty()) return "; did you mean \"" + nearest + "\"?";
  if (names.empty()) return "";
  std::string allowed = "; allowed: ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i == 24) return allowed + ", ...";
    allowed += (i == 0 ? "" : ", ") + names[i];
  }
  return allowed;
}

}  // namespace siliscope
