// SPDX-License-Identifier: Apache-2.0
// ONNX reductions, softmax, normalisations and recurrent layers.
#include <algorithm>

#include "workloads/import/onnx_node.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

void Reduce(OnnxNode& node) {
  static const std::map<std::string, std::string> kFunctions = {
      {"ReduceMean", "mean"},      {"ReduceSum", "sum"},
      {"ReduceMax", "max"},        {"ReduceMin", "min"},
      {"ReduceProd", "prod"},      {"ReduceSumSquare", "sum_square"},
      {"ReduceL1", "l1"},          {"ReduceL2", "l2"},
      {"ReduceLogSum", "log_sum"}, {"ReduceLogSumExp", "log_sum_exp"}};
  Operator op;
  op.kind = "reduce";
  op.inputs = {node.Input(0)};
  op.attributes["function"] = kFunctions.at(node.proto().op_type());
  const std::vector<std::int64_t> axes = node.AttributeOrInput("axes", 1);
  if (axes.empty() && node.Int("noop_with_empty_axes", 0) != 0) {
    node.SetOutput(0, node.Input(0));
    return;
  }
  op.attributes["axes"] = axes;
  op.attributes["keepdims"] = node.Int("keepdims", 1);
  node.Translate(std::move(op));
}

void Softmax(OnnxNode& node) {
  const bool flattens = node.opset() < 13;  // all dimensions from the axis on are one
  const Shape x = node.InputShape(0);
  const std::int64_t axis = Axis(node.Int("axis", flattens ? 1 : -1), x.size());
  const DataType type = node.InputType(0);
  Operator op;
  op.kind = "softmax";
  op.inputs = {node.Input(0)};
  op.attributes["axis"] = axis;
  op.attributes["log"] = std::int64_t{node.proto().op_type() == "LogSoftmax"};
  if (!flattens || axis + 1 >= static_cast<std::int64_t>(x.size())) {
    node.Translate(std::move(op));
    return;
  }
  std::int64_t rows = 1;
  for (std::int64_t i = 0; i < axis; ++i) rows *= x[static_cast<std::size_t>(i)];
  Operator flat;
  flat.kind = "reshape";
  flat.inputs = {node.Input(0)};
  flat.attributes["shape"] = Shape{rows, rows == 0 ? 0 : ElementCount(x) / rows};
  op.inputs = {node.Add(std::move(flat), type)};
  op.attributes["axis"] = std::int64_t{1};
  Operator back;
  back.kind = "reshape";
  back.inputs = {node.Add(std::move(op), type)};
  back.attributes["shape"] = x;
  node.SetOutput(0, node.Add(std::move(back), type));
}

void Normalization(OnnxNode& node) {
  static const std::map<std::string, std::string> kKinds = {
      {"BatchNormalization", "batch_norm"},
      {"InstanceNormalization", "instance_norm"},
      {"LayerNormalization", "layer_norm"},
      {"LRN", "lrn"}};
  Operator op;
  op.kind = kKinds.at(node.proto().op_type());
  const Shape& x = node.InputShape(0);
  if (op.kind != "layer_norm" && x.size() < 2) throw UnsupportedNode("a rank below 2");
  if (op.kind == "batch_norm") {
    if (node.Int("training_mode", 0) != 0) throw UnsupportedNode("training mode");
    if (node.InputCount() < 5) throw UnsupportedNode("missing statistics");
  }
  for (std::size_t i = 0; i < node.InputCount(); ++i) {
    op.inputs.push_back(node.Has(i) ? node.Input(i) : kNoTensor);
  }
  for (std::size_t i = 1; i < op.inputs.size() && op.kind != "layer_norm"; ++i) {
    if (op.inputs[i] == kNoTensor || ElementCount(node.InputShape(i)) != x[1]) {
      throw UnsupportedNode("statistics that do not fit the channels");
    }
  }
  op.attributes["epsilon"] = node.Real("epsilon", 1e-5);
  op.attributes["axis"] = node.Int("axis", -1);
  if (op.kind == "lrn") {
    op.attributes["size"] = node.Int("size", 1);
    op.attributes["alpha"] = node.Real("alpha", 1e-4);
    op.attributes["beta"] = node.Real("beta", 0.75);
    op.attributes["bias"] = node.Real("bias", 1.0);
  }
  for (int i = 1; i < node.proto().output_size(); ++i) {
    if (!node.proto().output(i).empty()) throw UnsupportedNode("statistics as further outputs");
  }
  node.Translate(std::move(op));
}

void Recurrent(OnnxNode& node) {
  Operator op;
  op.kind = node.proto().op_type() == "LSTM"  ? "lstm"
            : node.proto().op_type() == "GRU" ? "gru"
                                              : "rnn";
  if (node.Int("layout", 0) != 0) throw UnsupportedNode("batch-first layout");
  if (node.Has(7)) throw UnsupportedNode("peephole weights");
  for (std::size_t i = 0; i < node.InputCount() && i < 7; ++i) {
    op.inputs.push_back(node.Has(i) ? node.Input(i) : kNoTensor);
  }
  while (op.inputs.size() < 4) op.inputs.push_back(kNoTensor);
  if (op.inputs.size() > 4) op.inputs[4] = kNoTensor;  // lengths: all sequences are full
  op.attributes["hidden"] = node.Int("hidden_size", 1);
  op.attributes["direction"] = node.Text("direction", "forward");
  op.attributes["linear_before_reset"] = node.Int("linear_before_reset", 0);
  const TensorId first = node.Add(std::move(op), node.InputType(0));
  const int outputs = node.proto().op_type() == "LSTM" ? 3 : 2;
  const std::vector<TensorId>& made = node.graph().operators.back().outputs;
  node.SetOutput(0, first);
  for (int i = 1; i < outputs; ++i) {
    node.SetOutput(static_cast<std::size_t>(i), made[static_cast<std::size_t>(i)]);
  }
}

bool RegisterAll() {
  auto& r = OnnxRegistry::Instance();
  for (const char* name :
       {"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSumSquare",
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp"}) {
    r.Add(name, &Reduce);
  }
  r.Add("Softmax", &Softmax);
  r.Add("LogSoftmax", &Softmax);
  for (const char* name :
       {"BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN"}) {
    r.Add(name, &Normalization);
  }
  for (const char* name : {"LSTM", "GRU", "RNN"}) r.Add(name, &Recurrent);
  return true;
}
const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
