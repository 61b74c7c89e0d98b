// SPDX-License-Identifier: Apache-2.0
#include "workloads/import/onnx_node.h"

#include <algorithm>

#include "sim/core/error.h"
#include "workloads/import/onnx_file.h"
#include "workloads/ir/interpreter.h"

namespace siliscope {

std::string OnnxNode::Name() const {
  if (!proto_.name().empty()) return proto_.name();
  return proto_.output_size() > 0 ? proto_.output(0) : proto_.op_type();
}

bool OnnxNode::Has(std::size_t i) const {
  return i < InputCount() && !proto_.input(static_cast<int>(i)).empty();
}

TensorId OnnxNode::Input(std::size_t i) const {
  if (!Has(i)) throw UnsupportedNode("input " + std::to_string(i) + " is missing");
  const auto it = state_->by_name.find(proto_.input(static_cast<int>(i)));
  if (it == state_->by_name.end()) {
    throw UserError(Name() + ": reads " + proto_.input(static_cast<int>(i)) +
                    ", which nothing before it writes (a cycle, or a missing input)");
  }
  return it->second;
}

std::optional<std::vector<double>> OnnxNode::Known(std::size_t i) const {
  const Tensor& tensor = state_->graph.tensor(Input(i));
  if (tensor.values == nullptr) return std::nullopt;
  return *tensor.values;
}

std::vector<std::int64_t> OnnxNode::KnownInts(std::size_t i) const {
  const auto values = Known(i);
  if (!values) throw UnsupportedNode("input " + std::to_string(i) + " depends on the data");
  std::vector<std::int64_t> ints;
  for (const double v : *values) {
    ints.push_back(static_cast<std::int64_t>(std::clamp(v, -9.2e18, 9.2e18)));
  }
  return ints;
}

const onnx::AttributeProto* OnnxNode::Find(const std::string& name) const {
  for (const auto& attribute : proto_.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}
std::int64_t OnnxNode::Int(const std::string& name, std::int64_t otherwise) const {
  const auto* a = Find(name);
  return a == nullptr ? otherwise : a->i();
}
double OnnxNode::Real(const std::string& name, double otherwise) const {
  const auto* a = Find(name);
  return a == nullptr ? otherwise : static_cast<double>(a->f());
}
std::string OnnxNode::Text(const std::string& name, const std::string& otherwise) const {
  const auto* a = Find(name);
  return a == nullptr ? otherwise : a->s();
}
std::vector<std::int64_t> OnnxNode::Ints(const std::string& name,
                                         std::vector<std::int64_t> otherwise) const {
  const auto* a = Find(name);
  if (a == nullptr) return otherwise;
  return {a->ints().begin(), a->ints().end()};
}

std::vector<std::int64_t> OnnxNode::AttributeOrInput(const std::string& name, std::size_t i) const {
  if (Find(name) != nullptr) return Ints(name);
  return Has(i) ? KnownInts(i) : std::vector<std::int64_t>{};
}

bool OnnxNode::Fold(const Operator& op, DataType type, TensorId* result) {
  Graph& g = state_->graph;
  std::vector<Value> values;
  for (const TensorId t : op.inputs) {
    if (t == kNoTensor || g.tensor(t).values == nullptr) return false;
    values.push_back({g.tensor(t).shape, *g.tensor(t).values});
  }
  if (values.empty()) return false;
  const OperatorKind& kind = OperatorRegistry::Instance().Get("operator", op.kind);
  const std::vector<Shape> shapes = kind.infer(g, op);
  if (shapes.size() != 1 || ElementCount(shapes[0]) > kLargestKnownConstant) return false;
  std::vector<const Value*> inputs;
  for (const Value& value : values) inputs.push_back(&value);
  Value folded = kind.evaluate(op, inputs).front();
  *result = AddConstant(folded.shape, std::move(folded.data), type);
  return true;
}

TensorId OnnxNode::Add(Operator op, DataType type) {
  op.name = added_ == 0 ? Name() : Name() + "#" + std::to_string(added_);
  ++added_;
  op.source_nodes = {Name()};
  TensorId result = kNoTensor;
  if (Fold(op, type, &result)) return result;
  return state_->graph.AddOperator(std::move(op), type);
}

TensorId OnnxNode::AddConstant(const Shape& shape, std::vector<double> values, DataType type) {
  return state_->graph.AddTensor({Name() + ".value", shape, type, Role::kWeight,
                                  std::make_shared<const std::vector<double>>(std::move(values))});
}

void OnnxNode::SetOutput(std::size_t i, TensorId id) {
  if (i < static_cast<std::size_t>(proto_.output_size())) {
    state_->by_name[proto_.output(static_cast<int>(i))] = id;
  }
}

void OnnxNode::Translate(Operator op) {
  const DataType type =
      op.inputs.empty() ? DataType::kFp32 : state_->graph.tensor(op.inputs[0]).dtype;
  SetOutput(0, Add(std::move(op), type));
}

}  // namespace siliscope
