// SPDX-License-Identifier: Apache-2.0
#include "sim/config/tuner_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>

#include "sim/config/config_folder.h"
#include "sim/config/named_file.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

constexpr const char* kFolder = "configs/hosts/tuners";
constexpr std::array<const char*, 4> kGenerations = {"volta", "ampere", "hopper", "blackwell"};
constexpr std::array<const char*, 2> kHosts = {"intel", "amd"};

void VisitByNodes(FieldVisitor& v, const char* key, ByNodes& s, const char* meaning) {
  if (!v.BeginSection(key, Need::kRequired, meaning)) return;
  constexpr std::array<const char*, 3> kNodes = {"one_node", "two_nodes", "more_nodes"};
  for (std::size_t i = 0; i < kNodes.size(); ++i) {
    v.Real(kNodes[i], s[i], Dimension::kBandwidth, {1, 1e15}, Need::kRequired, "of a channel");
  }
  v.EndSection();
}

void VisitGeneration(FieldVisitor& v, TunerGeneration& s) {
  v.Real("ll", s.ll_bytes_per_s, Dimension::kBandwidth, {1, 1e15}, Need::kRequired,
         "most that LL is expected to reach within a node");
  VisitByNodes(v, "ring_ll128_channel", s.ring_ll128_channel_bytes_per_s,
               "most of a ring's channel with LL128");
  VisitByNodes(v, "tree_channel", s.tree_channel_bytes_per_s, "most of a tree's channel");
  VisitByNodes(v, "tree_ll128_channel", s.tree_ll128_channel_bytes_per_s,
               "most of a tree's channel with LL128");
  v.Real("ring_plateau", s.ring_plateau, Dimension::kPlain, {1, 100}, Need::kRequired,
         "latency of long rings between nodes, times this");
}

void VisitHost(FieldVisitor& v, TunerHost& s) {
  v.Real("ll_two_nodes", s.ll_two_nodes_bytes_per_s, Dimension::kBandwidth, {1, 1e15},
         Need::kRequired, "most that LL is expected to reach between two nodes");
  v.Real("ll_more_nodes", s.ll_more_nodes_bytes_per_s, Dimension::kBandwidth, {1, 1e15},
         Need::kRequired, "the same of more nodes");
  v.Real("post", s.post_s, Dimension::kTime, {0, 1}, Need::kRequired,
         "of a message to another node");
}

std::vector<double> NumbersOf(const std::string& text, const std::string& place) {
  std::vector<double> numbers;
  std::stringstream stream(text);
  for (std::string word; stream >> word;) {
    try {
      numbers.push_back(std::stod(word));
    } catch (const std::exception&) {
      throw UserError(fmt::format("{}: tree_correction: \"{}\" is no number", place, word));
    }
  }
  return numbers;
}

template <typename T>
T FindNamed(const std::map<std::string, T>& table, const std::string& name,
            const std::string& place) {
  const auto found = table.find(name);
  if (found != table.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& entry : table) names.push_back(entry.first);
  throw UserError(place + ": \"" + name + "\" is not in the library's tables" +
                  Suggestion(name, names));
}

}  // namespace

std::vector<std::string> ListTuners() { return NamesIn(kFolder); }

void VisitTuner(FieldVisitor& v, TunerSpec& s) {
  v.Integer("channels", s.channels, {1, 64}, Need::kRequired, "of the tuner's graph");
  v.Real("channel_bandwidth", s.channel_bytes_per_s, Dimension::kBandwidth, {1, 1e15},
         Need::kRequired, "of one of them");
  v.Integer("run_channels", s.run_channels, {1, 64}, Need::kRequired,
            "CTAs of a collective, at most");
  v.Text("generation", s.generation_name, Need::kOptional,
         "of the chips, in the tables of the library's tuner; none: no limits are known");
  v.Text("host", s.host_name, Need::kOptional, "of a node, in these tables");
  v.Integer("nvls_channels", s.nvls_channels, {0, 64}, Need::kOptional,
            "CTAs of an all-reduce in the switch; 0 = it can't");
  v.Real("nvls_base", s.nvls_base_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "latency expected of it");
  v.Real("nvls_bandwidth", s.nvls_bytes_per_s, Dimension::kBandwidth, {0, 1e15}, Need::kOptional,
         "bytes of the all-reduce a second, expected of it");
  v.Flag("pcie", s.pcie, Need::kOptional, "steps go over PCIe; no LL128");
  v.Flag("ll128", s.ll128, Need::kOptional,
         "chips keep the order of 128-byte stores, which LL128 needs; default: true");
}

void VisitTunerTables(FieldVisitor& v, TunerTables& s) {
  v.Text("name", s.name, Need::kRequired, "as in the name of the file");
  v.Text("description", s.description, Need::kOptional, "one line");
  if (v.BeginSection("generations", Need::kRequired, "of chips")) {
    for (const char* name : kGenerations) {
      if (!v.BeginSection(name, Need::kOptional, "what the tuner believes of it")) continue;
      VisitGeneration(v, s.generations[name]);
      v.EndSection();
    }
    v.EndSection();
  }
  if (v.BeginSection("hosts", Need::kRequired, "of nodes")) {
    for (const char* name : kHosts) {
      if (!v.BeginSection(name, Need::kOptional, "what the tuner believes of it")) continue;
      VisitHost(v, s.hosts[name]);
      v.EndSection();
    }
    v.EndSection();
  }
  v.Real("tree_share", s.tree_share, Dimension::kPlain, {0.01, 1}, Need::kRequired,
         "of the bandwidth, that trees are expected to reach");
  if (v.BeginSection("pat", Need::kOptional, "of PAT, where each node has one rank")) {
    v.Real("base", s.pat_base_s, Dimension::kTime, {0, 1}, Need::kRequired, "latency");
    v.Real("steps_of_tree_hop", s.pat_steps_of_tree_hop, Dimension::kPlain, {0.1, 100},
           Need::kRequired, "that take as long as a tree's between nodes");
    v.Real("rank", s.pat_rank_s, Dimension::kTime, {0, 1}, Need::kRequired, "for each rank");
    v.Real("share", s.pat_share, Dimension::kPlain, {0.01, 1}, Need::kRequired, "of the bandwidth");
    v.EndSection();
  }
  std::map<std::string, std::string> corrections;
  v.TextTable("tree_correction", corrections, Need::kOptional,
              "by protocol: shares of a tree's bandwidth, by the logarithm of the bytes / 64");
  s.tree_correction_ll = NumbersOf(corrections["ll"], s.name);
  s.tree_correction_ll128 = NumbersOf(corrections["ll128"], s.name);
  s.tree_correction_simple = NumbersOf(corrections["simple"], s.name);
}

TunerTables LoadTuner(const std::string& name, const std::string& place) {
  return LoadNamedFile(kFolder, name,
                       fmt::format("{}: tuner: \"{}\" is no file of {}", place, name, kFolder),
                       &VisitTunerTables);
}

void ResolveTuner(const TunerTables& tables, const std::string& place, TunerSpec* spec) {
  if (!spec->generation_name.empty()) {
    spec->generation =
        FindNamed(tables.generations, spec->generation_name, place + ": tuner.generation");
  }
  if (!spec->host_name.empty()) {
    spec->host = FindNamed(tables.hosts, spec->host_name, place + ": tuner.host");
  }
}

}  // namespace siliscope
