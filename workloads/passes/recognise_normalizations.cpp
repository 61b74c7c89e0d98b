// SPDX-License-Identifier: Apache-2.0
// Normalisations as exporters decompose them:
//   RMSNorm    x * (1 / sqrt(mean(x^2) + eps)) * w
//   LayerNorm  (x - mean) / sqrt(mean((x - mean)^2) + eps) * w + b
//   softmax    exp(x - max) / sum(exp(x - max))
// Operators on the way whose results others read stay, so meaning is kept.
#include "workloads/ir/operator_kind.h"
#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

bool ReducesLast(const Graph& graph, const Operator& op, const std::string& function) {
  const std::size_t rank = InputShape(graph, op, 0).size();
  const std::vector<std::int64_t> axes = op.Ints("axes");
  return op.kind == "reduce" && op.Text("function", "") == function && op.Int("keepdims", 1) != 0 &&
         axes.size() == 1 && Axis(axes[0], rank) + 1 == static_cast<std::int64_t>(rank);
}

/// The tensor whose square `t` is: x^2, or x * x.
TensorId SquareOf(const Pattern& pattern, TensorId t, std::vector<const Operator*>* gone) {
  if (const Operator* pow = pattern.MadeOnce(t, "pow")) {
    if (pattern.Scalar(pow->inputs[1]).value_or(0) != 2) return kNoTensor;
    gone->push_back(pow);
    return pow->inputs[0];
  }
  const Operator* mul = pattern.MadeOnce(t, "mul");
  if (mul == nullptr || mul->inputs.size() != 2 || mul->inputs[0] != mul->inputs[1]) {
    return kNoTensor;
  }
  gone->push_back(mul);
  return mul->inputs[0];
}

/// sqrt(mean(y^2) + eps): returns y.
TensorId RootMeanSquare(Pattern& pattern, TensorId t, double* epsilon,
                        std::vector<const Operator*>* gone) {
  const Operator* root = pattern.MadeOnce(t, "sqrt");
  if (root == nullptr) return kNoTensor;
  const Operator* add = pattern.MadeOnce(root->inputs[0], "add");
  TensorId mean_out = kNoTensor;
  if (add == nullptr || !pattern.WithScalar(*add, &mean_out, epsilon)) return kNoTensor;
  const Operator* mean = pattern.MadeOnce(mean_out, "reduce");
  if (mean == nullptr || !ReducesLast(pattern.graph(), *mean, "mean")) return kNoTensor;
  gone->insert(gone->end(), {root, add, mean});
  return SquareOf(pattern, mean->inputs[0], gone);
}

/// y / root or y * (1 / root): returns y and the root.
bool DividedBy(const Pattern& pattern, const Operator& op, TensorId* y, TensorId* root,
               std::vector<const Operator*>* gone) {
  const std::string function = op.kind == "elementwise" ? op.Text("function", "") : "";
  if (function == "div" && op.inputs.size() == 2) {
    *y = op.inputs[0];
    *root = op.inputs[1];
    return true;
  }
  if (function != "mul" || op.inputs.size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    const Operator* inverse = pattern.MadeOnce(op.inputs[i], "reciprocal");
    if (inverse == nullptr) {
      inverse = pattern.MadeOnce(op.inputs[i], "div");
      if (inverse == nullptr || pattern.Scalar(inverse->inputs[0]).value_or(0) != 1) continue;
      *root = inverse->inputs[1];
    } else {
      *root = inverse->inputs[0];
    }
    *y = op.inputs[1 - i];
    gone->push_back(inverse);
    return true;
  }
  return false;
}

