// SPDX-License-Identifier: Apache-2.0
#include "workloads/lower/memory_use.h"

#include <algorithm>

namespace siliscope {
namespace {

/// Another shape of the same bytes, or what other ranks' exchanges leave in place.
bool IsView(const Operator& op) { return op.kind == "reshape" || op.kind == "all_reduce"; }

}  // namespace

MemoryUse MemoryUseOf(const Graph& graph, const TensorBytesFunction& bytes) {
  MemoryUse use;
  const std::size_t operators = graph.operators.size();
  std::vector<TensorId> root(graph.tensors.size());
  for (std::size_t t = 0; t < root.size(); ++t) root[t] = static_cast<TensorId>(t);
  constexpr std::size_t kNever = ~std::size_t{0};
  std::vector<std::size_t> first(graph.tensors.size(), kNever), last(graph.tensors.size(), 0);
  const auto touch = [&](TensorId id, std::size_t when) {
    if (id == kNoTensor) return;
    const auto t = static_cast<std::size_t>(root[static_cast<std::size_t>(id)]);
    first[t] = std::min(first[t], when);
    last[t] = std::max(last[t], when);
  };
  for (const TensorId t : graph.inputs) touch(t, 0);
  for (std::size_t i = 0; i < operators; ++i) {
    const Operator& op = graph.operators[i];
    if (IsView(op)) {
      root[static_cast<std::size_t>(op.outputs.front())] =
          root[static_cast<std::size_t>(op.inputs.front())];
    }
    for (const TensorId t : op.inputs) touch(t, i);
    for (const EpilogueStep& step : op.epilogue) touch(step.operand, i);
    for (const TensorId t : op.outputs) touch(t, i);
  }
  for (const TensorId t : graph.outputs) touch(t, operators);
  std::vector<std::int64_t> change(operators + 2, 0);
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) {
    if (first[t] == kNever) continue;
    const std::int64_t size = bytes(static_cast<TensorId>(t));
    switch (graph.tensors[t].role) {
      case Role::kWeight:
        use.weight_bytes += size;
        break;
      case Role::kState:
        use.cache_bytes += size;
        break;
      case Role::kActivation:
        change[first[t]] += size;
        change[last[t] + 1] -= size;
    }
  }
  std::int64_t live = 0;
  for (const std::int64_t c : change) {
    live += c;
    use.activation_bytes = std::max(use.activation_bytes, live);
  }
  for (const TensorId t : graph.outputs) use.output_bytes += bytes(t);
  return use;
}

}  // namespace siliscope
