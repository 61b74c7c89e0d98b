// SPDX-License-Identifier: Apache-2.0
#include "workloads/zoo/single_operator.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"
#include "workloads/ir/elementwise_function.h"

namespace siliscope {
namespace {

/// The pairs of a row, each to be asked for once; what nobody asked for is unknown.
class ShapeKeys {
 public:
  explicit ShapeKeys(const OperatorRequest& request) : request_(request) {}

  std::int64_t Int(const std::string& key, std::int64_t otherwise = -1) {
    known_.push_back(key);
    const auto it = request_.shape.find(key);
    if (it == request_.shape.end()) {
      if (otherwise < 0) throw UserError(request_.op + ": shape lacks " + key);
      return otherwise;
    }
    std::int64_t value = 0;
    const char* end = it->second.data() + it->second.size();
    const auto [at, error] = std::from_chars(it->second.data(), end, value);
    const std::int64_t least = otherwise == 0 ? 0 : 1;
    if (error != std::errc() || at != end || value < least || value > (std::int64_t{1} << 31)) {
      throw UserError(request_.op + ": " + key + "=" + it->second + " is not a whole number from " +
                      std::to_string(least) + " to 2147483648");
    }
    return value;
  }

  /// The same, and at most `most`.
  std::int64_t UpTo(const std::string& key, std::int64_t otherwise, std::int64_t most) {
    const std::int64_t value = Int(key, otherwise);
    if (value > most) {
      throw UserError(request_.op + ": " + key + "=" + std::to_string(value) + " is above " +
                      std::to_string(most));
    }
    return value;
  }

  bool Has(const std::string& key) const { return request_.shape.count(key) > 0; }

  std::string Text(const std::string& key, const std::string& otherwise,
                   const std::vector<std::string>& allowed) {
    known_.push_back(key);
    const auto it = request_.shape.find(key);
    std::string value = it == request_.shape.end() ? otherwise : it->second;
    for (const std::string& a : allowed) {
      if (a == value) return value;
    }
    throw UserError(request_.op + ": " + key + "=" + value + " is not allowed" +
                    Suggestion(value, allowed));
  }

  void Finish() const {
    for (const auto& [key, value] : request_.shape) {
      bool found = false;
      for (const std::string& known : known_) found = found || known == key;
      if (!found) {
        throw UserError(request_.op + ": unknown key " + key + Suggestion(key, known_));
      }
    }
  }

