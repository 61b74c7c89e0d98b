// SPDX-License-Identifier: Apache-2.0
// siliscope import-topology: a system's file from what a machine says of itself.
#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "sim/cli/commands.h"
#include "sim/config/cluster_loader.h"
#include "sim/config/topology_import.h"
#include "sim/core/error.h"
#include "sim/run/output_folder.h"

namespace siliscope {

void ImportTopology(const ImportTopologyOptions& o) {
  std::ifstream file(o.file, std::ios::binary);
  if (!file) throw UserError(o.file + ": can't be read");
  std::ostringstream text;
  text << file.rdbuf();
  const bool xml = text.str().find("<system") != std::string::npos;
  const FoundTopology found =
      xml ? ParseNcclTopology(text.str(), o.file) : ParseTopologyMatrix(text.str(), o.file);
  const std::size_t slash = o.out.find_last_of('/');
  const std::string stem = o.out.substr(slash == std::string::npos ? 0 : slash + 1);
  const std::string name = stem.substr(0, stem.find(".yaml"));
  const std::string yaml = WriteFoundSystem(found, name, o.chip, o.link, o.host_link, o.like);
  const ClusterSpec cluster = ParseCluster(YamlDocument::FromText(yaml, o.out), {});
  WriteFileWhole(o.out, yaml);
  fmt::print("written: {}: {} chips, {} pairs of nodes with links\n", o.out, cluster.topology.chips,
             cluster.topology.edges.size());
}

}  // namespace siliscope
