// SPDX-License-Identifier: Apache-2.0
#include "workloads/parallel/pipeline_stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/core/error.h"

namespace siliscope {
namespace {

/// A cut before operator i is crossed by what is made before it and used from it on.
class Cuts {
 public:
  explicit Cuts(const Graph& graph) : graph_(graph), last_use_(graph.tensors.size(), -1) {
    const auto operators = static_cast<std::int64_t>(graph.operators.size());
    for (std::int64_t i = 0; i < operators; ++i) {
      const Operator& op = graph.operators[static_cast<std::size_t>(i)];
      for (const TensorId t : op.inputs) Use(t, i);
      for (const EpilogueStep& step : op.epilogue) Use(step.operand, i);
    }
    for (const TensorId t : graph.outputs) Use(t, operators);
  }

  std::vector<TensorId> Crossing(std::int64_t cut) const {
    std::vector<TensorId> tensors;
    for (std::int64_t i = 0; i < cut; ++i) {
      for (const TensorId t : graph_.operators[static_cast<std::size_t>(i)].outputs) {
        if (last_use_[static_cast<std::size_t>(t)] >= cut) tensors.push_back(t);
      }
    }
    return tensors;
  }

  /// Tensors that cross each cut.
  std::vector<std::int64_t> Counts() const {
    const std::size_t operators = graph_.operators.size();
    std::vector<std::int64_t> change(operators + 2, 0);
    for (std::size_t i = 0; i < operators; ++i) {
      for (const TensorId t : graph_.operators[i].outputs) {
        const std::int64_t last = last_use_[static_cast<std::size_t>(t)];
        if (last <= static_cast<std::int64_t>(i)) continue;
        ++change[i + 1];
        --change[static_cast<std::size_t>(last) + 1];
      }
    }
    for (std::size_t i = 1; i < change.size(); ++i) change[i] += change[i - 1];
    return change;
  }

 private:
  void Use(TensorId t, std::int64_t at) {
    if (t != kNoTensor) last_use_[static_cast<std::size_t>(t)] = at;
  }

  const Graph& graph_;
  std::vector<std::int64_t> last_use_;
};

/// Operators in stretches: the first of each, and the floating-point operations of the longest.
struct Stretches {
  std::vector<std::size_t> first;
  double longest = 0;
};

/// At some places, so that the longest stretch is as short as it can be (by bisection).
class Divider {
 public:
  /// `before`: operations before each operator. `places`: where stretches may begin.
  Divider(const std::vector<double>& before, std::vector<std::size_t> places, std::size_t stages)
      : before_(before), places_(std::move(places)), stages_(stages) {}

  Stretches Divide() const {
    double low = 0, high = before_.back();
    Stretches best = Fill(high);
    constexpr int kSteps = 60;
    for (int step = 0; step < kSteps; ++step) {
      const double middle = (low + high) / 2;
      Stretches tried = Fill(middle);
      if (tried.longest <= middle * (1 + 1e-9)) {
        high = middle;
        best = std::move(tried);
      } else {
        low = middle;
      }
    }
    return best;
  }

 private:
  /// Each stretch as long as it may be, as long as there are places for those that are left.
  Stretches Fill(double most) const {
    Stretches s{{0}, 0};
    for (std::size_t p = 0; p < places_.size() && s.first.size() < stages_; ++p) {
      const std::size_t next = p + 1 < places_.size() ? places_[p + 1] : before_.size() - 1;
      const bool full = before_[next] - before_[s.first.back()] > most * (1 + 1e-9);
      if (full || places_.size() - p <= stages_ - s.first.size()) s.first.push_back(places_[p]);
    }
    for (std::size_t i = 0; i < s.first.size(); ++i) {
      const std::size_t end = i + 1 < s.first.size() ? s.first[i + 1] : before_.size() - 1;
      s.longest = std::max(s.longest, before_[end] - before_[s.first[i]]);
    }
    return s;
  }

