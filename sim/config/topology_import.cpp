// SPDX-License-Identifier: Apache-2.0
#include "sim/config/topology_import.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <map>
#include <set>
#include <sstream>

#include "sim/config/cluster_loader.h"
#include "sim/config/config_folder.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::int64_t kMostChips = 256;

std::vector<std::string> WordsOf(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool IsChip(const std::string& word) {
  return word.size() > 3 && word.size() < 8 && word.rfind("GPU", 0) == 0 &&
         word.find_first_not_of("0123456789", 3) == std::string::npos;
}

void Resize(FoundTopology* t, std::int64_t chips) {
  const auto n = static_cast<std::size_t>(chips);
  t->chips = chips;
  t->direct.assign(n, std::vector<std::int64_t>(n, 0));
  t->to_switches.assign(n, 0);
  t->pcie_switch.assign(n, -1);
  t->socket.assign(n, 0);
}

/// More links than a chip has would be needed between all pairs: then there are switches.
void FindSwitches(FoundTopology* t) {
  constexpr std::int64_t kMostLinks = 18;
  const auto n = static_cast<std::size_t>(t->chips);
  if (n < 2) return;
  const std::int64_t links = t->direct[0][1];
  for (std::size_t a = 0; a < n; ++a) {
    for (std::size_t b = 0; b < n; ++b) {
      if (a != b && t->direct[a][b] != links) return;
    }
  }
  if (links * (t->chips - 1) <= kMostLinks) return;
  t->to_switches.assign(n, links);
  t->direct.assign(n, std::vector<std::int64_t>(n, 0));
}

/// Chips that meet below a switch (PIX, PXB), and those of a socket (all but SYS).
void FindPcie(const std::vector<std::vector<std::string>>& cells, FoundTopology* t) {
  const auto n = static_cast<std::size_t>(t->chips);
  std::vector<std::int64_t> socket(n, -1);
  std::int64_t sockets = 0;
  for (std::size_t a = 0; a < n; ++a) {
    if (socket[a] < 0) socket[a] = sockets++;
    for (std::size_t b = a + 1; b < n; ++b) {
      const std::string& cell = cells[a][b];
      if (cell == "PIX" || cell == "PXB") {
        t->pcie_switch[a] = t->pcie_switch[b] =
            t->pcie_switch[a] < 0 ? static_cast<std::int64_t>(a) : t->pcie_switch[a];
      }
      if (cell == "PIX" || cell == "PXB" || cell == "PHB" || cell == "NODE") socket[b] = socket[a];
    }
  }
  t->socket = socket;
}

using Tree = boost::property_tree::ptree;

struct XmlReader {
  struct Chip {
    std::string bus;
    std::int64_t device = 0, socket = 0, pcie_switch = -1;
    std::vector<std::pair<std::string, std::int64_t>> links;  ///< target bus, count
    std::int64_t to_switches = 0;
  };
  std::vector<Chip> chips;
  std::int64_t switches = 0;

  void Read(const Tree& tree, std::int64_t socket, std::int64_t below, const std::string& bus) {
    for (const auto& [tag, child] : tree) {
      if (tag == "pci") {
        const bool bridge = child.get("<xmlattr>.class", "").rfind("0x0604", 0) == 0;
        Read(child, socket, bridge ? switches++ : below, child.get("<xmlattr>.busid", ""));
      } else if (tag == "gpu") {
        Chip chip;
        chip.bus = bus;
        chip.device = child.get("<xmlattr>.dev", static_cast<std::int64_t>(chips.size()));
        chip.socket = socket;
        chip.pcie_switch = below;
        for (const auto& [inner, link] : child) {
          if (inner != "nvlink") continue;
          const std::int64_t count = link.get("<xmlattr>.count", std::int64_t{1});
          if (link.get("<xmlattr>.tclass", "").rfind("0x0680", 0) == 0) {
            chip.to_switches += count;
          } else {
            chip.links.emplace_back(link.get("<xmlattr>.target", ""), count);
          }
        }
        chips.push_back(std::move(chip));
      }
    }
  }
};

/// The parser calls itself for each level.
void CheckNesting(const std::string& xml, const std::string& file) {
  constexpr std::int64_t kMostLevels = 1000;
  std::int64_t level = 0;
  for (std::size_t at = xml.find('<'); at + 1 < xml.size(); at = xml.find('<', at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return;
    const char next = xml[at + 1];
    if (next == '/') --level;
    if (next != '/' && next != '!' && next != '?' && xml[end - 1] != '/') ++level;
    if (level > kMostLevels) {
      throw UserError(
          fmt::format("{}: more than {} elements inside each other", file, kMostLevels));
    }
  }
}

std::int64_t Largest(const std::vector<std::int64_t>& groups) {
  std::map<std::int64_t, std::int64_t> sizes;
  std::int64_t largest = 0;
  for (const std::int64_t g : groups) {
    if (g >= 0) largest = std::max(largest, ++sizes[g]);
  }
  return largest;
}

}  // namespace

FoundTopology ParseTopologyMatrix(const std::string& text, const std::string& file) {
  FoundTopology t;
  std::istringstream stream(text);
  std::vector<std::size_t> columns;  // of chips, among a row's cells
  std::vector<std::vector<std::string>> cells;
  int number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    const std::vector<std::string> words = WordsOf(line);
    if (words.empty() || !IsChip(words.front())) continue;
    if (columns.empty()) {
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (IsChip(words[i])) columns.push_back(i);
      }
      if (static_cast<std::int64_t>(columns.size()) > kMostChips) break;
      Resize(&t, static_cast<std::int64_t>(columns.size()));
      continue;
    }
    std::vector<std::string> row;
    for (const std::size_t c : columns) {
      if (c + 1 >= words.size()) {
        throw UserError(fmt::format("{}:{}: {} cells of {} chips", file, number, words.size() - 1,
                                    columns.size()));
      }
      row.push_back(words[c + 1]);
    }
    const std::size_t a = cells.size();
    if (a >= columns.size()) break;
    for (std::size_t b = 0; b < row.size(); ++b) {
      if (row[b].rfind("NV", 0) == 0 && row[b].size() > 2 && row[b].size() < 6) {
        t.direct[a][b] = std::strtoll(row[b].c_str() + 2, nullptr, 10);
      }
    }
    cells.push_back(row);
  }
  if (columns.size() < 2 || cells.size() != columns.size()) {
    throw UserError(fmt::format("{}: not the matrix of `nvidia-smi topo -m`: {} rows of {} chips",
                                file, cells.size(), columns.size()));
  }
  for (std::size_t a = 0; a < cells.size(); ++a) {
    for (std::size_t b = a + 1; b < cells.size(); ++b) {
      if (t.direct[a][b] == t.direct[b][a]) continue;
      throw UserError(fmt::format("{}: GPU{} has {} links to GPU{}, which has {} back", file, a,
                                  t.direct[a][b], b, t.direct[b][a]));
    }
  }
  FindSwitches(&t);
  FindPcie(cells, &t);
  return t;
}

