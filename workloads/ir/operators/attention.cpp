// SPDX-License-Identifier: Apache-2.0
// attention: softmax(scale x q k^T + mask) v. q [..., heads, seq_q, d], k and v [..., kv_heads,
// seq_kv, d]; fewer key heads than query heads is grouped-query attention. k_transposed = 1: k is
// [..., kv_heads, d, seq_kv].
#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

struct Heads {
  std::int64_t batch, heads, kv_heads, seq_q, seq_kv, d, d_v;
};

Heads HeadsOf(const Operator& op, const Shape& q, const Shape& k, const Shape& v) {
  if (q.size() < 3 || q.size() != k.size() || q.size() != v.size()) {
    throw UserError(op.name + ": attention of " + ShapeText(q) + ", " + ShapeText(k) + ", " +
                    ShapeText(v));
  }
  const std::size_t r = q.size();
  const bool transposed = op.Int("k_transposed", 0) != 0;
  Heads h{};
  h.heads = q[r - 3];
  h.kv_heads = k[r - 3];
  h.seq_q = q[r - 2];
  h.d = q[r - 1];
  h.seq_kv = k[transposed ? r - 1 : r - 2];
  h.d_v = v[r - 1];
  h.batch = ElementCount(q) / std::max<std::int64_t>(1, h.heads * h.seq_q * h.d);
  if (k[transposed ? r - 2 : r - 1] != h.d || v[r - 2] != h.seq_kv || v[r - 3] != h.kv_heads ||
      h.kv_heads == 0 || h.heads % h.kv_heads != 0) {
    throw UserError(op.name + ": heads or lengths of " + ShapeText(q) + ", " + ShapeText(k) + ", " +
                    ShapeText(v) + " do not fit");
  }
  return h;
}

Heads HeadsOf(const Graph& graph, const Operator& op) {
  return HeadsOf(op, InputShape(graph, op, 0), InputShape(graph, op, 1), InputShape(graph, op, 2));
}

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const Heads h = HeadsOf(graph, op);
  Shape y = InputShape(graph, op, 0);
  y.back() = h.d_v;
  return {y};
}

double Macs(const Graph& graph, const Operator& op) {
  const Heads h = HeadsOf(graph, op);
  return static_cast<double>(h.batch * h.heads) * static_cast<double>(h.seq_q) *
         static_cast<double>(h.seq_kv) * static_cast<double>(h.d + h.d_v);
}

double Operations(const Graph& graph, const Operator& op) {
  const Heads h = HeadsOf(graph, op);
  return (HasInput(op, 3) ? 7.0 : 6.0) * static_cast<double>(h.batch * h.heads) *
         static_cast<double>(h.seq_q) * static_cast<double>(h.seq_kv);
}

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  const Value &q = *inputs[0], &k = *inputs[1], &v = *inputs[2];
  const Value* mask = inputs.size() > 3 ? inputs[3] : nullptr;
  const Heads h = HeadsOf(op, q.shape, k.shape, v.shape);
  const bool transposed = op.Int("k_transposed", 0) != 0;
  const double scale = op.Real("scale", 1.0);
  Value y{q.shape, {}};
  y.shape.back() = h.d_v;
  Shape score_shape(q.shape);
  score_shape.back() = h.seq_kv;
  std::vector<double> scores(static_cast<std::size_t>(h.seq_kv));
  for (std::int64_t i = 0; i < h.batch * h.heads * h.seq_q; ++i) {
    const std::int64_t head = i / h.seq_q % h.heads, batch = i / (h.seq_q * h.heads);
    const std::int64_t kv = batch * h.kv_heads + head / (h.heads / h.kv_heads);
    double top = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t t = 0; t < h.seq_kv; ++t) {
      double dot = 0;
      for (std::int64_t d = 0; d < h.d; ++d) {
        const std::int64_t at =
            transposed ? (kv * h.d + d) * h.seq_kv + t : (kv * h.seq_kv + t) * h.d + d;
        dot += q.data[static_cast<std::size_t>(i * h.d + d)] * k.data[static_cast<std::size_t>(at)];
      }
      dot *= scale;
      if (mask != nullptr) dot += BroadcastAt(*mask, score_shape, i * h.seq_kv + t);
      scores[static_cast<std::size_t>(t)] = dot;
      top = std::max(top, dot);
    }
    for (double& s : scores) sum += s = std::exp(s - top);
    for (std::int64_t d = 0; d < h.d_v; ++d) {
      double value = 0;
      for (std::int64_t t = 0; t < h.seq_kv; ++t) {
        value += scores[static_cast<std::size_t>(t)] / sum *
                 v.data[static_cast<std::size_t>((kv * h.seq_kv + t) * h.d_v + d)];
      }
      y.data.push_back(value);
    }
  }
  return {y};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "attention", {"softmax(scale q k^T + mask) v, grouped-query too (q, k, v, mask)", &Infer, &Macs,
                  &Operations, &Evaluate});

}  // namespace
}  // namespace siliscope
