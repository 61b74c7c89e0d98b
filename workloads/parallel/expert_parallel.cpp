// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/expert_parallel.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/core/error.h"

namespace siliscope {
namespace {

class ExpertPartition {
 public:
  ExpertPartition(const Graph& graph, std::int64_t ranks)
      : from_(graph), ranks_(ranks), id_(graph.tensors.size(), kNoTensor) {
    to_.name = graph.name;
  }

  Graph Run() {
    for (const TensorId input : from_.inputs) to_.inputs.push_back(Place(input));
    for (const Operator& op : from_.operators) Add(op);
    if (experts_ == 0) {
      throw UserError(
          fmt::format("--parallel ep={}: {} has no experts to divide", ranks_, from_.name));
    }
    for (const TensorId output : from_.outputs) to_.outputs.push_back(Home(output));
    return std::move(to_);
  }

 private:
  TensorId Place(TensorId id) {
    if (id == kNoTensor) return kNoTensor;
    TensorId& placed = id_[static_cast<std::size_t>(id)];
    if (placed == kNoTensor) placed = to_.AddTensor(from_.tensor(id));
    return placed;
  }

  bool OfExperts(const Operator& op) const {
    return op.kind == "matmul" && from_.tensor(op.inputs[1]).role == Role::kWeight &&
           from_.tensor(op.inputs[1]).shape.size() == 3;
  }

  /// Rows of all experts, a rank's own: to the experts' ranks or back.
  TensorId Exchange(TensorId x, const char* suffix, std::int64_t split, std::int64_t join) {
    Operator op;
    op.name = to_.tensor(x).name + suffix;
    op.kind = "all_to_all";
    op.inputs = {x};
    op.attributes["split_axis"] = split;
    op.attributes["join_axis"] = join;
    op.attributes["ranks"] = ranks_;
    const DataType dtype = to_.tensor(x).dtype;
    return to_.AddOperator(std::move(op), dtype);
  }

  /// Where the tensor's tokens belong.
  TensorId Home(TensorId id) {
    if (away_.count(id) == 0) return Place(id);
    away_.erase(id);
    return id_[static_cast<std::size_t>(id)] =
               Exchange(id_[static_cast<std::size_t>(id)], ".combine", 1, 0);
  }
  /// Where the experts are.
  TensorId Away(TensorId id) {
    if (away_.count(id) > 0) return Place(id);
    const auto known = sent_.find(id);
    if (known != sent_.end()) return known->second;
    CheckRows(id);
    return sent_[id] = Exchange(Place(id), ".dispatch", 0, 1);
  }
  void CheckRows(TensorId id) const {
    const std::int64_t experts = from_.tensor(id).shape.front();
    if (experts % ranks_ == 0) return;
    throw UserError(fmt::format("--parallel ep={}: rows of {} go to {} experts, no multiple of it",
                                ranks_, from_.name, experts));
  }
  TensorId OwnExperts(TensorId weight) {
    TensorId& placed = id_[static_cast<std::size_t>(weight)];
    if (placed != kNoTensor) return placed;
    Tensor t = from_.tensor(weight);
    experts_ = t.shape[0];
    if (experts_ % ranks_ != 0) {
      throw UserError(fmt::format("--parallel ep={}: {} of {} are {} experts, no multiple of it",
                                  ranks_, t.name, from_.name, experts_));
    }
    t.shape[0] /= ranks_;
    return placed = to_.AddTensor(std::move(t));
  }

  void Add(const Operator& op) {
    const bool experts = OfExperts(op);
    bool away = experts;
    if (op.kind == "elementwise") {
      away = true;
      for (const TensorId t : op.inputs) away = away && away_.count(t) > 0;
    }
    Operator copy = op;
    copy.outputs.clear();
    for (std::size_t i = 0; i < copy.inputs.size(); ++i) {
      TensorId& t = copy.inputs[i];
      if (t == kNoTensor) continue;
      t = experts && i == 1 ? OwnExperts(t) : (away ? Away(t) : Home(t));
    }
    if (!away) {
      for (const TensorId t : op.outputs) copy.outputs.push_back(Place(t));
      to_.operators.push_back(std::move(copy));
      return;
    }
    const TensorId y = op.outputs.front();
    const TensorId placed = to_.AddOperator(std::move(copy), from_.tensor(y).dtype);
    to_.tensor(placed).name = from_.tensor(y).name;
    id_[static_cast<std::size_t>(y)] = placed;
    away_.insert(y);
  }

  const Graph& from_;
  std::int64_t ranks_, experts_ = 0;
  std::vector<TensorId> id_;  ///< in the new graph
  std::set<TensorId> away_;   ///< rows of this rank's experts, of all ranks
  std::map<TensorId, TensorId> sent_;
  Graph to_;
};

}  // namespace

Graph ExpertParallel(const Graph& graph, std::int64_t ranks) {
  return ranks <= 1 ? graph : ExpertPartition(graph, ranks).Run();
}

}  // namespace siliscope
