// SPDX-License-Identifier: Apache-2.0
// Microbenchmarks of a memory system, as operators: what they compute is of no interest.
// stream_benchmark: a loop over vectors; attributes: function, ctas, threads, unroll (independent
// elements of a thread in a step), rounds (0: each element once; n: every CTA walks all of them n
// times, which measures caches).
// atomic_benchmark: each thread adds; attributes: addresses (1 = all on one, else a thread its
// own), rounds, ctas, threads.
// branch_benchmark: lanes part and do so much work each way; attributes: paths (equal shares of a
// warp) or taken (per cent of lanes, by chance), work (instructions a path), loads, ctas, threads.
// host_copy: over the host link; attribute: to (chip or host).
// Of CPUs: stride (elements from one to the next), access (scalar or vector), stores (allocate, or
// non_temporal past the caches).
// loop_nest: A[i] += B[j] over vectors (one input, b) or the sum of a matrix (one input);
// attributes: rows, columns, tile_rows, tile_columns, inner (the loop that is innermost: cols or
// rows). pointer_chase: loads that each wait for the one before; attributes: bytes (walked), loads.
#include "workloads/ir/operator_kind.h"

namespace siliscope {
namespace {

std::vector<Shape> InferStream(const Graph& graph, const Operator& op) {
  return {op.Text("function", "scale") == "read" ? Shape{1} : InputShape(graph, op, 0)};
}

std::vector<Shape> InferChase(const Graph&, const Operator&) { return {Shape{1}}; }

std::vector<Shape> InferLoops(const Graph& graph, const Operator& op) {
  return {InputShape(graph, op, 0).size() > 1 ? Shape{1} : Shape{op.Int("rows", 1)}};
}

bool RegisterAll() {
  OperatorRegistry& registry = OperatorRegistry::Instance();
  registry.Add("stream_benchmark", {"a loop over vectors (b, c), microbenchmark of bandwidth",
                                    &InferStream, nullptr, nullptr, nullptr});
  registry.Add("atomic_benchmark", {"atomic additions, microbenchmark of contention", &InferChase,
                                    nullptr, nullptr, nullptr});
  registry.Add("branch_benchmark", {"a branch at which lanes part, microbenchmark of divergence",
                                    &InferStream, nullptr, nullptr, nullptr});
  registry.Add("host_copy", {"a copy between the host's memory and the chip's (x)", &InferStream,
                             nullptr, nullptr, nullptr});
  registry.Add("loop_nest", {"A[i] += B[j] or the sum of a matrix, loops in tiles (b)", &InferLoops,
                             nullptr, nullptr, nullptr});
  registry.Add("pointer_chase", {"dependent loads from a buffer, microbenchmark of latency",
                                 &InferChase, nullptr, nullptr, nullptr});
  return true;
}

const bool kRegistered = RegisterAll();

}  // namespace
}  // namespace siliscope
