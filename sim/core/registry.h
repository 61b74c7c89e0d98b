// SPDX-License-Identifier: Apache-2.0
// What the wings offer by name. A wing registers in a static initialiser of the file that holds the
// implementation; the program links every wing as an object library, so none is dropped.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {

/// A named collection of `Entry` values (usually a factory or a descriptor). Iteration is by name.
template <typename Entry>
class Registry {
 public:
  static Registry& Instance() {
    static Registry registry;
    return registry;
  }

  bool Add(const std::string& name, Entry entry) {
    if (!entries_.emplace(name, std::move(entry)).second) {
      throw InternalError("\"" + name + "\" is registered twice");
    }
    return true;
  }

  const Entry* Find(const std::string& name) const {
    const auto it = entries_.find(name);
    return it == entries_.end() ? nullptr : &it->second;
  }

  /// The entry of that name; a UserError that lists the known names where there is none.
  const Entry& Get(const std::string& what, const std::string& name) const {
    if (const Entry* entry = Find(name)) return *entry;
    throw UserError("unknown " + what + " \"" + name + "\"" + Suggestion(name, Names()));
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  const std::map<std::string, Entry>& entries() const { return entries_; }

 private:
  std::map<std::string, Entry> entries_;
};

}  // namespace siliscope
