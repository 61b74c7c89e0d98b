// SPDX-License-Identifier: Apache-2.0
// Orders of ranks in which each next one is near, as a library's topology search finds them.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/contract/topology.h"

namespace siliscope {

/// Rings that channels take in turn. Chips that meet in switches: one order. A mesh: as many
/// Hamiltonian cycles as its links allow, in both directions (NCCL, src/graph/search.cc). Several
/// nodes: each ring leaves a node by another rail, and by the one on which it enters the next. A
/// torus: a snake through its rows. Ranks are the first chips.
std::vector<std::vector<std::int32_t>> FindRings(const Topology& topology, std::int64_t ranks);

/// Chips of one node of a system of several; all of them where there is one node.
std::int64_t ChipsOfNode(const Topology& topology);

}  // namespace siliscope
