// SPDX-License-Identifier: Apache-2.0
// From the name or file of a system to its ClusterSpec.
#pragma once

#include <string>
#include <vector>

#include "sim/config/field_visitor.h"
#include "sim/config/topology_fields.h"
#include "sim/config/yaml_document.h"
#include "sim/contract/cluster_spec.h"

namespace siliscope {

/// The systems that configs/systems holds, by name; the kinds of links of configs/links; the
/// libraries of configs/hosts/collectives.
std::vector<std::string> ListClusters();
std::vector<std::string> ListLinkKinds();
std::vector<std::string> ListCollectiveLibraries();

/// Whether a name or file is a system of several chips, not a chip.
bool IsCluster(const std::string& name_or_file);

/// Throws UserError for every mistake in the file or in its topology.
ClusterSpec LoadCluster(const std::string& name_or_file, const std::vector<Override>& overrides);
ClusterSpec ParseCluster(YamlDocument document, const std::vector<Override>& overrides);
LinkSpec LoadLinkKind(const std::string& name, const std::string& place);

/// A system's file, before its topology is built.
struct ClusterFields {
  ClusterSpec spec;
  std::int64_t chips = 0;
  TopologyFields topology;
};
void VisitCluster(FieldVisitor& visitor, ClusterFields& fields);
void VisitLinkKind(FieldVisitor& visitor, LinkSpec& spec);
void VisitCollectiveLibrary(FieldVisitor& visitor, CollectiveLibrarySpec& spec);

}  // namespace siliscope
