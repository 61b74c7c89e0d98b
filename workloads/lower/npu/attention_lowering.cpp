// SPDX-License-Identifier: Apache-2.0
// Attention on an NPU: scores = q k^T on the arrays, softmax on the vector unit, scores v on the
// arrays, in portions whose scores stay on chip; the next portion's scores are computed while the
// vector unit works. Query heads that share a key head stream through one stationary operand.
#include <algorithm>

#include "workloads/ir/operator_kind.h"
#include "workloads/lower/npu/gemm_lowering.h"
#include "workloads/lower/npu/vector_lowering.h"

namespace siliscope {
namespace {

/// Independent products whose scores are on chip together.
struct Portion {
  std::int64_t groups, rows;
};

class AttentionLowering {
 public:
  AttentionLowering(NpuLowering& lowering, std::uint32_t index)
      : lowering_(lowering), index_(index), op_(lowering.op(index)) {
    const Graph& graph = lowering.graph();
    const Shape& q = InputShape(graph, op_, 0);
    const Shape& k = InputShape(graph, op_, 1);
    const Shape& v = InputShape(graph, op_, 2);
    const std::size_t r = q.size();
    depth_ = q[r - 1];
    value_depth_ = v[r - 1];
    kv_length_ = v[r - 2];
    groups_ = ElementCount(k) / (kv_length_ * depth_);
    rows_ = ElementCount(q) / depth_ / groups_;
  }

  void Run() {
    TensorHome& result = lowering_.PlaceResult(op_.outputs[0], index_);
    const std::vector<Portion> portions = Portions();
    CommandIds finals;
    std::vector<CommandIds> scored(portions.size());
    if (!portions.empty()) scored[0] = Scores(portions[0]);
    for (std::size_t p = 0; p < portions.size(); ++p) {
      const CommandIds weighed = Softmax(portions[p], scored[p]);
      if (p + 1 < portions.size()) scored[p + 1] = Scores(portions[p + 1]);
      const CommandIds done = Values(portions[p], weighed, &result);
      finals.insert(finals.end(), done.begin(), done.end());
    }
    lowering_.FinishResult(op_.outputs[0], index_, finals);
    lowering_.info(index_).mapping = std::to_string(portions.size()) +
                                     " portions; scores on chip; " + lowering_.info(index_).mapping;
  }

 private:
  std::vector<Portion> Portions() const {
    const ScratchpadSpec& pad =
        lowering_.npu().unified.size_bytes > 0 ? lowering_.npu().unified : lowering_.npu().output;
    const std::int64_t most_elements = std::max<std::int64_t>(
        1, pad.size_bytes / 8 / std::max<std::int64_t>(1, lowering_.ActivationBytes(8) / 8) *
               lowering_.cores());
    std::vector<Portion> portions;
    const std::int64_t one = rows_ * kv_length_;
    if (one <= most_elements) {
      const std::int64_t together =
          std::clamp<std::int64_t>(std::min(most_elements / one, (groups_ + 3) / 4),
                                   std::min(groups_, lowering_.cores()), groups_);
      for (std::int64_t g = 0; g < groups_; g += together) {
        portions.push_back({std::min(together, groups_ - g), rows_});
      }
      return portions;
    }
    const std::int64_t rows = std::max<std::int64_t>(1, most_elements / kv_length_);
    for (std::int64_t g = 0; g < groups_; ++g) {
      for (std::int64_t at = 0; at < rows_; at += rows) {
        portions.push_back({1, std::min(rows, rows_ - at)});
      }
    }
    return portions;
  }

  std::int64_t Part(TensorId id, const Portion& p, bool by_rows) const {
    const double whole = static_cast<double>(lowering_.TensorBytes(id));
    double share = static_cast<double>(p.groups) / static_cast<double>(groups_);
    if (by_rows) share *= static_cast<double>(p.rows) / static_cast<double>(rows_);
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(whole * share + 0.5));
  }

  CommandIds Scores(const Portion& p) {
    GemmTask task;
    task.op = index_;
    task.groups = p.groups;
    task.m = p.rows;
    task.k = depth_;
    task.n = kv_length_;
    task.streamed = op_.inputs[0];
    task.stationary = op_.inputs[1];
    task.streamed_bytes = Part(task.streamed, p, true);
    task.stationary_bytes = Part(task.stationary, p, false);
    task.epilogue.label = "scale scores";
    task.epilogue.functions = {{"mul", 1}, {"add", op_.inputs.size() > 3 ? 1 : 0}, {"convert", 1}};
    task.epilogue.store_bytes_per_element = static_cast<double>(lowering_.ActivationBytes(8)) / 8;
    task.result_bytes = lowering_.ActivationBytes(p.groups * p.rows * kv_length_);
    return EmitGemm(lowering_, task);
  }

  CommandIds Softmax(const Portion& p, const CommandIds& scored) {
    VectorWork work;
    work.label = "softmax";
    work.functions = {{"max", 1}, {"sub", 1}, {"exp", 1}, {"add", 1}, {"mul", 1}};
    work.reductions = 2;
    const double bytes = static_cast<double>(lowering_.ActivationBytes(8)) / 8;
    work.load_bytes_per_element = bytes;
    work.store_bytes_per_element = bytes;
    return EmitVectorCommands(lowering_, index_, work, p.groups * p.rows, kv_length_, scored);
  }

  CommandIds Values(const Portion& p, const CommandIds& weighed, TensorHome* result) {
    GemmTask task;
    task.op = index_;
    task.groups = p.groups;
    task.m = p.rows;
    task.k = kv_length_;
    task.n = value_depth_;
    task.stationary = op_.inputs[2];
    task.streamed_bytes = lowering_.ActivationBytes(p.groups * p.rows * kv_length_);
    task.stationary_bytes = Part(task.stationary, p, false);
    task.result = result;
    task.result_bytes = Part(op_.outputs[0], p, true);
    task.epilogue = EpilogueWork(lowering_, op_, false);
    task.wait_for = weighed;
    return EmitGemm(lowering_, task);
  }

  NpuLowering& lowering_;
  std::uint32_t index_;
  const Operator& op_;
  std::int64_t depth_, value_depth_, kv_length_, groups_, rows_;
};

void LowerAttention(NpuLowering& lowering, std::uint32_t index) {
  AttentionLowering(lowering, index).Run();
}

const bool kRegistered = NpuLowerRegistry::Instance().Add("attention", &LowerAttention);

}  // namespace
}  // namespace siliscope
