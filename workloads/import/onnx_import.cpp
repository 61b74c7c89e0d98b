// SPDX-License-Identifier: Apache-2.0
#include "workloads/import/onnx_import.h"

#include <algorithm>
#include <set>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "workloads/import/onnx_file.h"
#include "workloads/import/onnx_node.h"

namespace siliscope {
namespace {

class Importer {
 public:
  Importer(const std::string& path, const OnnxOptions& options)
      : path_(path), options_(options), model_(ReadOnnxFile(path)) {
    state_.opset = 17;
    for (const auto& opset : model_.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") {
        state_.opset = static_cast<int>(opset.version());
      }
    }
    state_.graph.name = model_.graph().name();
  }

  Graph Run() {
    AddInitializers();
    AddInputs();
    for (const auto& node : model_.graph().node()) Translate(node);
    ReportUnsupported();
    AddOutputs();
    RemoveUnused();
    return std::move(state_.graph);
  }

 private:
  void AddInitializers() {
    for (const auto& initializer : model_.graph().initializer()) {
      const Shape shape(initializer.dims().begin(), initializer.dims().end());
      for (const std::int64_t d : shape) {
        if (d < 0) throw UserError(path_ + ": " + initializer.name() + " has a negative size");
      }
      Tensor tensor{initializer.name(), shape,
                    OnnxDataType(initializer.data_type(), path_ + ": " + initializer.name()),
                    Role::kWeight, nullptr};
      std::vector<double> values;
      if (TensorValues(initializer, &values)) {
        tensor.values = std::make_shared<const std::vector<double>>(std::move(values));
      }
      state_.by_name[initializer.name()] = state_.graph.AddTensor(std::move(tensor));
    }
  }

  std::int64_t Dimension(const onnx::TensorShapeProto::Dimension& d, const std::string& input,
                         std::size_t index) {
    if (d.has_dim_value() && d.dim_value() > 0) return d.dim_value();
    const std::string& name = d.dim_param();
    const auto given = options_.dimensions.find(name);
    if (!name.empty() && given != options_.dimensions.end()) {
      used_.insert(name);
      return given->second;
    }
    static const std::set<std::string> kSequence = {"seq", "sequence", "sequence_length",
                                                    "seq_len"};
    if (index == 0 && options_.batch > 0) return options_.batch;
    if (kSequence.count(name) != 0 && options_.sequence > 0) {
      sequence_used_ = true;
      return options_.sequence;
    }
    missing_.insert(name.empty() ? input + " dimension " + std::to_string(index) : name);
    return 1;
  }

  void AddInputs() {
    for (const auto& input : model_.graph().input()) {
      if (state_.by_name.count(input.name()) != 0) continue;  // an initializer
      if (!input.type().has_tensor_type() || !input.type().tensor_type().has_shape()) {
        throw UserError(path_ + ": input " + input.name() +
                        " is not a tensor with a shape; that is not supported");
      }
      const auto& type = input.type().tensor_type();
      Tensor tensor{input.name(),
                    {},
                    OnnxDataType(type.elem_type(), path_ + ": " + input.name()),
                    input.name().rfind("past", 0) == 0 ? Role::kState : Role::kActivation,
                    nullptr};
      for (const auto& d : type.shape().dim()) {
        tensor.shape.push_back(Dimension(d, input.name(), tensor.shape.size()));
      }
      state_.by_name[input.name()] = state_.graph.AddTensor(std::move(tensor));
      state_.graph.inputs.push_back(state_.by_name[input.name()]);
    }
    if (!missing_.empty()) {
      std::string names;
      for (const std::string& name : missing_) names += (names.empty() ? "" : ", ") + name;
      throw UserError(path_ + ": symbolic dimensions without a value: " + names +
                      "; give each with --dim name=N");
    }
    if (options_.sequence > 0 && !sequence_used_) {
      throw UserError(path_ + ": --seq: no input has a symbolic sequence dimension");
    }
    for (const auto& [name, value] : options_.dimensions) {
      if (used_.count(name) == 0) {
        throw UserError(path_ + ": --dim " + name + ": no input has this symbolic dimension");
      }
    }
    RewriteBatch();
  }

