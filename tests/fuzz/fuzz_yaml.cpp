// SPDX-License-Identifier: Apache-2.0
// libFuzzer: whatever text a chip file holds, it is read or refused.
#include <cstddef>
#include <cstdint>
#include <string>
#include <systemc>

#include "sim/config/machine_loader.h"
#include "sim/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    siliscope::ParseMachine(
        siliscope::YamlDocument::FromText(std::string(reinterpret_cast<const char*>(data), size),
                                          "fuzz.yaml"),
        {});
  } catch (const siliscope::UserError&) {
  }
  return 0;
}

int sc_main(int, char**) { return 0; }  // libsystemc needs one; libFuzzer brings main
