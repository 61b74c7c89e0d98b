// SPDX-License-Identifier: Apache-2.0
#include "sim/config/astra_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

struct NetworkDimension {
  std::string topology;
  std::int64_t length = 1;
  LinkSpec link;
};

/// A list of the network's file, as long as the others.
template <typename T>
std::vector<T> ListOf(const YamlDocument& network, const char* key, std::size_t length) {
  const YAML::Node node = network.root()[key];
  if (!node.IsDefined()) throw UserError(network.name() + ": " + key + ": this key is missing");
  std::vector<T> values;
  if (node.IsSequence()) {
    for (const auto& item : node) {
      T value{};
      if (!YAML::convert<T>::decode(item, value)) {
        throw UserError(network.Place(item, key) + ": " + key + ": not what is expected here");
      }
      values.push_back(value);
    }
  }
  if (values.empty() || (length > 0 && values.size() != length)) {
    throw UserError(fmt::format("{}: {}: a list with a value for each dimension of topology",
                                network.Place(node, key), key));
  }
  return values;
}

std::vector<NetworkDimension> DimensionsOf(const YamlDocument& network) {
  const auto topology = ListOf<std::string>(network, "topology", 0);
  const auto lengths = ListOf<std::int64_t>(network, "npus_count", topology.size());
  const auto bandwidths = ListOf<double>(network, "bandwidth", topology.size());
  const auto latencies = ListOf<double>(network, "latency", topology.size());
  const std::vector<std::string> known = {"Ring", "FullyConnected", "Switch"};
  std::vector<NetworkDimension> dimensions;
  constexpr std::int64_t kMostChips = 4096, kMostPairs = 1024;
  std::int64_t chips = 1;
  for (std::size_t d = 0; d < topology.size(); ++d) {
    const auto fail = [&](const char* key, const std::string& what) {
      throw UserError(network.Place(network.root()[key][d], key) + ": " + key + ": " + what);
    };
    if (std::find(known.begin(), known.end(), topology[d]) == known.end()) {
      fail("topology", topology[d] + ": not a topology" + Suggestion(topology[d], known));
    }
    const bool pairs = topology[d] == "FullyConnected";
    if (lengths[d] < 1 || lengths[d] > (pairs ? kMostPairs : kMostChips)) {
      fail("npus_count", fmt::format("from 1 to {}", pairs ? kMostPairs : kMostChips));
    }
    chips *= lengths[d];
    if (chips > kMostChips) fail("npus_count", fmt::format("at most {} in all", kMostChips));
    if (!(bandwidths[d] >= 1e-3 && bandwidths[d] <= 1e6)) fail("bandwidth", "0.001 to 1e6 GB/s");
    if (!(latencies[d] >= 0 && latencies[d] <= 1e9)) fail("latency", "0 to 1e9 ns");
    NetworkDimension dimension;
    dimension.topology = topology[d];
    dimension.length = lengths[d];
    LinkSpec& link = dimension.link;
    link.name = fmt::format("dimension{}", d);
    link.bytes_per_s = bandwidths[d] * 1e9;
    link.latency_s = latencies[d] * 1e-9;
    link.header_flits = link.response_flits = link.request_flits = 0;
    dimensions.push_back(std::move(dimension));
  }
  return dimensions;
}