  const std::vector<double>& before_;
  std::vector<std::size_t> places_;
  std::size_t stages_;
};

/// First operators of the stages: where the fewest tensors cross that leave the longest stage about
/// as short as cuts anywhere would.
std::vector<std::size_t> FindStages(const Graph& graph, std::int64_t stages) {
  const std::vector<std::int64_t> crossing = Cuts(graph).Counts();
  const std::size_t operators = graph.operators.size();
  std::vector<double> before(operators + 1, 0);
  for (std::size_t i = 0; i < operators; ++i) {
    before[i + 1] = before[i] + OperatorFlops(graph, graph.operators[i]);
  }
  const auto places_of = [&](std::int64_t most) {
    std::vector<std::size_t> places;
    for (std::size_t i = 1; i < operators; ++i) {
      const double last = before[places.empty() ? 0 : places.back()];
      if (crossing[i] <= most && before[i] > last) places.push_back(i);
    }
    return places;
  };
  const auto wanted = static_cast<std::size_t>(stages);
  const std::vector<std::size_t> anywhere = places_of(static_cast<std::int64_t>(operators));
  if (anywhere.size() + 1 < wanted) {
    throw UserError(fmt::format("--parallel pp={}: {} can be cut into {} stages at most", stages,
                                graph.name, anywhere.size() + 1));
  }
  const Stretches shortest = Divider(before, anywhere, wanted).Divide();
  constexpr double kAsShort = 1.1;
  for (std::int64_t most = 1; most < static_cast<std::int64_t>(operators); ++most) {
    std::vector<std::size_t> places = places_of(most);
    if (places.size() + 1 < wanted) continue;
    const Stretches found = Divider(before, std::move(places), wanted).Divide();
    if (found.longest <= kAsShort * shortest.longest) return found.first;
  }
  return shortest.first;
}

class StageWriter {
 public:
  explicit StageWriter(const Graph& graph) : from_(graph), id_(graph.tensors.size(), kNoTensor) {
    to_.name = graph.name;
  }

  Graph Write(std::size_t first, std::size_t end, const std::vector<TensorId>& received,
              const std::vector<TensorId>& sent) {
    for (const TensorId t : received) to_.inputs.push_back(Place(t));
    std::vector<char> used(from_.tensors.size(), 0);
    for (std::size_t i = first; i < end; ++i) {
      const Operator& op = from_.operators[i];
      for (const TensorId t : op.inputs) {
        if (t != kNoTensor) used[static_cast<std::size_t>(t)] = 1;
      }
      for (const EpilogueStep& s : op.epilogue) {
        if (s.operand != kNoTensor) used[static_cast<std::size_t>(s.operand)] = 1;
      }
    }
    for (const TensorId t : from_.inputs) {
      if (used[static_cast<std::size_t>(t)] != 0) to_.inputs.push_back(Place(t));
    }
    for (std::size_t i = first; i < end; ++i) {
      Operator op = from_.operators[i];
      for (TensorId& t : op.inputs) t = Place(t);
      for (EpilogueStep& s : op.epilogue) s.operand = Place(s.operand);
      for (TensorId& t : op.outputs) t = Place(t);
      to_.operators.push_back(std::move(op));
    }
    for (const TensorId t : sent) to_.outputs.push_back(Place(t));
    return std::move(to_);
  }

 private:
  TensorId Place(TensorId id) {
    if (id == kNoTensor) return kNoTensor;
    TensorId& placed = id_[static_cast<std::size_t>(id)];
    if (placed == kNoTensor) placed = to_.AddTensor(from_.tensor(id));
    return placed;
  }

  const Graph& from_;
  std::vector<TensorId> id_;
  Graph to_;
};

}  // namespace

Graph PipelineStage(const Graph& graph, std::int64_t stage, std::int64_t stages) {
  if (stages <= 1) return graph;
  const std::vector<std::size_t> first = FindStages(graph, stages);
  const auto s = static_cast<std::size_t>(stage);
  const bool last = stage + 1 == stages;
  const std::size_t end = last ? graph.operators.size() : first[s + 1];
  const Cuts cuts(graph);
  const auto received = cuts.Crossing(static_cast<std::int64_t>(first[s]));
  const auto sent = last ? graph.outputs : cuts.Crossing(static_cast<std::int64_t>(end));
  return StageWriter(graph).Write(first[s], end, received, sent);
}

}  // namespace siliscope
