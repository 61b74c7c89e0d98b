// SPDX-License-Identifier: Apache-2.0
// matmul, attention and recurrent layers as matrix products on a CPU.
#include <algorithm>

#include "sim/core/ceil_divide.h"
#include "workloads/ir/operator_kind.h"
#include "workloads/lower/cpu/elementwise_codes.h"
#include "workloads/lower/cpu/gemm_writer.h"
#include "workloads/lower/cpu/row_lowering.h"

namespace siliscope {
namespace {

/// An operand of `length` rows or columns and `depth` steps of the contraction, row-major.
GemmOperand OperandOf(const CpuLowering& lowering, std::int64_t address, bool along_depth,
                      std::int64_t length, std::int64_t depth) {
  GemmOperand operand;
  operand.address = address;
  operand.along_depth = along_depth;
  operand.stride = (along_depth ? depth : length) * lowering.LaneBytes();
  operand.batch_bytes = length * depth * lowering.LaneBytes();
  return operand;
}

void LowerMatmul(CpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Tensor& a = graph.tensor(op.inputs[0]);
  const Tensor& b = graph.tensor(op.inputs[1]);
  const Tensor& y = graph.tensor(op.outputs.front());
  const bool ta = op.Int("transpose_a", 0) != 0, tb = op.Int("transpose_b", 0) != 0;
  const bool column_major = op.Int("column_major", 0) != 0;
  const std::size_t ra = a.shape.size(), rb = b.shape.size();
  const std::int64_t k = ra == 1 ? a.shape[0] : a.shape[ra - (ta ? 2 : 1)];
  const std::int64_t n = rb == 1 ? 1 : b.shape[rb - (tb ? 2 : 1)];
  CpuGemm g;
  g.op = index;
  g.batch = rb <= 2 ? 1 : b.elements() / (k * n);
  const std::int64_t m =
      std::max<std::int64_t>(1, y.elements() / std::max<std::int64_t>(1, n * g.batch));
  g.depth = CeilDivide(k, lowering.Group());
  const std::int64_t from_a = lowering.CallerAddressOf(op.inputs[0]);
  const std::int64_t from_b = lowering.CallerAddressOf(op.inputs[1]);
  // Rows of the library lie beside each other in the result: m of a column-major one, else n.
  g.rows = column_major ? m : n;
  g.columns = column_major ? n : m;
  g.by_rows = column_major ? OperandOf(lowering, from_a, ta, m, g.depth)
                           : OperandOf(lowering, from_b, tb, n, g.depth);
  g.by_columns = column_major ? OperandOf(lowering, from_b, !tb, n, g.depth)
                              : OperandOf(lowering, from_a, !ta, m, g.depth);
  g.result = lowering.CallerAddressOf(op.outputs.front());
  g.result_stride = g.rows * lowering.ElementBytes();
  g.result_batch_bytes = m * n * lowering.ElementBytes();
  g.rows_packed = lowering.cpu().library.packs_weights_once && !column_major &&
                  b.role == Role::kWeight && g.columns > 1;
  AddEpilogue(lowering, op, &g);
  lowering.EnterLibrary(true);
  lowering.info(index).mapping = WriteGemm(lowering, g);
}

/// q k^T, a softmax over the scores, the product with v.
void LowerAttention(CpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& q = graph.tensor(op.inputs[0]).shape;
  const Shape& k = graph.tensor(op.inputs[1]).shape;
  const Shape& v = graph.tensor(op.inputs[2]).shape;
  const std::size_t rank = q.size();
  const bool k_transposed = op.Int("k_transposed", 0) != 0;
  const std::int64_t queries = q[rank - 2], width = q[rank - 1];
  const std::int64_t keys = k[rank - (k_transposed ? 1 : 2)], out = v[rank - 1];
  const std::int64_t heads = std::max<std::int64_t>(1, ElementCount(q) / (queries * width));
  const std::int64_t e = lowering.ElementBytes();
  // Heads that share keys are rows of one product.
  const std::int64_t kv_heads = std::max<std::int64_t>(1, ElementCount(k) / (keys * width));
  const std::int64_t rows = queries * heads / kv_heads;
  const std::int64_t scores = lowering.AddBuffer(op.name + "_scores", heads * queries * keys * e);
  CpuGemm g;
  g.op = index;
  g.batch = kv_heads;
  g.rows = keys;
  g.columns = rows;
  g.depth = CeilDivide(width, lowering.Group());
  g.by_rows = OperandOf(lowering, lowering.AddressOf(op.inputs[1]), !k_transposed, keys, g.depth);
  g.by_columns = OperandOf(lowering, lowering.AddressOf(op.inputs[0]), true, rows, g.depth);
  g.result = scores;
  g.result_stride = keys * e;
  g.result_batch_bytes = rows * keys * e;
  lowering.info(index).mapping = WriteGemm(lowering, g);
  WriteSoftmax(lowering, index, {heads * queries, keys, scores, scores});
  g.rows = out;
  g.depth = CeilDivide(keys, lowering.Group());
  g.by_rows = OperandOf(lowering, lowering.AddressOf(op.inputs[2]), false, out, g.depth);
  g.by_columns = OperandOf(lowering, scores, true, rows, g.depth);
  g.result = lowering.AddressOf(op.outputs.front());
  g.result_stride = out * e;
  g.result_batch_bytes = rows * out * e;
  WriteGemm(lowering, g);
}

/// One product projects the inputs of all steps; each step is a product and its gates.
void LowerRecurrent(CpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& x = InputShape(graph, op, 0);
  const Shape& w = InputShape(graph, op, 1);
  const Shape& r = InputShape(graph, op, 2);
  const std::int64_t steps = x[0], batch = x[1], gates = w[0] * w[1], hidden = r[2];
  const std::int64_t e = lowering.ElementBytes();
  const std::int64_t projected =
      lowering.AddBuffer(op.name + "_projected", steps * batch * gates * e);
  const std::int64_t sums = lowering.AddBuffer(op.name + "_gates", batch * gates * e);
  const std::int64_t state = lowering.AddBuffer(op.name + "_state", batch * gates * e);
  for (const TensorId t : op.outputs) lowering.AddressOf(t);
  CpuGemm g;
  g.op = index;
  g.rows = gates;
  g.columns = steps * batch;
  g.depth = CeilDivide(x[2], lowering.Group());
  g.by_rows = OperandOf(lowering, lowering.AddressOf(op.inputs[1]), true, gates, g.depth);
  g.by_columns = OperandOf(lowering, lowering.AddressOf(op.inputs[0]), true, g.columns, g.depth);
  g.result = projected;
  g.result_stride = gates * e;
  g.rows_packed = lowering.cpu().library.packs_weights_once && g.columns > 1;
  lowering.EnterLibrary(true);
  lowering.info(index).mapping = WriteGemm(lowering, g);
  g.columns = batch;
  g.depth = CeilDivide(hidden, lowering.Group());
  g.by_rows = OperandOf(lowering, lowering.AddressOf(op.inputs[2]), true, gates, g.depth);
  g.by_columns = OperandOf(lowering, state, true, batch, g.depth);
  g.result = sums;
  g.rows_packed = lowering.cpu().library.packs_weights_once && batch > 1;
  const int operations = VectorOperations("sigmoid") + VectorOperations("tanh") / 2 + 2;
  for (std::int64_t step = 0; step < steps; ++step) {
    WriteGemm(lowering, g);
    WriteStream(
        lowering, index,
        {{sums, projected + step * batch * gates * e}, state, batch * gates, operations, 1});
  }
}

bool RegisterAll() {
  CpuLowerRegistry& registry = CpuLowerRegistry::Instance();
  registry.Add("matmul", &LowerMatmul);
  registry.Add("attention", &LowerAttention);
  for (const char* kind : {"lstm", "gru", "rnn"}) registry.Add(kind, &LowerRecurrent);
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