FoundTopology ParseNcclTopology(const std::string& xml, const std::string& file) {
  CheckNesting(xml, file);
  Tree tree;
  std::istringstream stream(xml);
  try {
    boost::property_tree::read_xml(stream, tree);
  } catch (const boost::property_tree::xml_parser_error& e) {
    throw UserError(fmt::format("{}:{}: {}", file, e.line(), e.message()));
  }
  XmlReader reader;
  const auto system = tree.find("system");
  if (system == tree.not_found()) throw UserError(file + ": no <system>, as NCCL writes it");
  std::int64_t socket = 0;
  for (const auto& [tag, cpu] : system->second) {
    if (tag == "cpu") reader.Read(cpu, socket++, -1, "");
  }
  std::stable_sort(reader.chips.begin(), reader.chips.end(),
                   [](const auto& a, const auto& b) { return a.device < b.device; });
  const auto chips = static_cast<std::int64_t>(reader.chips.size());
  if (chips < 2 || chips > kMostChips) {
    throw UserError(fmt::format("{}: {} GPUs; from 2 to {}", file, chips, kMostChips));
  }
  FoundTopology t;
  Resize(&t, chips);
  for (std::size_t a = 0; a < reader.chips.size(); ++a) {
    const XmlReader::Chip& chip = reader.chips[a];
    t.to_switches[a] = chip.to_switches;
    t.socket[a] = chip.socket;
    t.pcie_switch[a] = chip.pcie_switch;
    for (const auto& [target, count] : chip.links) {
      bool known = false;
      for (std::size_t b = 0; b < reader.chips.size(); ++b) {
        if (reader.chips[b].bus != target) continue;
        t.direct[a][b] += count;
        known = true;
      }
      if (!known) {
        throw UserError(fmt::format("{}: gpu {} has an nvlink to \"{}\", where no gpu is", file,
                                    chip.bus, target));
      }
    }
  }
  for (std::size_t a = 0; a < reader.chips.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (t.direct[a][b] == t.direct[b][a]) continue;
      throw UserError(fmt::format("{}: gpu {} has {} nvlinks to gpu {}, which has {} back", file,
                                  reader.chips[a].bus, t.direct[a][b], reader.chips[b].bus,
                                  t.direct[b][a]));
    }
  }
  return t;
}

