// SPDX-License-Identifier: Apache-2.0
// Plays one launch of a kernel with every SM at cycle zoom: each warp instruction of each CTA runs,
// and its loads and stores go line by line to the same L2 and memory as at tile zoom. SMs take
// turns of a few cycles, so that their requests come in the order of time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

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

class CyclePlayer : public LaunchPlayer {
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

  /// Why a kernel cannot run at cycle zoom on a whole chip; "" = it can.
  static std::string Refusal(const GpuKernel& kernel);

 private:
  struct Lane {
    std::unique_ptr<ChipSmMemory> memory;
    std::unique_ptr<SmCycle> sm;
    std::size_t resident = 0;
    bool scheduled = false;
  };

  void Place(std::uint32_t sm, std::uint64_t cycle);
  void Turn(std::uint32_t sm);
  void Charge(std::uint32_t sm);
  std::int64_t Contraction() const;
  static void CallTurn(void* self, std::uint64_t argument) {
    static_cast<CyclePlayer*>(self)->Turn(static_cast<std::uint32_t>(argument));
  }

  const GpuProgram& program_;
  const GpuKernel& kernel_;
  std::uint32_t launch_, op_;
  const GpuSpec& gpu_;
  std::size_t most_;  ///< CTAs of an SM
  const std::vector<std::unique_ptr<Sm>>& sms_;
  EventQueue& events_;
  Clock clock_;
  Owner& owner_;
  Tick origin_ = 0, end_ = 0;
  std::vector<Lane> lanes_;
  std::int64_t started_ = 0, ended_ = 0;
  std::uint64_t scheduler_cycle_ = 0;
  std::optional<ProductCheck> product_;  ///< of kernels on Tensor Cores
};

}  // namespace siliscope
