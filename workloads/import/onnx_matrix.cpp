// SPDX-License-Identifier: Apache-2.0
// ONNX matrix products, convolutions and pools.
#include <algorithm>

#include "workloads/import/onnx_node.h"

namespace siliscope {
namespace {

TensorId Binary(OnnxNode& node, const char* function, TensorId a, TensorId b) {
  Operator op;
  op.kind = "elementwise";
  op.attributes["function"] = std::string(function);
  op.inputs = {a, b};
  return node.Add(std::move(op), node.graph().tensor(a).dtype);
}

void MatMul(OnnxNode& node) {
  Operator op;
  op.kind = "matmul";
  op.inputs = {node.Input(0), node.Input(1)};
  node.Translate(std::move(op));
}

void Gemm(OnnxNode& node) {
  const DataType type = node.InputType(0);
  Operator op;
  op.kind = "matmul";
  op.inputs = {node.Input(0), node.Input(1)};
  op.attributes["transpose_a"] = node.Int("transA", 0);
  op.attributes["transpose_b"] = node.Int("transB", 0);
  TensorId y = node.Add(std::move(op), type);
  if (node.Real("alpha", 1) != 1) {
    y = Binary(node, "mul", y, node.AddConstant({}, {node.Real("alpha", 1)}, type));
  }
  if (node.Has(2) && node.Real("beta", 1) != 0) {
    TensorId c = node.Input(2);
    if (node.Real("beta", 1) != 1) {
      c = Binary(node, "mul", c, node.AddConstant({}, {node.Real("beta", 1)}, type));
    }
    y = Binary(node, "add", y, c);
  }
  node.SetOutput(0, y);
}

/// Explicit pads for `auto_pad`, begins then ends.
std::vector<std::int64_t> Pads(const OnnxNode& node, const Shape& x, const Shape& kernel,
                               const Shape& strides, const Shape& dilations) {
  const std::size_t rank = kernel.size();
  const std::string mode = node.Text("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) return node.Ints("pads", Shape(2 * rank, 0));
  Shape pads(2 * rank, 0);
  if (mode == "VALID") return pads;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t outputs = (x[i + 2] + strides[i] - 1) / strides[i];
    const std::int64_t total = std::max<std::int64_t>(
        0, (outputs - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1 - x[i + 2]);
    const std::int64_t small = total / 2;
    pads[i] = mode == "SAME_LOWER" ? total - small : small;
    pads[i + rank] = total - pads[i];
  }
  return pads;
}

void CheckRank(const Shape& x) {
  if (x.size() < 3) throw UnsupportedNode("needs a spatial dimension");
}

void Conv(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const Shape& w = node.InputShape(1);
  CheckRank(x);
  CheckRank(w);
  const Shape kernel(w.begin() + 2, w.end());
  const Shape ones(kernel.size(), 1);
  Operator op;
  op.kind = "conv";
  for (std::size_t i = 0; i < 3 && i < node.InputCount(); ++i) {
    op.inputs.push_back(node.Has(i) ? node.Input(i) : kNoTensor);
  }
  const Shape strides = node.Ints("strides", ones), dilations = node.Ints("dilations", ones);
  if (strides.size() != kernel.size() || dilations.size() != kernel.size() ||
      x.size() != w.size()) {
    throw UnsupportedNode("attributes that do not fit the weights");
  }
  op.attributes["strides"] = strides;
  op.attributes["dilations"] = dilations;
  op.attributes["pads"] = Pads(node, x, kernel, strides, dilations);
  op.attributes["group"] = node.Int("group", 1);
  node.Translate(std::move(op));
}

void ConvTranspose(OnnxNode& node) {
  const Shape& x = node.InputShape(0);
  const Shape& w = node.InputShape(1);
  CheckRank(x);
  if (x.size() != w.size()) throw UnsupportedNode("weights of another rank");
  const std::size_t rank = x.size() - 2;
  const Shape ones(rank, 1), strides = node.Ints("strides", ones);
  const Shape dilations = node.Ints("dilations", ones);
  Shape output_padding = node.Ints("output_padding", Shape(rank, 0));
  Shape pads = node.Ints("pads", Shape(2 * rank, 0));
  if (strides.size() != rank || dilations.size() != rank || output_padding.size() != rank ||
      pads.size() != 2 * rank) {
    throw UnsupportedNode("attributes that do not fit the weights");
  }
  const Shape output_shape = node.Ints("output_shape");
  const std::string mode = node.Text("auto_pad", "NOTSET");
  for (std::size_t i = 0; i < rank && (!output_shape.empty() || mode.rfind("SAME", 0) == 0); ++i) {
    const std::int64_t wanted =
        output_shape.empty() ? x[i + 2] * strides[i] : output_shape[output_shape.size() - rank + i];
    const std::int64_t full =
        (x[i + 2] - 1) * strides[i] + (w[i + 2] - 1) * dilations[i] + 1 + output_padding[i];
    const std::int64_t total = full - wanted;
    if (total < 0) {
      output_padding[i] -= total;
      pads[i] = pads[i + rank] = 0;
    } else {
      pads[i] = mode == "SAME_UPPER" ? total / 2 : total - total / 2;
      pads[i + rank] = total - pads[i];
    }
  }
  Operator op;
  op.kind = "conv_transpose";
  for (std::size_t i = 0; i < 3 && i < node.InputCount(); ++i) {
    op.inputs.push_back(node.Has(i) ? node.Input(i) : kNoTensor);
  }
  op.attributes["strides"] = strides;
  op.attributes["dilations"] = dilations;
  op.attributes["pads"] = pads;
  op.attributes["output_padding"] = output_padding;
  op.attributes["group"] = node.Int("group", 1);
  node.Translate(std::move(op));
}

void Pool(OnnxNode& node, const std::string& mode, bool global) {
  if (node.proto().output_size() > 1 && !node.proto().output(1).empty()) {
    throw UnsupportedNode("indices as a second output");
  }
  const Shape& x = node.InputShape(0);
  CheckRank(x);
  const std::size_t rank = x.size() - 2;
  Operator op;
  op.kind = "pool";
  op.inputs = {node.Input(0)};
  op.attributes["mode"] = mode;
  const Shape kernel = global ? Shape(x.begin() + 2, x.end()) : node.Ints("kernel_shape");
  const Shape ones(rank, 1);
  const Shape strides = node.Ints("strides", ones), dilations = node.Ints("dilations", ones);
  if (kernel.size() != rank || strides.size() != rank || dilations.size() != rank) {
    throw UnsupportedNode("attributes that do not fit its input");
  }
  op.attributes["kernel"] = kernel;
  op.attributes["strides"] = strides;
  op.attributes["dilations"] = dilations;
  op.attributes["pads"] = Pads(node, x, kernel, strides, dilations);
  op.attributes["ceil_mode"] = node.Int("ceil_mode", 0);
  op.attributes["count_include_pad"] = node.Int("count_include_pad", 0);
  node.Translate(std::move(op));
}
void MaxPool(OnnxNode& node) { Pool(node, "max", false); }
void AveragePool(OnnxNode& node) { Pool(node, "average", false); }
void GlobalMaxPool(OnnxNode& node) { Pool(node, "max", true); }
void GlobalAveragePool(OnnxNode& node) { Pool(node, "average", true); }

auto& registry = OnnxRegistry::Instance();
const bool kMatMul = registry.Add("MatMul", &MatMul);
const bool kGemm = registry.Add("Gemm", &Gemm);
const bool kConv = registry.Add("Conv", &Conv);
const bool kConvTranspose = registry.Add("ConvTranspose", &ConvTranspose);
const bool kMaxPool = registry.Add("MaxPool", &MaxPool);
const bool kAveragePool = registry.Add("AveragePool", &AveragePool);
const bool kGlobalMaxPool = registry.Add("GlobalMaxPool", &GlobalMaxPool);
const bool kGlobalAveragePool = registry.Add("GlobalAveragePool", &GlobalAveragePool);

}  // namespace
}  // namespace siliscope
