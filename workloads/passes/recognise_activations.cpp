// SPDX-License-Identifier: Apache-2.0
// GELU as exporters decompose it, x * (erf(x / sqrt 2) + 1) * 0.5 in any order of the factors, and
// SiLU, x * sigmoid(x).
#include <cmath>

#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

bool Near(double a, double b) { return std::fabs(a - b) < 1e-3 * std::fabs(b); }

/// erf(x / sqrt 2) + 1: returns x, and the operators it is made of.
TensorId ErfPlusOne(const Pattern& pattern, TensorId t, std::vector<const Operator*>* gone) {
  const Operator* add = pattern.MadeOnce(t, "add");
  TensorId inner = kNoTensor, x = kNoTensor;
  double one = 0, root = 0;
  if (add == nullptr || !pattern.WithScalar(*add, &inner, &one) || one != 1) return kNoTensor;
  const Operator* erf = pattern.MadeOnce(inner, "erf");
  if (erf == nullptr) return kNoTensor;
  const Operator* scale = pattern.MadeOnce(erf->inputs[0], "div");
  const bool divides = scale != nullptr;
  if (!divides) scale = pattern.MadeOnce(erf->inputs[0], "mul");
  if (scale == nullptr || !pattern.WithScalar(*scale, &x, &root)) return kNoTensor;
  if (!Near(root, divides ? std::sqrt(2.0) : std::sqrt(0.5))) return kNoTensor;
  gone->insert(gone->end(), {add, erf, scale});
  return x;
}

/// The other operand of a product of `x` (or half of it) and erf(x / sqrt 2) + 1.
bool IsGelu(Pattern& pattern, const Operator& last, TensorId* x,
            std::vector<const Operator*>* gone) {
  if (last.inputs.size() != 2) return false;
  TensorId product = kNoTensor;
  double half = 0;
  // (x * (erf + 1)) * 0.5
  if (pattern.WithScalar(last, &product, &half) && half == 0.5) {
    const Operator* mul = pattern.MadeOnce(product, "mul");
    if (mul == nullptr || mul->inputs.size() != 2) return false;
    for (std::size_t i = 0; i < 2; ++i) {
      gone->assign(1, mul);
      *x = ErfPlusOne(pattern, mul->inputs[i], gone);
      if (*x != kNoTensor && *x == mul->inputs[1 - i]) return true;
    }
    return false;
  }
  // x * ((erf + 1) * 0.5), or (x * 0.5) * (erf + 1)
  for (std::size_t i = 0; i < 2; ++i) {
    gone->clear();
    const Operator* scaled = pattern.MadeOnce(last.inputs[i], "mul");
    TensorId inner = kNoTensor;
    if (scaled != nullptr && pattern.WithScalar(*scaled, &inner, &half) && half == 0.5) {
      gone->push_back(scaled);
      *x = ErfPlusOne(pattern, inner, gone);
      if (*x != kNoTensor && *x == last.inputs[1 - i]) return true;
      gone->assign(1, scaled);
      *x = ErfPlusOne(pattern, last.inputs[1 - i], gone);
      if (*x != kNoTensor && *x == inner) return true;
    }
  }
  return false;
}

bool IsSilu(Pattern& pattern, const Operator& last, TensorId* x,
            std::vector<const Operator*>* gone) {
  if (last.inputs.size() != 2) return false;
  for (std::size_t i = 0; i < 2; ++i) {
    const Operator* sigmoid = pattern.MadeOnce(last.inputs[i], "sigmoid");
    if (sigmoid != nullptr && sigmoid->inputs[0] == last.inputs[1 - i]) {
      *x = sigmoid->inputs[0];
      gone->assign(1, sigmoid);
      return true;
    }
  }
  return false;
}

}  // namespace

void RecogniseActivations(Graph* graph) {
  Pattern pattern(graph);
  for (const Operator& last : graph->operators) {
    if (last.kind != "elementwise" || last.Text("function", "") != "mul" || pattern.IsGone(last)) {
      continue;
    }
    TensorId x = kNoTensor;
    std::vector<const Operator*> gone;
    std::string function;
    if (IsGelu(pattern, last, &x, &gone)) {
      function = "gelu";
    } else if (IsSilu(pattern, last, &x, &gone)) {
      function = "silu";
    } else {
      continue;
    }
    Operator op = MakeElementwise(last.name, function, {x});
    gone.push_back(&last);
    op.source_nodes = SourcesOf(gone);
    pattern.Replace(last.outputs[0], std::move(op), gone);
  }
  pattern.Apply();
}

}  // namespace siliscope