/// The links of a dimension join ranks that differ in it only.
class TopologyOfDimensions {
 public:
  explicit TopologyOfDimensions(const std::vector<NetworkDimension>& dimensions) {
    t_.chips = 1;
    for (const NetworkDimension& d : dimensions) {
      t_.chips *= d.length;
      t_.kinds.push_back(d.link);
    }
    for (std::int64_t c = 0; c < t_.chips; ++c) {
      t_.nodes.push_back({fmt::format("npu{}", c), NodeKind::kChip, 0, 0, false, 0});
    }
    t_.chips_forward = true;
    std::int64_t stride = 1;
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      for (std::int64_t c = 0; c < t_.chips; ++c) {
        if (c / stride % dimensions[d].length == 0) Join(dimensions[d], d, c, stride);
      }
      stride *= dimensions[d].length;
    }
  }

  Topology Take() { return std::move(t_); }

 private:
  void Join(const NetworkDimension& d, std::size_t kind, std::int64_t first, std::int64_t stride) {
    const auto at = [&](std::int64_t i) { return static_cast<std::int32_t>(first + i * stride); };
    const auto connect = [&](std::int32_t a, std::int32_t b) {
      t_.edges.push_back({a, b, static_cast<std::int32_t>(kind), 1});
    };
    if (d.length == 1) return;
    if (d.topology == "Switch") {
      t_.nodes.push_back(
          {fmt::format("switch{}.{}", kind, t_.nodes.size()), NodeKind::kSwitch, 0, 0, false, 0});
      const auto middle = static_cast<std::int32_t>(t_.nodes.size()) - 1;
      for (std::int64_t i = 0; i < d.length; ++i) connect(at(i), middle);
    } else if (d.topology == "Ring") {
      for (std::int64_t i = 0; i + 1 < d.length; ++i) connect(at(i), at(i + 1));
      if (d.length > 2) connect(at(d.length - 1), at(0));
    } else {
      for (std::int64_t i = 0; i < d.length; ++i) {
        for (std::int64_t k = i + 1; k < d.length; ++k) connect(at(i), at(k));
      }
    }
  }

  Topology t_;
};

std::string AlgorithmOf(const std::string& name, const std::string& place) {
  const std::map<std::string, std::string> known = {{"ring", "ring"},
                                                    {"oneRing", "ring"},
                                                    {"direct", "direct"},
                                                    {"oneDirect", "direct"},
                                                    {"halvingDoubling", "halving_doubling"},
                                                    {"oneHalvingDoubling", "halving_doubling"},
                                                    {"doubleBinaryTree", "tree"}};
  const auto at = known.find(name);
  if (at == known.end()) {
    std::vector<std::string> names;
    for (const auto& [theirs, ours] : known) names.push_back(theirs);
    throw UserError(place + ": " + name + ": not an algorithm" + Suggestion(name, names));
  }
  return at->second;
}

double NumberOf(const nlohmann::json& json, const std::string& file, const char* key,
                double otherwise) {
  if (!json.contains(key)) return otherwise;
  constexpr double kMost = 1e9;
  if (!json[key].is_number() || json[key].get<double>() < 0 || json[key].get<double>() > kMost) {
    throw UserError(fmt::format("{}: {}: a number from 0 to 1e9", file, key));
  }
  return json[key].get<double>();
}

/// Refuses unknown keys, and notes those that are known and have no effect here.
void CheckKeys(const std::string& path, const nlohmann::json& system, ClusterSpec* spec) {
  const std::vector<std::string> read = {"endpoint-delay",
                                         "preferred-dataset-splits",
                                         "all-reduce-implementation",
                                         "all-gather-implementation",
                                         "reduce-scatter-implementation",
                                         "all-to-all-implementation",
                                         "local-mem-bw",
                                         "roofline-enabled",
                                         "peak-perf"};
  const std::vector<std::string> without_effect = {"scheduling-policy",
                                                   "active-chunks-per-dimension",
                                                   "collective-optimization",
                                                   "boost-mode",
                                                   "trace-enabled",
                                                   "replay-only",
                                                   "track-local-mem",
                                                   "local-mem-trace-filename",
                                                   "intra-dimension-scheduling",
                                                   "inter-dimension-scheduling",
                                                   "shared-bus",
                                                   "L",
                                                   "o",
                                                   "g",
                                                   "G",
                                                   "model-shared-bus"};
  std::vector<std::string> known = read, ignored;
  known.insert(known.end(), without_effect.begin(), without_effect.end());
  for (const auto& [key, value] : system.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw UserError(fmt::format("{}: {}: unknown key{}", path, key, Suggestion(key, known)));
    }
    if (std::find(read.begin(), read.end(), key) == read.end()) ignored.push_back(key);
  }
  if (!ignored.empty()) {
    spec->notes.push_back(
        fmt::format("{}: without effect here: {}", path, fmt::join(ignored, ", ")));
  }
}

