// SPDX-License-Identifier: Apache-2.0
// Networks from outside: published multiply-accumulates, and the single-operator models of Debian's
// libonnx-testdata, of which each is imported or refused in one line that names its operator.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "sim/config/machine_loader.h"
#include "sim/core/error.h"
#include "tests/reference_folder.h"
#include "workloads/import/onnx_import.h"
#include "workloads/ir/printer.h"
#include "workloads/passes/pass.h"

namespace siliscope {
namespace {

namespace fs = std::filesystem;

struct Published {
  const char* name;
  double gmacs;
};

// torchvision's published counts (multiply-accumulates of one image of 224 x 224).
const Published kPublished[] = {
    {"resnet18", 1.814},    {"resnet50", 4.089}, {"mobilenet_v2", 0.3008},
    {"vgg16", 15.47},       {"alexnet", 0.714},  {"squeezenet1_1", 0.349},
    {"densenet121", 2.834}, {"vit_b_16", 17.56}, {"bert_base_s128", 11.17}};

TEST(OnnxImport, MultiplyAccumulatesAsPublished) {
  for (const Published& p : kPublished) {
    std::string file = RootFolder() + "/workloads/graphs/" + p.name + ".onnx";
    if (!fs::exists(file)) file = ReferenceFile("models/" + std::string(p.name) + ".onnx");
    if (!fs::exists(file)) continue;  // not one of those we ship
    Graph graph = ImportOnnx(file, {});
    RunPasses(&graph);
    VerifyGraph(graph);
    EXPECT_NEAR(GraphMacs(graph) / 1e9, p.gmacs, 0.0006 * p.gmacs + 0.0005) << p.name;
    EXPECT_EQ(PrintGraph(ParseGraph(PrintGraph(graph))), PrintGraph(graph)) << p.name;
  }
}

TEST(OnnxImport, BatchMultipliesTheWork) {
  const std::string file = RootFolder() + "/workloads/graphs/resnet50.onnx";
  const double one = GraphMacs(ImportOnnx(file, {}));
  EXPECT_DOUBLE_EQ(GraphMacs(ImportOnnx(file, {8, 0, {}})), 8 * one);
}

TEST(OnnxImport, SymbolicDimensionsNeedValues) {
  const std::string file = ReferenceFile("models/llama1b_2layer_decode_dynamic.onnx");
  if (!fs::exists(file)) GTEST_SKIP() << "the larger models are not beside the project";
  try {
    ImportOnnx(file, {});
    FAIL() << "imported without values";
  } catch (const UserError& e) {
    EXPECT_NE(std::string(e.what()).find("batch, past, seq, total"), std::string::npos) << e.what();
  }
  OnnxOptions options;
  options.dimensions = {{"batch", 2}, {"seq", 1}, {"past", 1023}, {"total", 1024}};
  Graph graph = ImportOnnx(file, options);
  RunPasses(&graph);
  int attentions = 0, norms = 0;
  for (const Operator& op : graph.operators) {
    attentions += op.kind == "attention" ? 1 : 0;
    norms += op.kind == "rms_norm" ? 1 : 0;
  }
  EXPECT_EQ(attentions, 2);
  EXPECT_EQ(norms, 5);
}

TEST(OnnxConformance, EachModelIsImportedOrRefusedByName) {
  const fs::path folder = "/usr/share/libonnx-testdata/data";
  if (!fs::exists(folder)) GTEST_SKIP() << "libonnx-testdata is not installed";
  int imported = 0, refused = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "model.onnx") continue;
    try {
      Graph graph = ImportOnnx(entry.path().string(), {});
      RunPasses(&graph);
      VerifyGraph(graph);
      ++imported;
    } catch (const UserError& e) {
      const std::string message = e.what();
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
      EXPECT_NE(message.find("model.onnx: "), std::string::npos) << message;
      ++refused;
    }
  }
  EXPECT_EQ(imported + refused, 1072);
  EXPECT_GT(imported, 600);
}

TEST(OnnxImport, CutOrZeroFilesAreRefused) {
  std::ifstream in(RootFolder() + "/workloads/graphs/resnet18.onnx", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const fs::path file = fs::temp_directory_path() / "siliscope_cut.onnx";
  for (std::size_t length = 0; length < whole.size(); length += 257) {
    std::ofstream(file, std::ios::binary) << whole.substr(0, length);
    EXPECT_THROW(ImportOnnx(file.string(), {}), UserError) << length;
  }
  std::ofstream(file, std::ios::binary) << std::string(1 << 20, '\0');
  EXPECT_THROW(ImportOnnx(file.string(), {}), UserError);
  fs::remove(file);
}

}  // namespace
}  // namespace siliscope
