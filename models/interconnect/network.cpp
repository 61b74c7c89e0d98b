// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/network.h"

#include <fmt/format.h>

#include <set>

namespace siliscope {
namespace {

constexpr Tick kAlone = 10'000'000;  ///< 10 us; it is the only process

}  // namespace

Network::Network(const sc_core::sc_module_name& name, const Topology& topology,
                 const std::vector<const LinkProgram*>& programs)
    : Domain(name, kAlone),
      topology_(topology),
      links_(2 * topology.edges.size() + topology.nodes.size()),
      ports_(links_.size()) {
  std::set<std::size_t> used;
  for (const LinkProgram* program : programs) {
    for (const Route& route : program->routes) {
      for (const std::int32_t link : route) {
        const auto at = static_cast<std::size_t>(link);
        used.insert(at);
        if (at < 2 * topology.edges.size()) used.insert(at ^ 1);
      }
    }
  }
  for (const std::size_t link : used) AddLink(link);
  for (const std::size_t link : used) {
    if (link < 2 * topology.edges.size()) links_[link]->AnswerOn(links_[link ^ 1].get());
  }
}

void Network::AddLink(std::size_t link) {
  LinkSpec spec;
  std::int64_t count = 1;
  double latency_s = 0;
  if (link < 2 * topology_.edges.size()) {
    const TopologyEdge& e = topology_.edges[link / 2];
    const auto to = static_cast<std::size_t>(link % 2 == 0 ? e.b : e.a);
    spec = topology_.kinds[static_cast<std::size_t>(e.kind)];
    count = e.links;
    latency_s = topology_.nodes[to].latency_s;
  } else {  // what a node lets through, without headers
    spec.bytes_per_s = topology_.nodes[link - 2 * topology_.edges.size()].bytes_per_s;
    spec.header_flits = 0;
    spec.response_flits = spec.request_flits = 0;
  }
  links_[link] =
      std::make_unique<LinkDirection>(fmt::format("link{}", link).c_str(), spec, count, latency_s);
  ports_[link] = std::make_unique<sc_core::sc_port<LinkPort>>(fmt::format("to{}", link).c_str());
  ports_[link]->bind(links_[link]->port);
}

std::vector<LinkPort*> Network::ports() const {
  std::vector<LinkPort*> ports(links_.size(), nullptr);
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i] != nullptr) ports[i] = ports_[i]->operator->();
  }
  return ports;
}

std::vector<LinkUse> Network::LinkUses() const {
  std::vector<LinkUse> uses;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    LinkUse use;
    if (links_[i] != nullptr) use = links_[i]->use();
    if (i >= 2 * topology_.edges.size()) {
      use.name = "through " + topology_.nodes[i - 2 * topology_.edges.size()].name;
      uses.push_back(std::move(use));
      continue;
    }
    const TopologyEdge& e = topology_.edges[i / 2];
    const auto from = static_cast<std::size_t>(i % 2 == 0 ? e.a : e.b);
    const auto to = static_cast<std::size_t>(i % 2 == 0 ? e.b : e.a);
    use.name = topology_.nodes[from].name + " -> " + topology_.nodes[to].name;
    uses.push_back(std::move(use));
  }
  return uses;
}

}  // namespace siliscope
