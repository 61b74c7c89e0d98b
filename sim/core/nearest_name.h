// SPDX-License-Identifier: Apache-2.0
// Suggests the valid name that a misspelt one most likely meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace siliscope {

/// The nearest of `names` by edit distance, or "" where none is near enough to be a misspelling.
std::string NearestName(std::string_view misspelt, const std::vector<std::string>& names);

/// `; did you mean "x"?` for the nearest name, or `; allowed: a, b, c` where none is near.
std::string Suggestion(std::string_view misspelt, const std::vector<std::string>& names);

}  // namespace siliscope
