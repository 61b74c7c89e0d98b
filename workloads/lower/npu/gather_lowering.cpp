// SPDX-License-Identifier: Apache-2.0
// Gather and embedding on an NPU: a copy for each row, from wherever in the table it lies. Which
// rows is not known before run time, so they are spread evenly by a fixed stride that is coprime to
// most table sizes; above some thousands of rows, one copy stands for several.
#include <algorithm>

#include "workloads/ir/operator_kind.h"
#include "workloads/lower/npu/vector_lowering.h"

namespace siliscope {
namespace {

constexpr std::int64_t kMostCopies = 8192;
constexpr std::int64_t kStride = 7919;

void LowerGather(NpuLowering& lowering, std::uint32_t index) {
  const Graph& graph = lowering.graph();
  const Operator& op = lowering.op(index);
  const Shape& x = InputShape(graph, op, 0);
  const auto axis = static_cast<std::size_t>(Axis(op.Int("axis", 0), x.size()));
  const std::int64_t inner = Strides(x)[axis];
  TensorHome& result = lowering.PlaceResult(op.outputs[0], index);
  const TensorHome& table = lowering.home(op.inputs[0]);
  const std::int64_t row_bytes = std::max<std::int64_t>(1, lowering.ActivationBytes(inner));
  const std::int64_t rows = std::max<std::int64_t>(1, result.bytes / row_bytes);
  const std::int64_t table_rows = std::max<std::int64_t>(1, table.bytes / row_bytes);
  const std::int64_t together = (rows + kMostCopies - 1) / kMostCopies;
  CommandIds finals;
  CommandIds copies;
  for (std::int64_t r = 0; r < rows && !table.on_chip; r += together) {
    const std::int64_t core = r * lowering.cores() / rows;
    const std::int64_t bytes = std::min(together, rows - r) * row_bytes;
    const std::int64_t at = std::min(r * kStride % table_rows * row_bytes,
                                     std::max<std::int64_t>(0, table.bytes - bytes));
    CommandIds ready = table.ready;
    if (result.on_chip) {
      AddDependencies(&ready, result.regions[static_cast<std::size_t>(core)].wait_for);
    }
    copies.push_back(lowering.Copy(NpuOpcode::kLoad, index, core, table, at, bytes, false, ready));
  }
  if (table.on_chip || !result.on_chip) {
    // Rows that are on chip are picked by the vector unit; results that leave pass through it.
    VectorWork work;
    work.label = "gather";
    work.functions = {{"copy", 1}};
    const double bytes = static_cast<double>(lowering.ActivationBytes(8)) / 8;
    work.load_bytes_per_element = bytes;
    work.store_bytes_per_element = bytes;
    const CommandIds ready = copies.empty() ? table.ready : copies;
    copies = EmitVectorCommands(lowering, index, work, rows, inner, ready);
    if (!result.on_chip) {
      copies = {lowering.Copy(NpuOpcode::kStore, index, 0, result, 0, result.bytes, false, copies)};
    }
  }
  lowering.AddReaders(op.inputs[0], copies.size() > 64 ? CommandIds{copies.back()} : copies);
  lowering.info(index).mapping = std::to_string(rows) + " rows by DMA";
  lowering.FinishResult(op.outputs[0], index, copies);
}

const bool kRegistered = NpuLowerRegistry::Instance().Add("gather", &LowerGather);

}  // namespace
}  // namespace siliscope
