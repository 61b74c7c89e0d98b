// SPDX-License-Identifier: Apache-2.0
// The links of a system as modules, driven from one queue. What plays over them derives from this.
#pragma once

#include <memory>
#include <systemc>
#include <vector>

#include "models/interconnect/link.h"
#include "models/interconnect/zoomed_link.h"
#include "sim/contract/cluster_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class Network : public Domain {
 public:
  /// Elaborates the links that the programs' routes pass.
  Network(const sc_core::sc_module_name& name, const Topology& topology,
          const std::vector<const LinkProgram*>& programs, const ClusterOptions& options);

 protected:
  /// By directed link, then by node that limits what passes through it; null where none is used.
  std::vector<LinkPort*> ports() const;
  std::vector<LinkUse> LinkUses();

 private:
  void AddLink(std::size_t link);
  void AddZoomed(std::size_t edge);
  bool IsZoomed(std::size_t edge) const;
  void WriteWaveform() const;

  const Topology& topology_;
  ClusterOptions options_;
  std::vector<std::unique_ptr<ZoomedLink>> zoomed_;    ///< by edge
  std::vector<std::unique_ptr<LinkDirection>> links_;  ///< by directed link
  std::vector<std::unique_ptr<sc_core::sc_port<LinkPort>>> ports_;
};

}  // namespace siliscope
