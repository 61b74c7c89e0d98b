// SPDX-License-Identifier: Apache-2.0
// Topologies as tools of NVIDIA's print them: `nvidia-smi topo -m`, and the XML that NCCL writes to
// the file of NCCL_TOPO_DUMP_FILE.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace siliscope {

/// What such a text says of the chips of a node.
struct FoundTopology {
  std::int64_t chips = 0;
  std::vector<std::vector<std::int64_t>> direct;  ///< NVLinks between two chips
  std::vector<std::int64_t> to_switches;          ///< NVLinks of a chip to NVSwitches
  std::vector<std::int64_t> pcie_switch;  ///< chips below one have the same number; -1 = none
  std::vector<std::int64_t> socket;
};

/// Throws UserError with file and line for what is no such text.
FoundTopology ParseTopologyMatrix(const std::string& text, const std::string& file);
FoundTopology ParseNcclTopology(const std::string& xml, const std::string& file);

/// A system's file: that of the system `like`, with these chips and links instead of its own.
std::string WriteFoundSystem(const FoundTopology& found, const std::string& name,
                             const std::string& chip, const std::string& link,
                             const std::string& host_link, const std::string& like);

}  // namespace siliscope
