// SPDX-License-Identifier: Apache-2.0
// Elementwise functions that read a product's result, and nothing else does, are applied on the way
// out of the array: bias, activation, residual. A residual must be there before the product runs.
#include "workloads/ir/elementwise_function.h"
#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

bool TakesEpilogue(const Operator& op) {
  return op.kind == "conv" || op.kind == "matmul" || op.kind == "conv_transpose";
}

class Fusion {
 public:
  explicit Fusion(Graph* graph)
      : graph_(graph), uses_(*graph), gone_(graph->operators.size(), false) {}

  void Run() {
    for (std::size_t i = 0; i < graph_->operators.size(); ++i) {
      if (TakesEpilogue(graph_->operators[i])) Extend(i);
    }
    std::vector<Operator> kept;
    for (std::size_t i = 0; i < graph_->operators.size(); ++i) {
      if (!gone_[i]) kept.push_back(std::move(graph_->operators[i]));
    }
    graph_->operators = std::move(kept);
  }

 private:
  void Extend(std::size_t index) {
    for (;;) {
      const TensorId result = graph_->operators[index].outputs[0];
      const auto at = static_cast<std::size_t>(result);
      if (uses_.consumers[at].size() != 1 || uses_.is_output[at]) return;
      const int reader = uses_.consumers[at].front();
      if (reader < 0 || !Absorb(index, static_cast<std::size_t>(reader))) return;
    }
  }

  bool Absorb(std::size_t index, std::size_t reader) {
    const Operator& step = graph_->operators[reader];
    const TensorId result = graph_->operators[index].outputs[0];
    if (gone_[reader] || step.kind != "elementwise" || step.inputs.size() > 2 ||
        graph_->tensor(step.outputs[0]).shape != graph_->tensor(result).shape) {
      return false;
    }
    EpilogueStep epilogue;
    epilogue.function = step.Text("function", "");
    epilogue.attributes = step.attributes;
    epilogue.attributes.erase("function");
    if (step.inputs.size() == 2) {
      const bool second = step.inputs[1] == result;
      if (step.inputs[0] == step.inputs[1]) return false;
      epilogue.operand = step.inputs[second ? 0 : 1];
      if (second) epilogue.attributes["reversed"] = std::int64_t{1};
      // The operand must exist before the product runs.
      const int producer = uses_.producer[static_cast<std::size_t>(epilogue.operand)];
      if (producer >= static_cast<int>(index)) return false;
    } else if (FindFunction(epilogue.function)->operands > 1) {
      return false;
    }
    epilogue.source_node = step.source_nodes.empty() ? step.name : step.source_nodes.front();
    Operator& op = graph_->operators[index];
    for (const std::string& source : step.source_nodes) op.source_nodes.push_back(source);
    op.epilogue.push_back(std::move(epilogue));
    op.outputs[0] = step.outputs[0];
    uses_.producer[static_cast<std::size_t>(op.outputs[0])] = static_cast<int>(index);
    gone_[reader] = true;
    return true;
  }

  Graph* graph_;
  GraphUses uses_;
  std::vector<bool> gone_;
};

}  // namespace

void FuseEpilogues(Graph* graph) { Fusion(graph).Run(); }

}  // namespace siliscope
