// SPDX-License-Identifier: Apache-2.0
#include "workloads/import/workload_source.h"

#include <algorithm>
#include <filesystem>

#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "sim/core/key_value_list.h"
#include "workloads/import/onnx_import.h"
#include "workloads/zoo/network.h"
#include "workloads/zoo/single_operator.h"

namespace siliscope {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> ShippedGraphs() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(RootFolder() + "/workloads/graphs", ignored)) {
    if (entry.path().extension() == ".onnx") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool IsFileName(const std::string& name) {
  return name.find('/') != std::string::npos ||
         (name.size() > 5 && name.compare(name.size() - 5, 5, ".onnx") == 0);
}

OnnxOptions OptionsOf(const WorkloadRequest& request) {
  return {request.batch, request.sequence, request.dimensions};
}

}  // namespace

Graph LoadWorkload(const WorkloadRequest& request) {
  const std::string& name = request.workload;
  const std::vector<std::string> shipped = ShippedGraphs();
  const std::size_t colon = name.find(':');
  if (colon != std::string::npos && name.find('=') != std::string::npos && !IsFileName(name)) {
    if (request.batch > 0 || request.sequence > 0 || !request.dimensions.empty()) {
      throw UserError(name +
                      ": the shape of a single operator stands in its name; --batch, --seq and "
                      "--dim are for networks");
    }
    // One operator, as a row of an operator list names it: gemm:m=1024;n=512;k=64
    return SingleOperatorGraph(
        {name.substr(0, colon), ParseKeyValueList(name.substr(colon + 1)), request.dtype, "", ""});
  }
  if (const ZooNetwork* network = ZooRegistry::Instance().Find(name)) {
    for (const auto& [dimension, value] : request.dimensions) {
      const auto& known = network->dimensions;
      if (std::find(known.begin(), known.end(), dimension) != known.end()) continue;
      if (known.empty()) {
        throw UserError(name + ": has no symbolic dimensions, --dim is for ONNX files");
      }
      std::string message = name;
      message += ": has no dimension " + dimension + Suggestion(dimension, known);
      throw UserError(message);
    }
    if (request.sequence > 0 && !network->sequence) {
      throw UserError(name + ": has no sequence, --seq does not apply");
    }
    return network->make(request);
  }
  if (std::find(shipped.begin(), shipped.end(), name) != shipped.end()) {
    return ImportOnnx(RootFolder() + "/workloads/graphs/" + name + ".onnx", OptionsOf(request));
  }
  if (IsFileName(name)) {
    std::error_code ignored;
    const std::string stem = fs::path(name).stem().string();
    const bool ours = name.find('/') == std::string::npos && !fs::exists(name, ignored) &&
                      std::find(shipped.begin(), shipped.end(), stem) != shipped.end();
    return ImportOnnx(ours ? RootFolder() + "/workloads/graphs/" + name : name, OptionsOf(request));
  }
  std::vector<std::string> names = ZooRegistry::Instance().Names();
  names.insert(names.end(), shipped.begin(), shipped.end());
  throw UserError("unknown workload \"" + name.substr(0, 80) + "\"" + Suggestion(name, names));
}

std::vector<NamedText> ListWorkloadSources() {
  std::vector<NamedText> list;
  for (const auto& [name, network] : ZooRegistry::Instance().entries()) {
    list.push_back({name, network.meaning});
  }
  for (const std::string& name : ShippedGraphs()) {
    list.push_back({name, "ONNX graph, workloads/graphs/" + name + ".onnx"});
  }
  return list;
}

}  // namespace siliscope
