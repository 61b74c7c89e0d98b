// SPDX-License-Identifier: Apache-2.0
// What the translation of one ONNX node sees: its attributes, its inputs as IR tensors, and ways to
// add operators and constants. Translations register by ONNX operator name.
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/core/registry.h"
#include "workloads/ir/graph.h"

namespace siliscope {

/// A node can't be translated: the operator or a use of it is not supported.
class UnsupportedNode : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The graph under construction, and the batch that is being rewritten.
struct OnnxGraphState {
  Graph graph;
  std::map<std::string, TensorId> by_name;
  int opset = 17;
  std::int64_t old_batch = 0;  ///< 0 = the batch stays
  std::int64_t new_batch = 0;
};

class OnnxNode {
 public:
  OnnxNode(OnnxGraphState* state, const onnx::NodeProto& proto) : state_(state), proto_(proto) {}

  const onnx::NodeProto& proto() const { return proto_; }
  Graph& graph() { return state_->graph; }
  OnnxGraphState& state() { return *state_; }
  int opset() const { return state_->opset; }
  std::string Name() const;

  std::size_t InputCount() const { return static_cast<std::size_t>(proto_.input_size()); }
  bool Has(std::size_t i) const;
  TensorId Input(std::size_t i) const;
  const Shape& InputShape(std::size_t i) const { return state_->graph.tensor(Input(i)).shape; }
  DataType InputType(std::size_t i) const { return state_->graph.tensor(Input(i)).dtype; }
  /// The values of an input that must be known; throws UnsupportedNode where they are not.
  std::vector<std::int64_t> KnownInts(std::size_t i) const;
  std::optional<std::vector<double>> Known(std::size_t i) const;

  const onnx::AttributeProto* Find(const std::string& name) const;
  std::int64_t Int(const std::string& name, std::int64_t otherwise) const;
  double Real(const std::string& name, double otherwise) const;
  std::string Text(const std::string& name, const std::string& otherwise) const;
  std::vector<std::int64_t> Ints(const std::string& name,
                                 std::vector<std::int64_t> otherwise = {}) const;
  /// A list that older operator sets have as attribute, newer ones as input i.
  std::vector<std::int64_t> AttributeOrInput(const std::string& name, std::size_t i) const;

  /// Adds an operator; folds it where all inputs are known. Returns its first output.
  TensorId Add(Operator op, DataType type);
  /// Adds a constant with known values.
  TensorId AddConstant(const Shape& shape, std::vector<double> values, DataType type);
  /// The node's output i is this tensor.
  void SetOutput(std::size_t i, TensorId id);
  /// Adds an operator of the node's inputs and makes it the node's output.
  void Translate(Operator op);

 private:
  bool Fold(const Operator& op, DataType type, TensorId* result);

  OnnxGraphState* state_;
  const onnx::NodeProto& proto_;
  int added_ = 0;
};

using OnnxTranslation = void (*)(OnnxNode& node);
using OnnxRegistry = Registry<OnnxTranslation>;

}  // namespace siliscope
