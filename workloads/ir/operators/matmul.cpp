// SPDX-License-Identifier: Apache-2.0
// matmul: a [..., m, k] times b [..., k, n], leading dimensions broadcast; transpose_a and
// transpose_b exchange the last two. `sparsity` = "2:4": of each four elements of b along k two are
// zero, and half of the products are made. `accumulate` = "fp16": sums are kept in half precision.
#include "sim/core/error.h"
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

struct Dimensions {
  Shape batch;
  std::int64_t m = 1, k = 1, n = 1;
  bool a_vector = false, b_vector = false;
};

Dimensions Resolve(const Operator& op, Shape a, Shape b) {
  Dimensions d;
  if (a.empty() || b.empty()) throw UserError(op.name + ": matmul of a scalar");
  d.a_vector = a.size() == 1;
  d.b_vector = b.size() == 1;
  if (d.a_vector) a.insert(a.begin(), 1);
  if (d.b_vector) b.push_back(1);
  const bool ta = op.Int("transpose_a", 0) != 0, tb = op.Int("transpose_b", 0) != 0;
  d.m = a[a.size() - (ta ? 1 : 2)];
  d.k = a[a.size() - (ta ? 2 : 1)];
  d.n = b[b.size() - (tb ? 2 : 1)];
  const std::int64_t k = b[b.size() - (tb ? 1 : 2)];
  if (k != d.k) {
    throw UserError(op.name + ": matmul of " + ShapeText(a) + " and " + ShapeText(b) +
                    ": the contraction is " + std::to_string(d.k) + " and " + std::to_string(k));
  }
  a.resize(a.size() - 2);
  b.resize(b.size() - 2);
  d.batch = BroadcastShape(a, b);
  return d;
}

std::vector<Shape> Infer(const Graph& graph, const Operator& op) {
  const Dimensions d = Resolve(op, InputShape(graph, op, 0), InputShape(graph, op, 1));
  Shape shape = d.batch;
  if (!d.a_vector) shape.push_back(d.m);
  if (!d.b_vector) shape.push_back(d.n);
  return {shape};
}

double Macs(const Graph& graph, const Operator& op) {
  const Dimensions d = Resolve(op, InputShape(graph, op, 0), InputShape(graph, op, 1));
  return static_cast<double>(ElementCount(d.batch)) * static_cast<double>(d.m) *
         static_cast<double>(d.n) * static_cast<double>(d.k) *
         (op.Text("sparsity", "") == "2:4" ? 0.5 : 1);
}

/// The matrix at flat batch index `i` of the broadcast batch shape: offset into the data.
std::int64_t MatrixOffset(const Shape& operand, const Shape& batch, std::int64_t i) {
  Shape lead(operand.begin(), operand.end() - 2);
  std::int64_t offset = 0, stride = operand[operand.size() - 1] * operand[operand.size() - 2];
  for (std::size_t d = batch.size(); d-- > 0;) {
    const std::int64_t position = i % batch[d];
    i /= batch[d];
    const std::size_t missing = batch.size() - lead.size();
    if (d < missing) continue;
    if (lead[d - missing] != 1) offset += position * stride;
    stride *= lead[d - missing];
  }
  return offset;
}

std::vector<Value> Evaluate(const Operator& op, const std::vector<const Value*>& inputs) {
  Value a = *inputs[0], b = *inputs[1];
  const Dimensions d = Resolve(op, a.shape, b.shape);
  if (d.a_vector) a.shape.insert(a.shape.begin(), 1);
  if (d.b_vector) b.shape.push_back(1);
  const bool ta = op.Int("transpose_a", 0) != 0, tb = op.Int("transpose_b", 0) != 0;
  Value y;
  y.shape = d.batch;
  if (!d.a_vector) y.shape.push_back(d.m);
  if (!d.b_vector) y.shape.push_back(d.n);
  y.data.reserve(static_cast<std::size_t>(ElementCount(y.shape)));
  for (std::int64_t i = 0; i < ElementCount(d.batch); ++i) {
    const double* x = a.data.data() + MatrixOffset(a.shape, d.batch, i);
    const double* w = b.data.data() + MatrixOffset(b.shape, d.batch, i);
    for (std::int64_t m = 0; m < d.m; ++m) {
      for (std::int64_t n = 0; n < d.n; ++n) {
        double sum = 0;
        for (std::int64_t k = 0; k < d.k; ++k) {
          sum += x[ta ? k * d.m + m : m * d.k + k] * w[tb ? n * d.k + k : k * d.n + n];
        }
        y.data.push_back(sum);
      }
    }
  }
  return {y};
}

const bool kRegistered = OperatorRegistry::Instance().Add(
    "matmul",
    {"matrix product with broadcast leading dimensions (a, b)", &Infer, &Macs, nullptr, &Evaluate});

}  // namespace
}  // namespace siliscope
