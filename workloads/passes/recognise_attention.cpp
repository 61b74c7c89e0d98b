// SPDX-License-Identifier: Apache-2.0
// Attention as exporters decompose it: a product q k^T (k transposed by an operator or stored so),
// perhaps scaled and masked, a softmax over its last dimension, a product with v. Keys and values
// that are repeated for every query head of a group (unsqueeze, expand, reshape) are read once:
// grouped-query attention.
#include <algorithm>

#include "workloads/ir/operator_kind.h"
#include "workloads/passes/pass.h"
#include "workloads/passes/pattern.h"

namespace siliscope {
namespace {

/// The tensor whose heads are repeated to make `t` [batch, heads, ...], or `t` itself.
TensorId BeforeRepeat(const Pattern& pattern, const Graph& graph, TensorId t,
                      std::vector<const Operator*>* gone) {
  const Operator* reshape = pattern.MadeOnce(t, "reshape");
  if (reshape == nullptr) return t;
  const Operator* expand = pattern.MadeOnce(reshape->inputs[0], "expand");
  if (expand == nullptr) return t;
  const Operator* unsqueeze = pattern.MadeOnce(expand->inputs[0], "reshape");
  if (unsqueeze == nullptr) return t;
  const Shape& before = InputShape(graph, *unsqueeze, 0);
  const Shape& wide = graph.tensor(expand->outputs[0]).shape;
  const Shape& after = graph.tensor(t).shape;
  // [b, g, s, d] -> [b, g, 1, s, d] -> [b, g, r, s, d] -> [b, g r, s, d]
  if (before.size() != 4 || wide.size() != 5 || after.size() != 4 || wide[1] != before[1] ||
      wide[0] != before[0] || wide[3] != before[2] || wide[4] != before[3] ||
      after[1] != wide[1] * wide[2]) {
    return t;
  }
  gone->insert(gone->end(), {reshape, expand, unsqueeze});
  return unsqueeze->inputs[0];
}

/// Whether the operator exchanges the last two dimensions only.
bool SwapsLastTwo(const Operator& op) {
  const std::vector<std::int64_t> perm = op.Ints("perm");
  const std::size_t rank = perm.size();
  if (rank < 2) return false;
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  }
  return perm[rank - 1] == static_cast<std::int64_t>(rank - 2);
}

struct Scores {
  TensorId q = kNoTensor, k = kNoTensor, mask = kNoTensor;
  double scale = 1;
  bool k_transposed = true;
};

/// Follows the scores back from the softmax to q, k, scale and mask.
bool MatchScores(const Pattern& pattern, const Graph& graph, TensorId t, Scores* scores,
                 std::vector<const Operator*>* gone) {
  if (const Operator* add = pattern.MadeOnce(t, "add")) {
    const bool first = pattern.MadeOnce(add->inputs[0], "mul") != nullptr ||
                       pattern.MadeOnce(add->inputs[0], "div") != nullptr ||
                       pattern.MadeOnce(add->inputs[0], "matmul") != nullptr;
    scores->mask = add->inputs[first ? 1 : 0];
    gone->push_back(add);
    t = add->inputs[first ? 0 : 1];
  }
  for (const char* function : {"mul", "div"}) {
    const Operator* scale = pattern.MadeOnce(t, function);
    TensorId inner = kNoTensor;
    double value = 1;
    if (scale == nullptr || !pattern.WithScalar(*scale, &inner, &value) || value == 0) continue;
    if (function == std::string("div") && scale->inputs[0] != inner) return false;
    scores->scale *= function == std::string("mul") ? value : 1 / value;
    gone->push_back(scale);
    t = inner;
  }
  const Operator* product = pattern.MadeOnce(t, "matmul");
  if (product == nullptr || product->Int("transpose_a", 0) != 0) return false;
  const Shape& shape = graph.tensor(product->outputs[0]).shape;
  if (shape.size() < 3 || graph.tensor(product->inputs[1]).role == Role::kWeight) return false;
  gone->push_back(product);
  scores->q = product->inputs[0];
  scores->k = product->inputs[1];
  scores->k_transposed = product->Int("transpose_b", 0) == 0;
  if (const Operator* swap = pattern.MadeOnce(scores->k, "transpose")) {
    if (scores->k_transposed && SwapsLastTwo(*swap)) {
      gone->push_back(swap);
      scores->k = swap->inputs[0];
      scores->k_transposed = false;
    }
  }
  return true;
}

bool RecogniseOne(Pattern& pattern, const Operator& last) {
  const Graph& graph = pattern.graph();
  const Operator* softmax = pattern.MadeOnce(last.inputs[0], "softmax");
  if (softmax == nullptr || softmax->Int("log", 0) != 0) return false;
  const Shape& probabilities = graph.tensor(softmax->outputs[0]).shape;
  if (Axis(softmax->Int("axis", -1), probabilities.size()) + 1 !=
          static_cast<std::int64_t>(probabilities.size()) ||
      last.Int("transpose_a", 0) != 0 || last.Int("transpose_b", 0) != 0) {
    return false;
  }
  std::vector<const Operator*> gone = {softmax};
  Scores scores;
  if (!MatchScores(pattern, graph, softmax->inputs[0], &scores, &gone)) return false;
  TensorId v = last.inputs[1];
  std::vector<const Operator*> repeats;
  const TensorId k_once = BeforeRepeat(pattern, graph, scores.k, &repeats);
  const TensorId v_once = BeforeRepeat(pattern, graph, v, &repeats);
  if ((k_once != scores.k) == (v_once != v) && k_once != scores.k) {
    scores.k = k_once;
    v = v_once;
    gone.insert(gone.end(), repeats.begin(), repeats.end());
  }
  const Shape& q_shape = graph.tensor(scores.q).shape;
  if (q_shape.size() != graph.tensor(scores.k).shape.size() ||
      q_shape.size() != graph.tensor(v).shape.size() || q_shape.size() < 3) {
    return false;
  }
  Operator attention;
  attention.name = last.name;
  attention.kind = "attention";
  attention.inputs = {scores.q, scores.k, v};
  if (scores.mask != kNoTensor) attention.inputs.push_back(scores.mask);
  attention.attributes["scale"] = scores.scale;
  attention.attributes["k_transposed"] = std::int64_t{scores.k_transposed};
  gone.push_back(&last);
  attention.source_nodes = SourcesOf(gone);
  pattern.Replace(last.outputs[0], std::move(attention), gone);
  return true;
}

}  // namespace

void RecogniseAttention(Graph* graph) {
  Pattern pattern(graph);
  for (const Operator& op : graph->operators) {
    if (op.kind == "matmul" && !pattern.IsGone(op)) RecogniseOne(pattern, op);
  }
  pattern.Apply();
}

}  // namespace siliscope