/// The weight of a last dimension that `t`'s only reader applies, and the result of that.
TensorId AppliedWeight(Pattern& pattern, TensorId* t, const std::string& function,
                       std::vector<const Operator*>* gone) {
  Operator* reader = pattern.OnlyReader(*t, function);
  if (reader == nullptr || reader->inputs.size() != 2) return kNoTensor;
  const TensorId other = reader->inputs[0] == *t ? reader->inputs[1] : reader->inputs[0];
  const Tensor& weight = pattern.graph().tensor(other);
  const Shape& x = pattern.graph().tensor(*t).shape;
  if (weight.role != Role::kWeight || weight.shape.size() != 1 || x.empty() ||
      weight.shape[0] != x.back()) {
    return kNoTensor;
  }
  gone->push_back(reader);
  *t = reader->outputs[0];
  return other;
}

/// x - mean(x): returns x.
TensorId Centred(Pattern& pattern, TensorId t, std::vector<const Operator*>* gone) {
  const Operator* sub = pattern.Made(t, "sub");
  if (sub == nullptr || sub->inputs.size() != 2) return kNoTensor;
  const Operator* mean = pattern.MadeOnce(sub->inputs[1], "reduce");
  if (mean == nullptr || !ReducesLast(pattern.graph(), *mean, "mean") ||
      mean->inputs[0] != sub->inputs[0]) {
    return kNoTensor;
  }
  gone->insert(gone->end(), {sub, mean});
  return sub->inputs[0];
}

bool RecogniseNorm(Pattern& pattern, const Operator& op) {
  TensorId y = kNoTensor, root = kNoTensor;
  std::vector<const Operator*> gone;
  if (!DividedBy(pattern, op, &y, &root, &gone)) return false;
  double epsilon = 0;
  if (RootMeanSquare(pattern, root, &epsilon, &gone) != y) return false;
  const TensorId centred = Centred(pattern, y, &gone);
  Operator norm;
  norm.name = op.name;
  norm.kind = centred == kNoTensor ? "rms_norm" : "layer_norm";
  norm.attributes["epsilon"] = epsilon;
  norm.attributes["axis"] = std::int64_t{-1};
  norm.inputs = {centred == kNoTensor ? y : centred};
  gone.push_back(&op);
  TensorId result = op.outputs[0];
  const TensorId weight = AppliedWeight(pattern, &result, "mul", &gone);
  norm.inputs.push_back(weight);
  if (centred != kNoTensor) norm.inputs.push_back(AppliedWeight(pattern, &result, "add", &gone));
  norm.source_nodes = SourcesOf(gone);
  pattern.Replace(result, std::move(norm), gone);
  return true;
}

bool RecogniseSoftmax(Pattern& pattern, const Operator& op) {
  if (op.Text("function", "") != "div" || op.inputs.size() != 2) return false;
  const Operator* exp = pattern.Made(op.inputs[0], "exp");
  const Operator* sum = pattern.MadeOnce(op.inputs[1], "reduce");
  if (exp == nullptr || sum == nullptr || !ReducesLast(pattern.graph(), *sum, "sum") ||
      sum->inputs[0] != op.inputs[0]) {
    return false;
  }
  const Operator* sub = pattern.MadeOnce(exp->inputs[0], "sub");
  if (sub == nullptr) return false;
  const Operator* max = pattern.MadeOnce(sub->inputs[1], "reduce");
  if (max == nullptr || !ReducesLast(pattern.graph(), *max, "max") ||
      max->inputs[0] != sub->inputs[0]) {
    return false;
  }
  Operator softmax;
  softmax.name = op.name;
  softmax.kind = "softmax";
  softmax.inputs = {sub->inputs[0]};
  softmax.attributes["axis"] = std::int64_t{-1};
  softmax.source_nodes = SourcesOf({max, sub, exp, sum, &op});
  pattern.Replace(op.outputs[0], std::move(softmax), {max, sub, exp, sum, &op});
  return true;
}

}  // namespace

void RecogniseNormalizations(Graph* graph) {
  Pattern pattern(graph);
  for (const Operator& op : graph->operators) {
    if (op.kind != "elementwise" || pattern.IsGone(op)) continue;
    if (!RecogniseSoftmax(pattern, op)) RecogniseNorm(pattern, op);
  }
  pattern.Apply();
}

}  // namespace siliscope
