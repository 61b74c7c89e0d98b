// SPDX-License-Identifier: Apache-2.0
// ONNX operators that work element by element.
#include <cmath>

#include "workloads/import/onnx_file.h"
#include "workloads/import/onnx_node.h"

namespace siliscope {
namespace {

Operator Function(const std::string& name, std::vector<TensorId> inputs) {
  Operator op;
  op.kind = "elementwise";
  op.attributes["function"] = name;
  op.inputs = std::move(inputs);
  return op;
}

std::string FunctionName(const std::string& op_type) {
  static const std::map<std::string, std::string> kNames = {{"Relu", "relu"},
                                                            {"LeakyRelu", "leaky_relu"},
                                                            {"PRelu", "prelu"},
                                                            {"Elu", "elu"},
                                                            {"Selu", "selu"},
                                                            {"Celu", "celu"},
                                                            {"Sigmoid", "sigmoid"},
                                                            {"HardSigmoid", "hard_sigmoid"},
                                                            {"HardSwish", "hard_swish"},
                                                            {"Tanh", "tanh"},
                                                            {"Exp", "exp"},
                                                            {"Log", "log"},
                                                            {"Sqrt", "sqrt"},
                                                            {"Reciprocal", "reciprocal"},
                                                            {"Erf", "erf"},
                                                            {"Abs", "abs"},
                                                            {"Neg", "neg"},
                                                            {"Floor", "floor"},
                                                            {"Ceil", "ceil"},
                                                            {"Round", "round"},
                                                            {"Sign", "sign"},
                                                            {"Sin", "sin"},
                                                            {"Cos", "cos"},
                                                            {"Tan", "tan"},
                                                            {"Sinh", "sinh"},
                                                            {"Cosh", "cosh"},
                                                            {"Asin", "asin"},
                                                            {"Acos", "acos"},
                                                            {"Atan", "atan"},
                                                            {"Asinh", "asinh"},
                                                            {"Acosh", "acosh"},
                                                            {"Atanh", "atanh"},
                                                            {"Softplus", "softplus"},
                                                            {"Softsign", "softsign"},
                                                            {"Not", "not"},
                                                            {"IsNaN", "is_nan"},
                                                            {"IsInf", "is_inf"},
                                                            {"ThresholdedRelu", "thresholded_relu"},
                                                            {"Shrink", "shrink"},
                                                            {"Add", "add"},
                                                            {"Sub", "sub"},
                                                            {"Mul", "mul"},
                                                            {"Div", "div"},
                                                            {"Mod", "mod"},
                                                            {"Pow", "pow"},
                                                            {"Max", "max"},
                                                            {"Min", "min"},
                                                            {"Sum", "add"},
                                                            {"Equal", "equal"},
                                                            {"Less", "less"},
                                                            {"LessOrEqual", "less_or_equal"},
                                                            {"Greater", "greater"},
                                                            {"GreaterOrEqual", "greater_or_equal"},
                                                            {"And", "and"},
                                                            {"Or", "or"},
                                                            {"Xor", "xor"},
                                                            {"BitShift", "bit_shift"},
                                                            {"Where", "where"}};
  return kNames.at(op_type);
}

bool GivesBool(const std::string& function) {
  static const char* const kBool[] = {
      "not",     "is_nan",           "is_inf", "equal", "less", "less_or_equal",
      "greater", "greater_or_equal", "and",    "or",    "xor"};
  for (const char* name : kBool) {
    if (function == name) return true;
  }
  return false;
}

void Elementwise(OnnxNode& node) {
  const std::string function = FunctionName(node.proto().op_type());
  std::vector<TensorId> inputs;
  for (std::size_t i = 0; i < node.InputCount(); ++i) inputs.push_back(node.Input(i));
  if (inputs.empty()) throw UnsupportedNode("an operator without inputs");
  if (inputs.size() == 1 && (function == "max" || function == "min" || function == "add")) {
    node.SetOutput(0, inputs[0]);
    return;
  }
  Operator op = Function(function, inputs);
  for (const auto& attribute : node.proto().attribute()) {
    if (attribute.has_f()) op.attributes[attribute.name()] = static_cast<double>(attribute.f());
    if (attribute.has_i()) op.attributes[attribute.name()] = attribute.i();
    if (attribute.has_s()) op.attributes[attribute.name()] = attribute.s();
  }
  if (function == "hard_sigmoid" && node.Find("alpha") == nullptr) op.attributes["alpha"] = 0.2;
  const DataType type = node.InputType(function == "where" ? 1 : 0);
  if (function == "div" && !IsFloat(type)) op.attributes["integer"] = std::int64_t{1};
  node.SetOutput(0, node.Add(std::move(op), GivesBool(function) ? DataType::kBool : type));
}

void Clip(OnnxNode& node) {
  Operator op = Function("clip", {node.Input(0)});
  const auto bound = [&](const char* name, std::size_t input) {
    if (node.Find(name) != nullptr) {
      op.attributes[name] = node.Real(name, 0);
    } else if (node.Has(input)) {
      const auto values = node.Known(input);
      // A bound that is data costs the same; the interpreter can't know it.
      if (values && values->size() == 1) op.attributes[name] = values->front();
    }
  };
  bound("min", 1);
  bound("max", 2);
  node.Translate(std::move(op));
}

void Mean(OnnxNode& node) {
  std::vector<TensorId> inputs;
  for (std::size_t i = 0; i < node.InputCount(); ++i) inputs.push_back(node.Input(i));
  const DataType type = node.InputType(0);
  TensorId sum = inputs[0];
  if (inputs.size() > 1) sum = node.Add(Function("add", inputs), type);
  const TensorId scale = node.AddConstant({}, {1.0 / static_cast<double>(inputs.size())}, type);
  node.SetOutput(0, node.Add(Function("mul", {sum, scale}), type));
}

void Identity(OnnxNode& node) {
  node.SetOutput(0, node.Input(0));
  if (node.proto().output_size() > 1 && !node.proto().output(1).empty()) {
    node.SetOutput(1, node.AddConstant({1}, {1}, DataType::kBool));  // the mask of a dropout
  }
}

void Cast(OnnxNode& node) {
  const DataType to = OnnxDataType(static_cast<int>(node.Int("to", 1)), node.Name());
  const DataType from = node.InputType(0);
  if (to == from) {
    node.SetOutput(0, node.Input(0));
    return;
  }
  if (const auto values = node.Known(0)) {
    std::vector<double> cast = *values;
    for (double& v : cast) {
      if (to == DataType::kBool) v = v != 0 ? 1 : 0;
      if (!IsFloat(to) && to != DataType::kBool) v = std::trunc(v);
    }
    node.SetOutput(0, node.AddConstant(node.InputShape(0), std::move(cast), to));
    return;
  }
  node.SetOutput(0, node.Add(Function("cast", {node.Input(0)}), to));
}

void CastLike(OnnxNode& node) {
  node.SetOutput(0, node.Add(Function("cast", {node.Input(0)}), node.InputType(1)));
}

bool RegisterAll() {
  auto& registry = OnnxRegistry::Instance();
  for (const char* name : {"Relu",
                           "LeakyRelu",
                           "PRelu",
                           "Elu",
                           "Selu",
                           "Celu",
                           "Sigmoid",
                           "HardSigmoid",
                           "HardSwish",
                           "Tanh",
                           "Exp",
                           "Log",
                           "Sqrt",
                           "Reciprocal",
                           "Erf",
                           "Abs",
                           "Neg",
                           "Floor",
                           "Ceil",
                           "Round",
                           "Sign",
                           "Sin",
                           "Cos",
                           "Tan",
                           "Sinh",
                           "Cosh",
                           "Asin",
                           "Acos",
                           "Atan",
                           "Asinh",
                           "Acosh",
                           "Atanh",
                           "Softplus",
                           "Softsign",
                           "Not",
                           "IsNaN",
                           "IsInf",
                           "ThresholdedRelu",
                           "Shrink",
                           "Add",
                           "Sub",
                           "Mul",
                           "Div",
                           "Mod",
                           "Pow",
                           "Max",
                           "Min",
                           "Sum",
                           "Equal",
                           "Less",
                           "LessOrEqual",
                           "Greater",
                           "GreaterOrEqual",
                           "And",
                           "Or",
                           "Xor",
                           "BitShift",
                           "Where"}) {
    registry.Add(name, &Elementwise);
  }
  registry.Add("Clip", &Clip);
  registry.Add("Mean", &Mean);
  registry.Add("Identity", &Identity);
  registry.Add("Dropout", &Identity);
  registry.Add("Cast", &Cast);
  registry.Add("CastLike", &CastLike);
  return true;
}
const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
