// SPDX-License-Identifier: Apache-2.0
#include "sim/run/pipeline_schedule.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

enum Stream : std::int32_t { kCompute, kTensor, kExperts, kReceive, kSend };

class Schedule {
 public:
  Schedule(const ParallelPlan& plan, Tick call) : plan_(plan), call_(call) {
    graph_.ranks = static_cast<std::int32_t>(plan.ranks());
    last_.assign(static_cast<std::size_t>(plan.ranks()), kNothing);
  }

  ExecutionGraph Write(const std::vector<StageWork>& stages) {
    for (std::int64_t m = 0; m < plan_.microbatches; ++m) {
      for (std::int64_t s = 0; s < plan_.stages; ++s) {
        for (std::int64_t e = 0; e < plan_.experts; ++e) {
          for (std::int64_t t = 0; t < plan_.tensor; ++t) WriteRank(stages, m, s, e, t);
        }
      }
    }
    return std::move(graph_);
  }

 private:
  static constexpr std::uint32_t kNothing = ~std::uint32_t{0};

  void WriteRank(const std::vector<StageWork>& stages, std::int64_t microbatch, std::int64_t stage,
                 std::int64_t expert, std::int64_t part) {
    const std::int32_t rank = plan_.RankOf(stage, expert, part);
    const StageWork& work = stages[static_cast<std::size_t>(stage)];
    const std::string suffix =
        plan_.microbatches > 1 ? fmt::format(" (micro-batch {})", microbatch) : "";
    last_[static_cast<std::size_t>(rank)] = kNothing;
    if (stage > 0) {
      ExecutionNode receive;
      receive.name = "receive" + suffix;
      receive.kind = ExecutionKind::kReceive;
      receive.stream = kReceive;
      receive.peer = plan_.RankOf(stage - 1, expert, part);
      receive.bytes = stages[static_cast<std::size_t>(stage) - 1].sent_bytes;
      Add(std::move(receive), rank);
    }
    for (const StageStep& step : work.steps) {
      ExecutionNode node;
      node.name = step.name + suffix;
      if (step.exchange.empty()) {
        node.duration = step.duration;
        node.bytes = step.bytes;
        node.operations = step.operations;
      } else {
        node.kind = ExecutionKind::kCollective;
        node.op = step.exchange;
        node.bytes = step.bytes;
        node.delay = call_;
        const bool experts = step.exchange == "all_to_all";
        node.stream = experts ? kExperts : kTensor;
        node.group = experts ? ExpertGroup(stage, part) : TensorGroup(stage, expert);
      }
      Add(std::move(node), rank);
    }
    if (stage + 1 < plan_.stages) {
      ExecutionNode send;
      send.name = "send" + suffix;
      send.kind = ExecutionKind::kSend;
      send.stream = kSend;
      send.peer = plan_.RankOf(stage + 1, expert, part);
      send.bytes = work.sent_bytes;
      send.delay = call_;
      Add(std::move(send), rank);
    }
  }

  void Add(ExecutionNode node, std::int32_t rank) {
    std::uint32_t& last = last_[static_cast<std::size_t>(rank)];
    node.rank = rank;
    if (last != kNothing) node.after = {last};
    last = static_cast<std::uint32_t>(graph_.nodes.size());
    graph_.nodes.push_back(std::move(node));
  }

  std::int32_t Group(std::int64_t kind, std::int64_t stage, std::int64_t which,
                     std::vector<std::int32_t> ranks) {
    const auto [known, added] = groups_.emplace(std::make_tuple(kind, stage, which),
                                                static_cast<std::int32_t>(graph_.groups.size()));
    if (added) graph_.groups.push_back(std::move(ranks));
    return known->second;
  }
  std::int32_t TensorGroup(std::int64_t stage, std::int64_t expert) {
    std::vector<std::int32_t> ranks;
    for (std::int64_t t = 0; t < plan_.tensor; ++t) ranks.push_back(plan_.RankOf(stage, expert, t));
    return Group(0, stage, expert, std::move(ranks));
  }
  std::int32_t ExpertGroup(std::int64_t stage, std::int64_t part) {
    std::vector<std::int32_t> ranks;
    for (std::int64_t e = 0; e < plan_.experts; ++e) ranks.push_back(plan_.RankOf(stage, e, part));
    return Group(1, stage, part, std::move(ranks));
  }

  const ParallelPlan& plan_;
  Tick call_;
  ExecutionGraph graph_;
  std::vector<std::uint32_t> last_;  ///< node of each rank
  std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t>, std::int32_t> groups_;
};

}  // namespace

ParallelPlan ParseParallelPlan(const std::string& text, std::int64_t chips) {
  ParallelPlan plan;
  const std::map<std::string, std::int64_t*> numbers = {{"tp", &plan.tensor},
                                                        {"pp", &plan.stages},
                                                        {"ep", &plan.experts},
                                                        {"microbatches", &plan.microbatches}};
  std::stringstream words(text);
  std::set<std::string> given;
  for (std::string word; std::getline(words, word, ',');) {
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
    if (!given.insert(key).second) {
      throw UserError(fmt::format("--parallel {}: {} twice", text, key));
    }
    if (key == "sp") {
      if (value != "on" && value != "off") {
        throw UserError("--parallel " + word + ": sp=on or sp=off; ranks of tp divide the tokens");
      }
      plan.sequence = value == "on";
      continue;
    }
    const auto number = numbers.find(key);
    if (number == numbers.end()) {
      throw UserError("--parallel " + word + ": not a way to divide a network" +
                      Suggestion(key, {"tp", "pp", "ep", "sp", "microbatches"}));
    }
    constexpr std::int64_t kMost = 65536;
    const auto [end, error] =
        std::from_chars(value.data(), value.data() + value.size(), *number->second);
    if (error != std::errc() || end != value.data() + value.size() || *number->second < 1 ||
        *number->second > kMost) {
      throw UserError("--parallel " + word + ": not a whole number from 1 on, such as tp=8");
    }
  }
  if (plan.sequence && plan.tensor == 1) {
    throw UserError("--parallel " + text + ": sp=on divides tokens among the ranks of tp: tp=2 on");
  }
  if (plan.ranks() > chips) {
    throw UserError(fmt::format("--parallel {}: {} ranks on {} chips", text, plan.ranks(), chips));
  }
  return plan;
}

std::string PlanText(const ParallelPlan& plan) {
  std::string text = fmt::format("tp={}", plan.tensor);
  if (plan.sequence) text += ", sp=on";
  if (plan.experts > 1) text += fmt::format(", ep={}", plan.experts);
  if (plan.stages > 1) text += fmt::format(", pp={}", plan.stages);
  if (plan.microbatches > 1) text += fmt::format(", {} micro-batches", plan.microbatches);
  return text;
}

ExecutionGraph ScheduleStages(const ParallelPlan& plan, const std::vector<StageWork>& stages,
                              Tick call) {
  return Schedule(plan, call).Write(stages);
}

}  // namespace siliscope
