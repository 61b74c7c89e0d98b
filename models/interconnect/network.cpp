// SPDX-License-Identifier: Apache-2.0
#include "models/interconnect/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

namespace siliscope {
namespace {

constexpr Tick kAlone = 10'000'000;  ///< 10 us; it is the only process

}  // namespace

Network::Network(const sc_core::sc_module_name& name, const Topology& topology,
                 const std::vector<const LinkProgram*>& programs, const ClusterOptions& options)
    : Domain(name, kAlone),
      topology_(topology),
      options_(options),
      zoomed_(topology.edges.size()),
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
    if (links_[link] != nullptr && link < 2 * topology.edges.size()) {
      links_[link]->AnswerOn(links_[link ^ 1].get());
    }
  }
}

bool Network::IsZoomed(std::size_t edge) const {
  const TopologyEdge& e = topology_.edges[edge];
  return std::any_of(options_.zoom.begin(), options_.zoom.end(), [&](const std::string& name) {
    return name == "links" || name == topology_.nodes[static_cast<std::size_t>(e.a)].name ||
           name == topology_.nodes[static_cast<std::size_t>(e.b)].name;
  });
}

void Network::AddZoomed(std::size_t edge) {
  const TopologyEdge& e = topology_.edges[edge];
  const TopologyNode &a = topology_.nodes[static_cast<std::size_t>(e.a)],
                     &b = topology_.nodes[static_cast<std::size_t>(e.b)];
  zoomed_[edge] = std::make_unique<ZoomedLink>(
      fmt::format("zoomed{}", edge).c_str(), topology_.kinds[static_cast<std::size_t>(e.kind)],
      e.links, std::array<double, 2>{b.latency_s, a.latency_s}, options_.waveform != nullptr);
  for (std::size_t d = 0; d < 2; ++d) {
    auto& port = ports_[2 * edge + d];
    port = std::make_unique<sc_core::sc_port<LinkPort>>(fmt::format("to{}", 2 * edge + d).c_str());
    port->bind(d == 0 ? zoomed_[edge]->forward : zoomed_[edge]->back);
  }
}

void Network::AddLink(std::size_t link) {
  if (link < 2 * topology_.edges.size() && IsZoomed(link / 2)) {
    if (zoomed_[link / 2] == nullptr) AddZoomed(link / 2);
    return;
  }
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

/// All links' changes in the order of their times.
void Network::WriteWaveform() const {
  struct Signal {
    std::uint32_t id = 0;
    const ZoomedLink::Change* change = nullptr;
  };
  std::vector<Signal> all;
  for (std::size_t e = 0; e < zoomed_.size(); ++e) {
    if (zoomed_[e] == nullptr) continue;
    const TopologyEdge& edge = topology_.edges[e];
    const std::string name = topology_.nodes[static_cast<std::size_t>(edge.a)].name + "_" +
                             topology_.nodes[static_cast<std::size_t>(edge.b)].name;
    std::array<std::uint32_t, 2> ids{};
    ids[0] = options_.waveform->AddSignal(name + ".forward", 2);
    ids[1] = options_.waveform->AddSignal(name + ".back", 2);
    for (const ZoomedLink::Change& change : zoomed_[e]->changes()) {
      all.push_back({ids[static_cast<std::size_t>(change.direction)], &change});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Signal& a, const Signal& b) {
    return a.change->when < b.change->when;
  });
  for (const Signal& signal : all) {
    options_.waveform->Set(signal.change->when, signal.id,
                           static_cast<std::uint64_t>(signal.change->sending));
  }
}

std::vector<LinkUse> Network::LinkUses() {
  std::vector<LinkUse> uses;
  for (auto& zoomed : zoomed_) {
    if (zoomed != nullptr) zoomed->Finish();
  }
  if (options_.waveform != nullptr) WriteWaveform();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    LinkUse use;
    if (links_[i] != nullptr) use = links_[i]->use();
    if (i < 2 * topology_.edges.size() && zoomed_[i / 2] != nullptr) {
      use = zoomed_[i / 2]->use(static_cast<int>(i % 2));
    }
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
