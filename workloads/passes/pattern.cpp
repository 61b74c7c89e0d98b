// SPDX-License-Identifier: Apache-2.0
#include "workloads/passes/pattern.h"

#include <algorithm>

namespace siliscope {
namespace {

bool Is(const Operator& op, const std::string& kind_or_function) {
  if (op.kind == kind_or_function) return true;
  return op.kind == "elementwise" && op.Text("function", "") == kind_or_function;
}

}  // namespace

const Operator* Pattern::Made(TensorId t, const std::string& kind_or_function) const {
  if (t == kNoTensor) return nullptr;
  const int producer = uses_.producer[static_cast<std::size_t>(t)];
  if (producer < 0 || gone_.count(producer) != 0) return nullptr;
  const Operator& op = graph_->operators[static_cast<std::size_t>(producer)];
  return Is(op, kind_or_function) && op.epilogue.empty() ? &op : nullptr;
}

bool Pattern::UsedOnce(TensorId t) const {
  const auto at = static_cast<std::size_t>(t);
  return uses_.consumers[at].size() == 1 && !uses_.is_output[at];
}

const Operator* Pattern::MadeOnce(TensorId t, const std::string& kind_or_function) const {
  const Operator* op = Made(t, kind_or_function);
  return op != nullptr && UsedOnce(t) ? op : nullptr;
}

std::optional<double> Pattern::Scalar(TensorId t) const {
  if (t == kNoTensor) return std::nullopt;
  const Tensor& tensor = graph_->tensor(t);
  if (tensor.values == nullptr || tensor.values->size() != 1) return std::nullopt;
  return tensor.values->front();
}

bool Pattern::WithScalar(const Operator& op, TensorId* other, double* scalar) const {
  if (op.inputs.size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    if (const auto value = Scalar(op.inputs[i])) {
      *other = op.inputs[1 - i];
      *scalar = *value;
      return true;
    }
  }
  return false;
}

Operator* Pattern::OnlyReader(TensorId t, const std::string& kind_or_function) {
  if (!UsedOnce(t)) return nullptr;
  const int reader = uses_.consumers[static_cast<std::size_t>(t)].front();
  Operator& op = graph_->operators[static_cast<std::size_t>(reader)];
  return gone_.count(reader) == 0 && Is(op, kind_or_function) ? &op : nullptr;
}

void Pattern::Replace(TensorId result, Operator op, const std::vector<const Operator*>& gone) {
  const int at = uses_.producer[static_cast<std::size_t>(result)];
  op.outputs = {result};
  for (const Operator* o : gone) gone_.insert(IndexOf(*o));
  gone_.insert(at);
  replacements_.emplace_back(at, std::move(op));
}

void Pattern::Apply() {
  std::vector<Operator> kept;
  for (int i = 0; i < static_cast<int>(graph_->operators.size()); ++i) {
    if (gone_.count(i) == 0)
      kept.push_back(std::move(graph_->operators[static_cast<std::size_t>(i)]));
    for (auto& [at, op] : replacements_) {
      if (at == i) kept.push_back(std::move(op));
    }
  }
  graph_->operators = std::move(kept);
}

std::vector<std::string> SourcesOf(const std::vector<const Operator*>& ops) {
  std::vector<std::string> sources;
  for (const Operator* op : ops) {
    for (const std::string& s : op->source_nodes) {
      if (std::find(sources.begin(), sources.end(), s) == sources.end()) sources.push_back(s);
    }
  }
  return sources;
}

Operator MakeElementwise(const std::string& name, const std::string& function,
                         std::vector<TensorId> inputs) {
  Operator op;
  op.name = name;
  op.kind = "elementwise";
  op.attributes["function"] = function;
  op.inputs = std::move(inputs);
  return op;
}

}  // namespace siliscope
