// SPDX-License-Identifier: Apache-2.0
// Registers the network between chips: one collective, or all that the ranks of a graph do.
#include "models/interconnect/lane_player.h"
#include "models/interconnect/network.h"
#include "models/system/execution_player.h"
#include "sim/contract/cluster_model.h"

namespace siliscope {
namespace {

class LaneNetwork : public Network {
 public:
  LaneNetwork(const sc_core::sc_module_name& name, const Topology& topology,
              const LinkProgram& program, const ClusterOptions& options)
      : Network(name, topology, {&program}, options), program_(program), spans_(options.spans) {}

  void start_of_simulation() override {
    player_ = std::make_unique<LanePlayer>(program_, queue(), ports(), spans_);
    player_->Start();
  }
  ClusterRecord Finish() {
    ClusterRecord record;
    player_->Finish(&record);
    record.links = LinkUses();
    for (const auto& [link, alike] : program_.links_alike) {
      record.links[static_cast<std::size_t>(link)].alike = alike;
    }
    return record;
  }

 private:
  const LinkProgram& program_;
  bool spans_;
  std::unique_ptr<LanePlayer> player_;
};

std::vector<const LinkProgram*> ProgramsOf(const ExecutionGraph& graph) {
  std::vector<const LinkProgram*> programs;
  for (const LinkProgram& program : graph.programs) programs.push_back(&program);
  return programs;
}

class ExecutionNetwork : public Network {
 public:
  ExecutionNetwork(const sc_core::sc_module_name& name, const Topology& topology,
                   const ExecutionGraph& graph, const ClusterOptions& options)
      : Network(name, topology, ProgramsOf(graph), options), graph_(graph) {}

  void start_of_simulation() override {
    player_ = std::make_unique<ExecutionPlayer>(graph_, queue(), ports());
    player_->Start();
  }
  ExecutionRecord Finish() {
    ExecutionRecord record;
    player_->Finish(&record);
    record.links = LinkUses();
    return record;
  }

 private:
  const ExecutionGraph& graph_;
  std::unique_ptr<ExecutionPlayer> player_;
};

class NetworkModel : public ClusterModel {
 public:
  explicit NetworkModel(const ClusterSpec& spec) : spec_(spec) {}

  ClusterRecord Run(const LinkProgram& program, const ClusterOptions& options) override {
    LaneNetwork network("network", spec_.topology, program, options);
    sc_core::sc_start();
    return network.Finish();
  }
  ExecutionRecord Run(const ExecutionGraph& graph, const ClusterOptions& options) override {
    ExecutionNetwork network("network", spec_.topology, graph, options);
    sc_core::sc_start();
    return network.Finish();
  }

 private:
  ClusterSpec spec_;
};

const bool kRegistered = ClusterModelRegistry::Instance().Add(
    "network", [](const ClusterSpec& spec) -> std::unique_ptr<ClusterModel> {
      return std::make_unique<NetworkModel>(spec);
    });

}  // namespace
}  // namespace siliscope
