// SPDX-License-Identifier: Apache-2.0
// Plays one launch of a kernel with every SM at cycle zoom: each warp instruction of each CTA runs,
// and its loads and stores go line by line to the same L2 and memory as at tile zoom. SMs take
// turns of a few cycles, so that their requests come in the order of time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "models/gpu/cluster_grid.h"
#include "models/gpu/cluster_port.h"
#include "models/gpu/kernel_player.h"
#include "models/gpu/product_check.h"
#include "models/gpu/sm_cycle.h"
#include "sim/contract/record.h"

namespace siliscope {

/// What an SM at cycle zoom sees of the chip: lines by address, through the SM's ways to the L2.
class ChipSmMemory : public SmMemory {
 public:
  ChipSmMemory(const GpuProgram& program, std::uint32_t launch, Sm& sm, const EventQueue& events,
               Clock clock, Tick origin)
      : program_(program),
        launch_(launch),
        sm_(sm),
        events_(events),
        clock_(clock),
        origin_(origin) {}

  std::uint64_t Read(std::uint64_t cycle, const TouchedLine& line) override;
  std::uint64_t Write(std::uint64_t cycle, const TouchedLine& line) override;
  std::uint64_t Atomic(std::uint64_t cycle, const TouchedLine& line,
                       std::int64_t on_one_address) override;
  /// The same line for several SMs of a cluster, this one or others; see ClusterPort.
  void Multicast(const std::vector<Sm*>& receivers, std::uint64_t cycle, const TouchedLine& line,
                 std::vector<std::uint64_t>* ready);
  /// Bytes of another SM's shared memory.
  std::uint64_t LoadPeer(Sm& peer, std::uint64_t cycle, std::int64_t bytes);
  /// When the last store is in L2.
  Tick stored() const { return stored_; }

 private:
  std::uint32_t TensorAt(std::int64_t address) const;
  Rectangle RectangleAt(std::uint32_t tensor, const TouchedLine& line) const;
  std::uint64_t CycleOf(Tick tick) const;

  const GpuProgram& program_;
  std::uint32_t launch_;
  Sm& sm_;
  const EventQueue& events_;
  Clock clock_;
  Tick origin_;
  Tick stored_ = 0;
};

class CyclePlayer : public LaunchPlayer, private ClusterPort, private SumsPort {
 public:
  CyclePlayer(const GpuProgram& program, std::uint32_t launch, const GpuSpec& gpu,
              const Occupancy& occupancy, const std::vector<std::unique_ptr<Sm>>& sms,
              EventQueue& events, Clock clock, Owner& owner);

  void Start(Tick now) override;
  /// Other kernels share no SM with one at cycle zoom.
  void Dispatch(Tick) override {}
  /// Of all SMs.
  SmCounters Counters() const;
  /// Keeps the first instructions of the first SM; called after Start.
  void KeepIssues(std::size_t most) { lanes_.front().sm->KeepIssued(most); }
  std::vector<IssueRecord> Issues() const;
  /// Results of Tensor Cores that were computed with real values and compared.
  std::uint64_t checked() const { return product_ ? product_->checked() : 0; }

 private:
  struct Lane {
    std::unique_ptr<ChipSmMemory> memory;
    std::unique_ptr<SmCycle> sm;
    std::size_t resident = 0;
    Tick turn = kNever;  ///< the next
  };
  /// A running cluster, or a CTA alone.
  struct Cluster {
    const std::vector<std::uint32_t>* sms = nullptr;  ///< by member
    std::vector<std::uint32_t> slots;                 ///< the CTA's on each
    double tiles = 0;                                 ///< of each CTA
    std::int64_t running = 0;                         ///< CTAs
    std::uint32_t at_barrier = 0;
    std::uint64_t barrier_cycle = 0;
    std::uint32_t next_peer = 0;
  };

  void Place(const std::vector<std::uint32_t>& sms, std::uint64_t cycle);
  void Turn(std::uint32_t sm);
  void RunLane(std::uint32_t sm);
  void AwaitTurn(std::uint32_t sm, std::uint64_t cycle);
  void Charge(std::uint32_t sm);
  std::int64_t Contraction() const;
  void CheckAllProducts() const;
  std::int64_t ClustersInGrid() const;
  std::vector<CtaTile> TilesOf(std::int64_t cluster, std::uint32_t member) const;
  void Check(const SmCycle::Contraction& contraction);
  static void CallTurn(void* self, std::uint64_t argument) {
    static_cast<CyclePlayer*>(self)->Turn(static_cast<std::uint32_t>(argument));
  }
  // Between the members of a cluster.
  void Multicast(ClusterMember from, const std::vector<std::uint32_t>& receivers,
                 std::uint64_t cycle, const TouchedLine& line,
                 std::vector<std::uint64_t>* ready) override;
  void Arrive(ClusterMember to, std::size_t ring, std::size_t stage, std::uint64_t ready) override;
  void ArriveAtBarrier(ClusterMember from, std::uint64_t cycle) override;
  std::uint64_t LoadPeer(ClusterMember to, std::uint64_t cycle, std::int64_t bytes) override;
  // Of tiles that several CTAs work on.
  std::int64_t TileOf(std::uint32_t cta, std::uint32_t tile) const {
    return stream_k_.FirstTileOf(cta) + tile;
  }
  void SumsStored(std::uint32_t cta, std::uint32_t tile, std::uint64_t cycle) override;
  bool SumsAreThere(std::uint32_t cta, std::uint32_t tile) const override;

  const GpuProgram& program_;
  const GpuKernel& kernel_;
  std::uint32_t launch_, op_;
  const GpuSpec& gpu_;
  std::size_t most_;  ///< CTAs of an SM
  ClusterGrid grid_;
  StreamK stream_k_;
  struct TileSums {
    std::int64_t stored = 0;                 ///< CTAs that have
    std::int64_t parts = 0, contracted = 0;  ///< that were checked
  };
  std::vector<TileSums> tile_sums_;  ///< by tile, of stream-K
  ClusterSlots slots_;
  const std::vector<std::unique_ptr<Sm>>& sms_;
  EventQueue& events_;
  Clock clock_;
  Owner& owner_;
  Tick origin_ = 0, end_ = 0;
  std::vector<Lane> lanes_;
  std::vector<Cluster> clusters_;         ///< in the order of starting
  std::int64_t turns_ = 0;                ///< that are to come
  std::int64_t in_grid_ = 0, ended_ = 0;  ///< clusters
  std::uint64_t scheduler_cycle_ = 0;
  std::optional<ProductCheck> product_;  ///< of kernels on Tensor Cores
};

}  // namespace siliscope
