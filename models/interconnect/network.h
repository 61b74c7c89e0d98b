// SPDX-License-Identifier: Apache-2.0
// The links of a system as modules, and the process that plays a program's lanes over them.
#pragma once

#include <memory>
#include <systemc>
#include <vector>

#include "models/interconnect/lane_player.h"
#include "models/interconnect/link.h"
#include "sim/contract/cluster_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class Network : public Domain {
 public:
  /// Elaborates the links that the program's routes pass.
  Network(const sc_core::sc_module_name& name, const Topology& topology, const LinkProgram& program,
          bool spans);

  void start_of_simulation() override;
  ClusterRecord Finish();

 private:
  void AddLink(std::size_t link);

  const Topology& topology_;
  const LinkProgram& program_;
  bool spans_;
  std::vector<std::unique_ptr<LinkDirection>> links_;  ///< by directed link
  std::vector<std::unique_ptr<sc_core::sc_port<LinkPort>>> ports_;
  std::unique_ptr<LanePlayer> player_;
};

}  // namespace siliscope