void ReadSystem(const std::string& path, ClusterSpec* spec) {
  std::ifstream file(path);
  if (!file) throw UserError(path + ": can't be read");
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, false, true);
  if (!json.is_object()) throw UserError(path + ": not ASTRA-sim's JSON of a system");
  CheckKeys(path, json, spec);
  for (const char* op : {"all_reduce", "all_gather", "reduce_scatter", "all_to_all"}) {
    std::string key = std::string(op) + "-implementation";
    std::replace(key.begin(), key.end(), '_', '-');
    if (!json.contains(key)) continue;
    const std::string place = fmt::format("{}: {}", path, key);
    std::vector<std::string> algorithms;
    for (const auto& name : json[key]) {
      if (!name.is_string()) throw UserError(place + ": a list of names, one a dimension");
      algorithms.push_back(AlgorithmOf(name.get<std::string>(), place));
      // Each sends to each: there is one way.
      if (std::string(op) == "all_to_all") algorithms.back() = "";
    }
    if (algorithms.size() != spec->phases.dimensions.size()) {
      throw UserError(fmt::format("{}: {} names for {} dimensions", place, algorithms.size(),
                                  spec->phases.dimensions.size()));
    }
    spec->phases.algorithms[op] = algorithms;
  }
  constexpr double kMostSplits = 1024;
  const double splits = NumberOf(json, path, "preferred-dataset-splits", 1);
  if (splits < 1 || splits > kMostSplits) {
    throw UserError(path + ": preferred-dataset-splits: from 1 to 1024");
  }
  spec->phases.least_part_bytes = 1;
  spec->phases.parts = static_cast<std::int64_t>(splits);
  spec->times.sync_hop_s = NumberOf(json, path, "endpoint-delay", 0) * 1e-9;
  if (NumberOf(json, path, "roofline-enabled", 0) > 0) {
    spec->roofline_operations_per_s = NumberOf(json, path, "peak-perf", 0) * 1e12;
    spec->roofline_bytes_per_s = NumberOf(json, path, "local-mem-bw", 0) * 1e9;
  }
}

/// Agents that no rate of their own limits, one message a step.
CollectiveLibrarySpec Unlimited() {
  CollectiveLibrarySpec library;
  library.name = "astra-sim";
  constexpr double kUnlimited = 1e6;
  constexpr std::int64_t kWhole = std::int64_t{1} << 50;
  library.simple.step_bytes = kWhole;
  library.simple.bytes_per_cycle = library.simple.local_bytes_per_cycle = kUnlimited;
  library.simple.tuner_tree_hop_s = 1;  // it has trees
  library.simple.channel_threshold = 0;
  library.p2p_channels = 1;
  library.p2p_part_bytes = library.p2p_chunk_bytes = kWhole;
  library.p2p_send_bytes_per_cycle = library.p2p_read_bytes_per_cycle =
      library.p2p_drain_bytes_per_cycle = library.nvls_bytes_per_cycle = kUnlimited;
  return library;
}

}  // namespace

bool IsAstraNetwork(const YamlDocument& document) {
  return document.root().IsMap() && document.root()["npus_count"].IsDefined();
}

ClusterSpec LoadAstraNetwork(const YamlDocument& network, const std::string& system_file) {
  const std::vector<NetworkDimension> dimensions = DimensionsOf(network);
  ClusterSpec spec;
  spec.name = network.name();
  spec.chip = "npu";
  spec.chip_clock_hz = 1e9;
  spec.topology = TopologyOfDimensions(dimensions).Take();
  spec.library = Unlimited();
  spec.tuner.channels = spec.tuner.run_channels = 1;
  spec.tuner.channel_bytes_per_s = dimensions.front().link.bytes_per_s;
  for (const NetworkDimension& d : dimensions) spec.phases.dimensions.push_back(d.length);
  if (!system_file.empty()) ReadSystem(system_file, &spec);
  spec.resolved_yaml = YAML::Dump(network.root()) + "\n";
  return spec;
}

}  // namespace siliscope
