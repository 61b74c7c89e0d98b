// SPDX-License-Identifier: Apache-2.0
// Larger reference tables lie beside the project where its developers work; tests that use them
// skip with a message elsewhere.
#pragma once

#include <string>

#include "sim/config/machine_loader.h"

namespace siliscope {

inline std::string ReferenceFile(const std::string& name) {
  return RootFolder() + "/../shared/" + name;
}

}  // namespace siliscope
