// SPDX-License-Identifier: Apache-2.0
// Registers the network between chips.
#include "models/interconnect/network.h"
#include "sim/contract/cluster_model.h"

namespace siliscope {
namespace {

class NetworkModel : public ClusterModel {
 public:
  explicit NetworkModel(const ClusterSpec& spec) : spec_(spec) {}

  ClusterRecord Run(const LinkProgram& program, bool spans) override {
    Network network("network", spec_.topology, program, spans);
    sc_core::sc_start();
    return network.Finish();
  }

 private:
  ClusterSpec spec_;
};

const bool kRegistered = ClusterModelRegistry::Instance().Add(
    "network", [](const ClusterSpec& spec) -> std::unique_ptr<ClusterModel> {
      return std::make_unique<NetworkModel>(spec);
    });

}  // namespace
}  // namespace siliscope
