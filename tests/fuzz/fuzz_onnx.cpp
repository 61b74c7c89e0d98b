// SPDX-License-Identifier: Apache-2.0
// libFuzzer: whatever bytes an ONNX file holds, it is imported or refused.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <systemc>

#include "sim/core/error.h"
#include "workloads/import/onnx_import.h"
#include "workloads/passes/pass.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string path = "/tmp/siliscope_fuzz_" + std::to_string(::getpid()) + ".onnx";
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return 0;
  std::fwrite(data, 1, size, file);
  std::fclose(file);
  try {
    siliscope::Graph graph = siliscope::ImportOnnx(path, {});
    siliscope::RunPasses(&graph);
    siliscope::VerifyGraph(graph);
  } catch (const siliscope::UserError&) {
  }
  return 0;
}

int sc_main(int, char**) { return 0; }  // libsystemc needs one; libFuzzer brings main
