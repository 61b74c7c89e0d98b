// SPDX-License-Identifier: Apache-2.0
// A GPU: streams of kernel launches, SMs, a crossbar to the L2, and off-chip memory. One SystemC
// process drains the chip's event queue. A program is played twice: once to bring caches and clock
// to where a repeated run has them, then for the record.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "models/energy/power.h"
#include "models/gpu/copy_engine.h"
#include "models/gpu/cycle_player.h"
#include "models/gpu/kernel_player.h"
#include "models/gpu/l2_cache.h"
#include "models/gpu/neighbour_traffic.h"
#include "models/memory/dram.h"
#include "sim/contract/machine_spec.h"
#include "sim/contract/program.h"
#include "sim/contract/system_model.h"
#include "sim/core/domain.h"

namespace siliscope {

class GpuChip : public Domain, public LaunchPlayer::Owner {
 public:
  GpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine, const Program& program,
          const SimulationOptions& options);

  void Start();
  Record Finish();

 private:
  struct LaunchState {
    Tick begin = 0, start = 0, end = 0;    ///< of the gap, of the kernel
    Tick skipped_before = 0, skipped = 0;  ///< time that was not played, up to start and end
    L2Counters window;                     ///< traffic up to the present window of CTAs
    double times = 1;  ///< of a grid that is not played whole: how often what is played fits
    bool done = false;
    Tick Length() const { return end + skipped - begin - skipped_before; }
  };
  /// Launches that run in order.
  struct Stream {
    std::vector<std::uint32_t> launches;
    std::size_t next = 0;    ///< the first that hasn't ended
    bool under_way = false;  ///< it has been started
  };

  void BeginPass();
  void StartReady();
  void StartLaunch(std::uint32_t launch);
  void KernelDone(std::uint32_t launch, Tick end) override;
  void CtaDone(const CtaRecord& cta) override;
  void BeginWindow(std::uint32_t launch) override;
  L2Arrivals ArrivedInWindow(std::uint32_t launch) const override;
  bool Alone(std::uint32_t launch) const override;
  void SkipWindows(std::int64_t windows, Tick length, std::uint32_t launch) override;
  void SkipSteps(std::int64_t windows, Tick length, std::uint32_t launch,
                 const L2Arrivals& followed) override;
  void SkipTime(std::int64_t windows, Tick length, std::uint32_t launch);
  void PassDone();
  std::uint32_t FirstOfTail() const;
  void ChooseWarmUp();
  void LeaveOut();
  void RememberPages(std::uint32_t launch);
  std::string LaunchKey(std::uint32_t launch) const;
  bool PowerMatters() const;
  EnergyEvents CountEnergyEvents() const;
  double ClockUnderPowerLimit() const;
  void EvictColdWeights();
  void SetClock(double hertz);
  double LaunchSeconds(std::uint32_t launch) const;
  const CtaCost& CostOf(std::uint32_t kernel);
  void Resume();
  void AddUnits(Record* record) const;
  void AddLevels(Record* record) const;
  void AddLevelsOfSms(Record* record) const;
  void AddOperators(Record* record) const;
  void AddKernels(Record* record) const;

  template <void (GpuChip::*Method)(std::uint32_t)>
  static void Call(void* self, std::uint64_t argument) {
    (static_cast<GpuChip*>(self)->*Method)(static_cast<std::uint32_t>(argument));
  }
  static void CallResume(void* self, std::uint64_t) { static_cast<GpuChip*>(self)->Resume(); }

  bool Zoomed(std::uint32_t launch) const;
  Cause IdleCause(std::uint32_t launch) const;

  bool keep_spans_;
  ZoomRequest zoom_;
  std::uint64_t zoomed_instructions_ = 0, checked_products_ = 0;
  std::map<std::uint32_t, SmCounters> zoomed_counters_;  ///< by launch
  std::vector<CtaRecord> ctas_;
  std::vector<IssueRecord> issues_;
  MachineSpec machine_;
  const Program& program_;
  const GpuProgram& gpu_;
  Clock clock_;
  std::unique_ptr<Dram> dram_;
  std::unique_ptr<L2Cache> l2_;
  std::unique_ptr<HostLink> host_link_;
  std::unique_ptr<NeighbourTraffic> neighbour_;  ///< where there is one
  std::vector<Timeline> gpc_ports_;
  ChipTlb tlb_;
  std::vector<std::unique_ptr<Sm>> sms_;
  std::vector<CtaCost> costs_;        ///< by kernel
  std::vector<Occupancy> occupancy_;  ///< by kernel
  std::vector<LaunchState> states_;
  std::map<std::uint32_t, std::unique_ptr<LaunchPlayer>> players_;  ///< running
  std::vector<OperatorRecord> operators_;
  std::vector<Stream> streams_;
  std::size_t launches_left_ = 0;
  /// By launch: the one that stands for it in the pass that warms up, mostly itself.
  std::vector<std::uint32_t> stands_for_;
  std::uint32_t first_of_tail_ = 0;  ///< launches that leave the caches as the program does
  bool warming_ = true;
  bool repeated_ = false;  ///< at another clock
  bool finished_ = false;
  Tick pass_begin_ = 0, pass_end_ = 0;
  HostLink::Traffic link_before_;
  std::uint32_t window_launch_ = 0;  ///< that began the present window
  DramCounters dram_before_, dram_window_, dram_skipped_;
  Tick skipped_ = 0;  ///< time of this pass that was not played
  double clock_hz_ = 0;
};

}  // namespace siliscope