std::string WriteFoundSystem(const FoundTopology& found, const std::string& name,
                             const std::string& chip, const std::string& link,
                             const std::string& host_link, const std::string& like) {
  LoadCluster(like, {});  // complains of an unknown one
  YAML::Node system = YAML::LoadFile(RootFolder() + "/configs/systems/" + like + ".yaml");
  system["name"] = name;
  system["description"] =
      fmt::format("{} {} as found; times and tuner are those of {}", found.chips, chip, like);
  system["source"] = "imported; times and tuner assumed as those of " + like;
  system["confidence"] = "low";
  system["chip"] = chip;
  system["chips"] = found.chips;
  YAML::Node topology;
  const auto n = static_cast<std::size_t>(found.chips);
  bool any_direct = false;
  for (const auto& row : found.direct) {
    any_direct = any_direct || std::any_of(row.begin(), row.end(), [](auto l) { return l > 0; });
  }
  if (found.to_switches.front() > 0) {
    topology["kind"] = "switched";
    topology["link"] = link;
    topology["switches"]["nvswitch"] = found.to_switches.front();
    topology["switch_latency"] = "0.1 us";
    const YAML::Node reduces = system["topology"]["reduces_in_network"];
    if (reduces.IsDefined()) topology["reduces_in_network"] = reduces;
  } else if (any_direct) {
    topology["kind"] = "mesh";
    topology["link"] = link;
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = a + 1; b < n; ++b) {
        const std::int64_t links = std::max(found.direct[a][b], found.direct[b][a]);
        if (links > 0) topology["links"][fmt::format("{}-{}", a, b)] = links;
      }
    }
    topology["host_link"] = host_link;
  } else {
    topology["kind"] = "pcie_tree";
    topology["link"] = host_link;
    system["tuner"]["pcie"] = true;
  }
  if (found.to_switches.front() == 0) {
    const std::int64_t per_switch = Largest(found.pcie_switch);
    const std::int64_t per_socket = std::max<std::int64_t>(1, Largest(found.socket));
    topology["chips_per_switch"] = per_switch;
    topology["switches_per_bridge"] =
        std::max<std::int64_t>(1, per_socket / std::max<std::int64_t>(1, per_switch));
    topology["bridge_link"] = "qpi";
  }
  system["topology"] = topology;
  return YAML::Dump(system) + "\n";
}

}  // namespace siliscope
