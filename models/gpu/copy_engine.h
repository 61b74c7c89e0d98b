// SPDX-License-Identifier: Apache-2.0
// Copies between the host's memory and the chip's: an engine cuts a copy into requests, keeps so
// many under way, and each crosses the link in packets with their headers. Engines share the link,
// and on the chip the L2 and the memory with everything else.
#pragma once

#include <array>
#include <deque>
#include <systemc>
#include <vector>

#include "models/gpu/kernel_player.h"
#include "models/gpu/l2_cache.h"
#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"
#include "sim/core/event_queue.h"
#include "sim/core/timeline.h"

namespace siliscope {

/// The link to the host, each way on its own, and the engines that use it.
class HostLink : public sc_core::sc_module {
 public:
  sc_core::sc_port<L2Port> l2{"l2"};

  /// Copies come to the `partitions` of the L2 in turn.
  HostLink(const sc_core::sc_module_name& name, const GpuHostLinkSpec& spec,
           std::int64_t partitions);

  /// Engines that copies may take and give back.
  bool HasEngine() const { return engines_in_use_ < spec_.copy_engines; }
  void TakeEngine() { ++engines_in_use_; }
  void GiveEngine() { --engines_in_use_; }
  /// `bytes` cross the link, from `ready` on; returns when the last packet has.
  Tick Cross(HostCopy way, Tick ready, std::int64_t bytes);
  /// What has crossed so far, and the time that it took.
  struct Traffic {
    std::int64_t to_chip_bytes = 0, from_chip_bytes = 0;
    Tick busy = 0;
  };
  Traffic traffic() const { return {bytes_[0], bytes_[1], ways_[0].busy() + ways_[1].busy()}; }
  const GpuHostLinkSpec& spec() const { return spec_; }
  std::int64_t partitions() const { return partitions_; }

 private:
  GpuHostLinkSpec spec_;
  std::int64_t partitions_;
  std::int64_t engines_in_use_ = 0;
  std::array<Timeline, 2> ways_;
  std::array<std::int64_t, 2> bytes_{};
};

/// Plays one copy.
class CopyPlayer : public LaunchPlayer {
 public:
  CopyPlayer(const GpuProgram& program, std::uint32_t launch, HostLink& link, EventQueue& events,
             Owner& owner);

  void Start(Tick now) override;
  /// An engine may have come free.
  void Dispatch(Tick now) override;

 private:
  void Next();
  void End();
  static void CallNext(void* self, std::uint64_t) { static_cast<CopyPlayer*>(self)->Next(); }
  static void CallEnd(void* self, std::uint64_t) { static_cast<CopyPlayer*>(self)->End(); }

  const GpuKernel& kernel_;
  const GpuTensor& tensor_;
  std::uint32_t launch_, tensor_index_;
  HostLink& link_;
  EventQueue& events_;
  Owner& owner_;
  bool running_ = false;
  std::int64_t row_ = 0, byte_ = 0;  ///< of the next request
  std::deque<Tick> under_way_;       ///< when each request is done
  Tick end_ = 0;
};

}  // namespace siliscope
