// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/network.h"

#include <fmt/format.h>

#include <set>

namespace siliscope {

Network::Network(const sc_core::sc_module_name& name, const Topology& topology,
                 const LinkProgram& program, bool spans)
    : Domain(name), topology_(topology), program_(program), spans_(spans) {
  std::set<std::size_t> used;
  for (const Route& route : program.routes) {
    for (const std::int32_t link : route) used.insert(static_cast<std::size_t>(link) / 2);
  }
  links_.resize(topology.edges.size() * 2);
  ports_.resize(links_.size());
  for (const std::size_t edge : used) {
    const TopologyEdge& e = topology.edges[edge];
    const LinkSpec& kind = topology.kinds[static_cast<std::size_t>(e.kind)];
    for (std::size_t back = 0; back < 2; ++back) {
      const std::size_t link = 2 * edge + back;
      const auto to = static_cast<std::size_t>(back == 0 ? e.b : e.a);
      links_[link] = std::make_unique<LinkDirection>(fmt::format("link{}", link).c_str(), kind,
                                                     e.links, topology.nodes[to].latency_s);
      ports_[link] =
          std::make_unique<sc_core::sc_port<LinkPort>>(fmt::format("to{}", link).c_str());
      ports_[link]->bind(links_[link]->port);
    }
    links_[2 * edge]->AnswerOn(links_[2 * edge + 1].get());
    links_[2 * edge + 1]->AnswerOn(links_[2 * edge].get());
  }
}

void Network::start_of_simulation() {
  std::vector<LinkPort*> ports(links_.size(), nullptr);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i] != nullptr) ports[i] = ports_[i]->operator->();
  }
  player_ = std::make_unique<LanePlayer>(program_, queue(), std::move(ports), spans_);
  player_->Start();
}

ClusterRecord Network::Finish() {
  ClusterRecord record;
  player_->Finish(&record);
  for (std::size_t i = 0; i < links_.size(); ++i) {
    LinkUse use;
    if (links_[i] != nullptr) use = links_[i]->use();
    const TopologyEdge& e = topology_.edges[i / 2];
    const auto from = static_cast<std::size_t>(i % 2 == 0 ? e.a : e.b);
    const auto to = static_cast<std::size_t>(i % 2 == 0 ? e.b : e.a);
    use.name = topology_.nodes[from].name + " -> " + topology_.nodes[to].name;
    record.links.push_back(std::move(use));
  }
  return record;
}

}  // namespace siliscope
