// SPDX-License-Identifier: Apache-2.0
// The operator IR: tensors and operators of a network. It knows nothing of any chip.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sim/contract/data_type.h"

namespace siliscope {

using Shape = std::vector<std::int64_t>;

/// Elements of a shape; 1 for a scalar.
std::int64_t ElementCount(const Shape& shape);
/// "8x3x224x224"; "scalar".
std::string ShapeText(const Shape& shape);

enum class Role : std::uint8_t { kActivation, kWeight, kState };

using TensorId = int;
inline constexpr TensorId kNoTensor = -1;  ///< an optional input that is absent

struct Tensor {
  std::string name;
  Shape shape;
  DataType dtype = DataType::kFp32;
  Role role = Role::kActivation;
  /// Known values, for small constants and for the interpreter; null where unknown.
  std::shared_ptr<const std::vector<double>> values;

  std::int64_t elements() const { return ElementCount(shape); }
  std::int64_t bytes() const { return BytesOf(dtype, elements()); }
};

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

/// A step that is applied to an operator's result on its way out: "relu", "add" with a residual.
struct EpilogueStep {
  std::string function;  ///< an elementwise function
  TensorId operand = kNoTensor;
  std::map<std::string, Attribute> attributes;
  std::string source_node;
};

struct Operator {
  std::string name;
  std::string kind;  ///< an entry of OperatorRegistry
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::map<std::string, Attribute> attributes;
  std::vector<EpilogueStep> epilogue;
  std::vector<std::string> source_nodes;

  std::int64_t Int(const std::string& key, std::int64_t otherwise) const;
  double Real(const std::string& key, double otherwise) const;
  std::string Text(const std::string& key, const std::string& otherwise) const;
  std::vector<std::int64_t> Ints(const std::string& key,
                                 std::vector<std::int64_t> otherwise = {}) const;
};

struct Graph {
  std::string name;
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;  ///< in an order in which they can run
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;

  Tensor& tensor(TensorId id) { return tensors[static_cast<std::size_t>(id)]; }
  const Tensor& tensor(TensorId id) const { return tensors[static_cast<std::size_t>(id)]; }

  TensorId AddTensor(Tensor tensor);
  /// Adds an operator whose output shapes follow from its inputs; returns the first output.
  TensorId AddOperator(Operator op, DataType dtype);
};

/// Producer and consumers of each tensor: indices into graph.operators, -1 = none.
struct GraphUses {
  explicit GraphUses(const Graph& graph);
  std::vector<int> producer;
  std::vector<std::vector<int>> consumers;  ///< epilogue operands included
  std::vector<bool> is_output;
};

/// Throws InternalError where the graph is malformed: unknown tensors, use before definition,
/// shapes that do not follow from the inputs, or two producers of one tensor.
void VerifyGraph(const Graph& graph);

/// Multiply-accumulates of an operator on matrix units.
double OperatorMacs(const Graph& graph, const Operator& op);
/// 2 x MAC plus elementwise operations, epilogue included.
double OperatorFlops(const Graph& graph, const Operator& op);
/// All multiply-accumulates of the network.
double GraphMacs(const Graph& graph);

}  // namespace siliscope