 private:
  const OperatorRequest& request_;
  std::vector<std::string> known_;
};

TensorId Input(Graph* graph, const std::string& name, const Shape& shape, Role role) {
  const TensorId id = graph->AddTensor({name, shape, DataType::kFp32, role, nullptr});
  if (role != Role::kWeight) graph->inputs.push_back(id);
  return id;
}

void Gemm(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t m = keys.Int("m"), n = keys.Int("n"), k = keys.Int("k");
  const std::int64_t batch = keys.Int("batch", 1);
  const bool ta = keys.Text("ta", "N", {"N", "T"}) == "T";
  const bool tb = keys.Text("tb", "N", {"N", "T"}) == "T";
  Shape a = ta ? Shape{k, m} : Shape{m, k}, b = tb ? Shape{n, k} : Shape{k, n};
  if (batch > 1) {
    a.insert(a.begin(), batch);
    b.insert(b.begin(), batch);
  }
  op->kind = "matmul";
  const std::string sparsity = keys.Text("sparsity", "none", {"none", "2:4"});
  if (sparsity != "none") op->attributes["sparsity"] = sparsity;
  const std::string accumulate = keys.Text("accumulate", "fp32", {"fp32", "fp16"});
  if (accumulate != "fp32") op->attributes["accumulate"] = accumulate;
  op->attributes["transpose_a"] = std::int64_t{ta};
  op->attributes["transpose_b"] = std::int64_t{tb};
  // Lists that say how operands lie say it as BLAS does: column by column.
  op->attributes["column_major"] = std::int64_t{keys.Has("ta") || keys.Has("tb")};
  op->inputs = {Input(graph, "a", a, Role::kActivation), Input(graph, "b", b, Role::kWeight)};
}

void Conv(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t n = keys.Int("n"), c = keys.Int("c"), h = keys.Int("h"), w = keys.Int("w");
  const std::int64_t out_c = keys.Int("out_c"), kh = keys.Int("kh"), kw = keys.Int("kw");
  const std::int64_t ph = keys.Int("pad_h", 0), pw = keys.Int("pad_w", 0);
  const std::int64_t sh = keys.Int("stride_h", 1), sw = keys.Int("stride_w", 1);
  const std::int64_t group = keys.Int("group", 1);
  if (c % group != 0) throw UserError("conv2d: c is no multiple of group");
  op->kind = "conv";
  op->attributes["pads"] = Shape{ph, pw, ph, pw};
  op->attributes["strides"] = Shape{sh, sw};
  op->attributes["group"] = group;
  op->inputs = {Input(graph, "x", {n, c, h, w}, Role::kActivation),
                Input(graph, "w", {out_c, c / group, kh, kw}, Role::kWeight)};
}

void Elementwise(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::string function = keys.Text("fn", "add", FunctionNames());
  const std::int64_t tensors = keys.UpTo("tensors", FindFunction(function)->operands, 64);
  const Shape shape = {keys.Int("rows"), keys.Int("cols")};
  op->kind = "elementwise";
  op->attributes["function"] = function;
  for (std::int64_t i = 0; i < tensors; ++i) {
    op->inputs.push_back(Input(graph, "x" + std::to_string(i), shape, Role::kActivation));
  }
  // "add" of one tensor adds a scalar.
  while (static_cast<int>(op->inputs.size()) < FindFunction(function)->operands) {
    op->inputs.push_back(Input(graph, "scalar", {1}, Role::kWeight));
  }
}

void Rows(ShapeKeys& keys, Graph* graph, Operator* op, const std::string& kind) {
  const std::int64_t rows = keys.Int("rows"), cols = keys.Int("cols");
  op->kind = kind;
  op->inputs = {Input(graph, "x", {rows, cols}, Role::kActivation)};
  if (kind != "softmax") op->inputs.push_back(Input(graph, "scale", {cols}, Role::kWeight));
  if (kind == "layer_norm") op->inputs.push_back(Input(graph, "bias", {cols}, Role::kWeight));
}

void Attention(ShapeKeys& keys, Graph* graph, Operator* op) {
  keys.Text("phase", "prefill", {"prefill", "decode"});
  const std::int64_t batch = keys.Int("batch", 1), heads = keys.Int("heads");
  const std::int64_t kv_heads = keys.Int("kv_heads", heads), d = keys.Int("head_dim");
  const std::int64_t sq = keys.Int("seq_q"), skv = keys.Int("seq_kv");
  keys.Int("causal", 0);
  op->kind = "attention";
  op->inputs = {Input(graph, "q", {batch, heads, sq, d}, Role::kActivation),
                Input(graph, "k", {batch, kv_heads, skv, d}, Role::kActivation),
                Input(graph, "v", {batch, kv_heads, skv, d}, Role::kActivation)};
}

void Embedding(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t rows = keys.Int("rows"), cols = keys.Int("cols"), count = keys.Int("indices");
  op->kind = "gather";
  op->inputs = {Input(graph, "table", {rows, cols}, Role::kWeight),
                Input(graph, "indices", {count}, Role::kActivation)};
}

void TransposeOperator(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t batch = keys.Int("batch", 1), rows = keys.Int("rows"), cols = keys.Int("cols");
  op->kind = "transpose";
  op->attributes["perm"] = Shape{0, 2, 1};
  op->inputs = {Input(graph, "x", {batch, rows, cols}, Role::kActivation)};
}

void Stream(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::string function =
      keys.Text("fn", "scale", {"add", "axpy", "copy", "init", "read", "scale", "triad"});
  const std::int64_t stride = keys.UpTo("stride", 1, 1 << 24);
  const Shape shape = {keys.Int("elements") * stride};
  op->kind = "stream_benchmark";
  op->attributes["function"] = function;
  op->attributes["ctas"] = keys.Int("ctas", 0);
  op->attributes["threads"] = keys.UpTo("threads", 128, 1024);
  op->attributes["unroll"] = keys.UpTo("unroll", 0, 32);
  op->attributes["rounds"] = keys.UpTo("rounds", 0, 1 << 20);
  op->attributes["stride"] = stride;
  op->attributes["access"] =
      keys.Text("access", stride > 1 ? "scalar" : "vector", {"scalar", "vector"});
  op->attributes["stores"] = keys.Text("stores", "allocate", {"allocate", "non_temporal"});
  for (const char* name : {"b", "c"}) {
    if (*name == 'c' && function != "axpy" && function != "triad" && function != "add") continue;
    op->inputs.push_back(Input(graph, name, shape, Role::kActivation));
  }
}

void LoopNest(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t rows = keys.Int("rows"), columns = keys.Int("cols");
  const bool outer = keys.Text("body", "outer", {"outer", "matrix"}) == "outer";
  op->kind = "loop_nest";
  op->attributes["rows"] = rows;
  op->attributes["columns"] = columns;
  op->attributes["tile_rows"] = keys.UpTo("tile_rows", rows, rows);
  op->attributes["tile_columns"] = keys.UpTo("tile_cols", columns, columns);
  op->attributes["inner"] = keys.Text("inner", "cols", {"cols", "rows"});
  const Shape shape = outer ? Shape{columns} : Shape{rows, columns};
  op->inputs = {Input(graph, outer ? "b" : "matrix", shape, Role::kActivation)};
}

void BranchBenchmark(ShapeKeys& keys, Graph* graph, Operator* op) {
  op->kind = "branch_benchmark";
  const bool by_chance = keys.Has("taken");
  op->attributes["paths"] = keys.UpTo("paths", by_chance ? 2 : 1, by_chance ? 2 : 32);
  op->attributes["taken"] = by_chance ? keys.UpTo("taken", 0, 100) : -1;
  op->attributes["work"] = keys.UpTo("work", 64, 4096);
  op->attributes["loads"] = keys.UpTo("loads", 0, 16);
  op->attributes["ctas"] = keys.UpTo("ctas", 1, 65536);
  op->attributes["threads"] = keys.UpTo("threads", 128, 1024);
  op->inputs = {Input(graph, "x", {op->Int("ctas", 1) * op->Int("threads", 1)}, Role::kActivation)};
}

void AtomicBenchmark(ShapeKeys& keys, Graph* graph, Operator* op) {
  op->kind = "atomic_benchmark";
  op->attributes["same"] = std::int64_t{keys.Text("addresses", "own", {"own", "one"}) == "one"};
  op->attributes["rounds"] = keys.UpTo("rounds", 16, 65536);
  op->attributes["ctas"] = keys.UpTo("ctas", 1, 65536);
  op->attributes["threads"] = keys.UpTo("threads", 128, 1024);
  op->inputs = {
      Input(graph, "x", {2 * op->Int("ctas", 1) * op->Int("threads", 1)}, Role::kActivation)};
}

void HostCopyOperator(ShapeKeys& keys, Graph* graph, Operator* op) {
  op->kind = "host_copy";
  op->attributes["to"] = keys.Text("to", "chip", {"chip", "host"});
  const std::int64_t bytes = keys.Int("bytes");
  op->attributes["bytes"] = bytes;
  // In any data type; of two bytes the tensor is as large as what is copied.
  op->inputs = {Input(graph, "x", {(bytes + 1) / 2}, Role::kActivation)};
}

void Chase(ShapeKeys& keys, Graph* graph, Operator* op) {
  const std::int64_t bytes = keys.Int("bytes");
  op->kind = "pointer_chase";
  op->attributes["bytes"] = bytes;
  op->attributes["loads"] = keys.Int("loads", 1 << 20);
  // Activations have two bytes or more: the buffer is as large as what is walked, or larger.
  op->inputs = {Input(graph, "buffer", {(bytes + 1) / 2}, Role::kActivation)};
}

struct ListedOperator {
  const char* name;
  const char* keys;
  void (*make)(ShapeKeys& keys, Graph* graph, Operator* op);
};

constexpr std::array<ListedOperator, 15> kOperators = {
    {ListedOperator{"atomic", "atomic_benchmark: addresses=own|one [, rounds, ctas, threads]",
                    &AtomicBenchmark},
     ListedOperator{"attention",
                    "attention: heads, head_dim, seq_q, seq_kv [, batch, kv_heads, phase, causal]",
                    &Attention},
     ListedOperator{"branch",
                    "branch_benchmark: paths or taken (per cent) [, work, loads, ctas, threads]",
                    &BranchBenchmark},
     ListedOperator{"chase", "pointer_chase: bytes [, loads]", &Chase},
     ListedOperator{"conv2d",
                    "conv: n, c, h, w, out_c, kh, kw [, pad_h, pad_w, stride_h, stride_w, group]",
                    &Conv},
     ListedOperator{"elementwise", "elementwise: rows, cols [, fn, tensors]", &Elementwise},
     ListedOperator{"embedding", "gather: rows, cols, indices", &Embedding},
     ListedOperator{"gemm", "matmul: m, n, k [, batch, ta, tb, sparsity=2:4, accumulate=fp16]",
                    &Gemm},
     ListedOperator{"host_copy", "host_copy: bytes [, to=chip|host]", &HostCopyOperator},
     ListedOperator{
         "layernorm", "layer_norm: rows, cols",
         [](ShapeKeys& keys, Graph* graph, Operator* op) { Rows(keys, graph, op, "layer_norm"); }},
     ListedOperator{"loops",
                    "loop_nest: rows, cols [, body=outer|matrix, tile_rows, tile_cols, "
                    "inner=cols|rows]",
                    &LoopNest},
     ListedOperator{
         "rmsnorm", "rms_norm: rows, cols",
         [](ShapeKeys& keys, Graph* graph, Operator* op) { Rows(keys, graph, op, "rms_norm"); }},
     ListedOperator{
         "softmax", "softmax: rows, cols",
         [](ShapeKeys& keys, Graph* graph, Operator* op) { Rows(keys, graph, op, "softmax"); }},
     ListedOperator{"stream",
                    "stream_benchmark: elements [, fn, threads, unroll, rounds; GPUs: ctas; CPUs: "
                    "stride, access=vector|scalar, stores=allocate|non_temporal]",
                    &Stream},
     ListedOperator{"transpose", "transpose: rows, cols [, batch]", &TransposeOperator}}};

}  // namespace

std::vector<NamedText> ListSingleOperators() {
  std::vector<NamedText> list;
  for (const ListedOperator& o : kOperators) {
    list.push_back({o.name, std::string("in lists and names, as ") + o.keys});
  }
  return list;
}

Graph SingleOperatorGraph(const OperatorRequest& request) {
  Graph graph;
  graph.name = request.op;
  Operator op;
  op.name = request.op;
  ShapeKeys keys(request);
  const auto known = std::find_if(kOperators.begin(), kOperators.end(),
                                  [&](const ListedOperator& o) { return request.op == o.name; });
  if (known == kOperators.end()) {
    std::vector<std::string> names;
    for (const ListedOperator& o : kOperators) names.emplace_back(o.name);
    throw UserError("unknown operator \"" + request.op.substr(0, 60) + "\"" +
                    Suggestion(request.op, names));
  }
  known->make(keys, &graph, &op);
  keys.Finish();
  graph.outputs = {graph.AddOperator(std::move(op), DataType::kFp32)};
  return graph;
}

}  // namespace siliscope
