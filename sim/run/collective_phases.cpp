// SPDX-License-Identifier: Apache-2.0
#include "sim/run/collective_phases.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "sim/core/ceil_divide.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

struct Phase {
  std::string op;
  std::size_t dimension = 0;
  std::int64_t bytes = 0;
};

class Divider {
 public:
  Divider(const CollectivePhases& phases, const std::string& place, ExecutionGraph* graph)
      : phases_(phases), place_(place), graph_(*graph) {}

  void Run() {
    std::int64_t product = 1;
    for (const std::int64_t d : phases_.dimensions) product *= d;
    if (product != graph_.ranks) {
      throw UserError(
          fmt::format("{}: {} ranks on dimensions of {}", place_, graph_.ranks, product));
    }
    for (const ExecutionNode& node : graph_.nodes) streams_ = std::max(streams_, node.stream + 1);
    std::vector<ExecutionNode> nodes = std::move(graph_.nodes);
    graph_.nodes.clear();
    last_of_.resize(nodes.size());
    for (std::size_t n = 0; n < nodes.size(); ++n) Add(std::move(nodes[n]), n);
  }

 private:
  std::vector<Phase> PhasesOf(const std::string& op, std::int64_t bytes) const {
    std::vector<Phase> down;
    std::vector<std::size_t> along;
    for (std::size_t d = 0; d < phases_.dimensions.size(); ++d) {
      if (phases_.dimensions[d] > 1) along.push_back(d);
    }
    std::int64_t left = bytes;
    for (const std::size_t d : along) {
      down.push_back({"reduce_scatter", d, left});
      left = std::max<std::int64_t>(1, CeilDivide(left, phases_.dimensions[d]));
    }
    std::vector<Phase> up(down.rbegin(), down.rend());
    for (Phase& phase : up) phase.op = "all_gather";
    if (op == "reduce_scatter") return down;
    if (op == "all_gather") return up;
    if (op == "all_to_all") {
      for (Phase& phase : down) phase = {"all_to_all", phase.dimension, bytes};
      return down;
    }
    if (op == "all_reduce") {
      const std::size_t last = along.empty() ? 0 : along.back();
      if (!down.empty() &&
          AlgorithmOf(op, last) != "direct") {  // of which only the halves are known
        down.back().op = "all_reduce";
        up.erase(up.begin());
      }
      down.insert(down.end(), up.begin(), up.end());
      return down;
    }
    if (op == "barrier") {
      constexpr std::int64_t kElement = 4;
      return PhasesOf("all_reduce", kElement);
    }
    throw UserError(place_ + ": " + op +
                    " has no phases; all_reduce, all_gather, reduce_scatter, "
                    "all_to_all and barrier have");
  }

  std::string AlgorithmOf(const std::string& op, std::size_t dimension) const {
    const auto known = phases_.algorithms.find(op);
    if (known == phases_.algorithms.end() || dimension >= known->second.size()) return "";
    return known->second[dimension];
  }

  /// Ranks that differ from this one along a dimension only.
  std::int32_t GroupOf(std::int32_t rank, std::size_t dimension) {
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < dimension; ++d) stride *= phases_.dimensions[d];
    const std::int64_t length = phases_.dimensions[dimension];
    const std::int64_t first = rank - rank / stride % length * stride;
    const auto [known, added] = groups_.emplace(std::make_pair(dimension, first),
                                                static_cast<std::int32_t>(graph_.groups.size()));
    if (added) {
      std::vector<std::int32_t> ranks;
      for (std::int64_t i = 0; i < length; ++i) {
        ranks.push_back(static_cast<std::int32_t>(first + i * stride));
      }
      graph_.groups.push_back(std::move(ranks));
    }
    return known->second;
  }

  void Add(ExecutionNode node, std::size_t old) {
    std::vector<std::uint32_t> after;
    for (const std::uint32_t before : node.after) {
      after.insert(after.end(), last_of_[before].begin(), last_of_[before].end());
    }
    node.after = std::move(after);
    const bool all = node.kind == ExecutionKind::kCollective &&
                     graph_.groups[static_cast<std::size_t>(node.group)].size() ==
                         static_cast<std::size_t>(graph_.ranks) &&
                     graph_.ranks > 1;
    if (!all) {
      last_of_[old] = {static_cast<std::uint32_t>(graph_.nodes.size())};
      graph_.nodes.push_back(std::move(node));
      return;
    }
    const std::int64_t most = std::max<std::int64_t>(1, node.bytes / phases_.least_part_bytes);
    const std::int64_t parts = std::min(phases_.parts, most);
    const std::vector<Phase> phases = PhasesOf(node.op, CeilDivide(node.bytes, parts));
    for (std::int64_t part = 0; part < parts; ++part) {
      for (std::size_t p = 0; p < phases.size(); ++p) {
        ExecutionNode step = node;
        step.name = fmt::format("{} ({} along dimension {}, part {})", node.name, phases[p].op,
                                phases[p].dimension, part);
        step.op = phases[p].op;
        step.bytes = phases[p].bytes;
        step.group = GroupOf(node.rank, phases[p].dimension);
        step.algorithm = AlgorithmOf(node.op, phases[p].dimension);
        step.stream = streams_ + static_cast<std::int32_t>(p);
        if (p > 0) {
          step.after = {static_cast<std::uint32_t>(graph_.nodes.size()) - 1};
          step.delay = 0;
        }
        graph_.nodes.push_back(std::move(step));
      }
      last_of_[old].push_back(static_cast<std::uint32_t>(graph_.nodes.size()) - 1);
    }
  }

  const CollectivePhases& phases_;
  const std::string& place_;
  ExecutionGraph& graph_;
  std::int32_t streams_ = 0;
  std::vector<std::vector<std::uint32_t>> last_of_;  ///< new nodes in the place of an old one
  std::map<std::pair<std::size_t, std::int64_t>, std::int32_t> groups_;
};

}  // namespace

void DivideIntoPhases(const CollectivePhases& phases, const std::string& place,
                      ExecutionGraph* graph) {
  Divider(phases, place, graph).Run();
}

}  // namespace siliscope