  /// A graph exported at a fixed batch: the first dimension of its inputs becomes --batch.
  void RewriteBatch() {
    if (options_.batch <= 0 || state_.graph.inputs.empty()) return;
    const Shape first = state_.graph.tensor(state_.graph.inputs.front()).shape;
    if (first.empty() || first[0] == options_.batch) return;
    state_.old_batch = first[0];
    state_.new_batch = options_.batch;
    bool has_ids = false;
    for (const TensorId t : state_.graph.inputs) {
      has_ids = has_ids || !IsFloat(state_.graph.tensor(t).dtype);
    }
    for (const TensorId t : state_.graph.inputs) {
      Tensor& tensor = state_.graph.tensor(t);
      // Beside token ids, a matrix of numbers is a table by position, not by image.
      const bool table = has_ids && IsFloat(tensor.dtype) && tensor.shape.size() == 2;
      if (!tensor.shape.empty() && tensor.shape[0] == state_.old_batch && !table) {
        tensor.shape[0] = options_.batch;
      }
    }
  }

  void Translate(const onnx::NodeProto& proto) {
    OnnxNode node(&state_, proto);
    const bool standard = proto.domain().empty() || proto.domain() == "ai.onnx";
    const OnnxTranslation* translation =
        standard ? OnnxRegistry::Instance().Find(proto.op_type()) : nullptr;
    try {
      for (std::size_t i = 0; i < node.InputCount(); ++i) {
        if (node.Has(i) && broken_.count(proto.input(static_cast<int>(i))) != 0) {
          // What follows from an operator that was named already is named only for its own sake.
          if (translation == nullptr) {
            Unsupported(proto, node.Name(), "");
          } else {
            Break(proto);
          }
          return;
        }
      }
      if (translation == nullptr) {
        Unsupported(proto, node.Name(), "");
        return;
      }
      (*translation)(node);
      for (const std::string& output : proto.output()) {
        if (!output.empty() && state_.by_name.count(output) == 0) {
          Unsupported(proto, node.Name(), "a further output, " + output);
          return;
        }
      }
    } catch (const UnsupportedNode& e) {
      Unsupported(proto, node.Name(), e.what());
    } catch (const UserError& e) {
      throw UserError(path_ + ": " + proto.op_type() + " " + node.Name() + ": " + e.what());
    }
  }

  void Break(const onnx::NodeProto& proto) {
    for (const std::string& output : proto.output()) broken_.insert(output);
  }

  void Unsupported(const onnx::NodeProto& proto, const std::string& name, const std::string& why) {
    unsupported_.push_back(proto.op_type() + " (" + name + ")" + (why.empty() ? "" : ": " + why));
    Break(proto);
  }

  void ReportUnsupported() const {
    if (unsupported_.empty()) return;
    std::string list;
    for (const std::string& item : unsupported_) list += (list.empty() ? "" : "; ") + item;
    std::replace(list.begin(), list.end(), '\n', ' ');
    throw UserError(path_ + ": unsupported: " + list);
  }

  void AddOutputs() {
    for (const auto& output : model_.graph().output()) {
      const auto it = state_.by_name.find(output.name());
      if (it == state_.by_name.end()) {
        throw UserError(path_ + ": output " + output.name() + " is written by no node");
      }
      state_.graph.outputs.push_back(it->second);
    }
  }

  /// Drops operators that no output depends on, and then tensors that nobody names.
  void RemoveUnused() {
    Graph& graph = state_.graph;
    std::vector<bool> needed(graph.tensors.size(), false);
    for (const TensorId t : graph.outputs) needed[static_cast<std::size_t>(t)] = true;
    std::vector<Operator> kept;
    for (auto op = graph.operators.rbegin(); op != graph.operators.rend(); ++op) {
      const bool used = std::any_of(op->outputs.begin(), op->outputs.end(), [&](TensorId t) {
        return needed[static_cast<std::size_t>(t)];
      });
      if (!used) continue;
      for (const TensorId t : op->inputs) {
        if (t != kNoTensor) needed[static_cast<std::size_t>(t)] = true;
      }
      kept.push_back(std::move(*op));
    }
    std::reverse(kept.begin(), kept.end());
    graph.operators = std::move(kept);
  }

  std::string path_;
  const OnnxOptions& options_;
  onnx::ModelProto model_;
  OnnxGraphState state_;
  std::set<std::string> used_, missing_, broken_;
  bool sequence_used_ = false;
  std::vector<std::string> unsupported_;
};

}  // namespace

Graph ImportOnnx(const std::string& path, const OnnxOptions& options) {
  return Importer(path, options).Run();
}

}  // namespace siliscope
