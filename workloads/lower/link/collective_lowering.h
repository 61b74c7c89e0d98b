// SPDX-License-Identifier: Apache-2.0
// Collectives as lanes: each algorithm writes what the CTAs of a library's kernel do.
#pragma once

#include <unordered_map>

#include "sim/contract/link_program.h"
#include "workloads/lower/link/collective_plan.h"

namespace siliscope {

/// What the algorithms write to.
class CollectiveWriter {
 public:
  CollectiveWriter(const CollectivePlan& plan, const ClusterSpec& cluster);

  const CollectivePlan& plan() const { return plan_; }
  const ClusterSpec& cluster() const { return cluster_; }
  LinkProgram& program() { return program_; }

  std::int32_t AddProtocol(const TransferProtocol& protocol);
  std::int32_t AddSequence(std::vector<Primitive> sequence);
  /// The links from one rank to another, by the shortest way. Errors: UserError where there is
  /// none.
  std::int32_t RouteBetween(std::int64_t from, std::int64_t to);
  /// Ways side by side, which bursts take in turn, each as often as it has links.
  std::int32_t AddWays(const std::vector<Way>& ways);
  /// Errors: UserError where there are too many to play.
  std::int32_t AddLane(const Lane& lane);
  /// A rate of a CTA's threads, in bytes a second.
  double PerSecond(double bytes_per_cycle) const {
    return bytes_per_cycle * cluster_.chip_clock_hz;
  }
  /// When the CTAs of a launch of so many begin.
  Tick StartOf(std::int64_t ctas) const;
  /// Of a protocol of the library, as lanes know it.
  TransferProtocol ProtocolOf(CollectiveProtocol protocol) const;

 private:
  Route WithNodes(const Route& route) const;

  CollectivePlan plan_;
  const ClusterSpec& cluster_;
  Routes routes_;
  std::unordered_map<std::int64_t, std::int32_t> route_of_;  ///< by pair of ranks
  LinkProgram program_;
};

void WriteRing(CollectiveWriter& writer);
void WriteDirect(CollectiveWriter& writer);
void WriteTree(CollectiveWriter& writer);
void WriteTorus(CollectiveWriter& writer);
void WriteDoubling(CollectiveWriter& writer);
void WriteNvls(CollectiveWriter& writer);

LinkProgram LowerCollective(const CollectiveRequest& request, const ClusterSpec& cluster);

}  // namespace siliscope
