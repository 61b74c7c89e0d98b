// SPDX-License-Identifier: Apache-2.0
// What happens to a result tile on its way out of the arrays: conversion of the sums, bias,
// activation, residual.
#include "workloads/ir/elementwise_function.h"
#include "workloads/lower/npu/gemm_lowering.h"

namespace siliscope {

VectorWork EpilogueWork(NpuLowering& lowering, const Operator& op, bool bias) {
  VectorWork work;
  work.label = "convert";
  work.functions = {{"convert", 1}};
  const double bytes = static_cast<double>(lowering.ActivationBytes(8)) / 8;
  work.store_bytes_per_element = bytes;
  if (lowering.npu().accumulators.rows == 0) {
    work.load_bytes_per_element = static_cast<double>(lowering.npu().accumulators.width_bits) / 8;
  }
  if (bias) {
    work.functions.emplace_back("add", 1);
    work.label = "bias+" + work.label;
  }
  for (const EpilogueStep& step : op.epilogue) {
    work.label = step.function + "+" + work.label;
    if (step.operand != kNoTensor) work.load_bytes_per_element += bytes;
    const ElementwiseFunction* function = FindFunction(step.function);
    if (function == nullptr) continue;
    for (const auto& [name, times] : function->machine_functions) {
      work.functions.emplace_back(name, times);
    }
  }
  return work;
}

std::vector<TensorId> EpilogueOperands(const Operator& op) {
  std::vector<TensorId> operands;
  for (const EpilogueStep& step : op.epilogue) {
    if (step.operand != kNoTensor) operands.push_back(step.operand);
  }
  return operands;
}

}  // namespace siliscope
