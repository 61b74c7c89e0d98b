// SPDX-License-Identifier: Apache-2.0
// A program runs more than once: first to bring caches and clock to where a repeated run finds
// them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "models/system/gpu_chip.h"

namespace siliscope {
namespace {

/// Traffic, in sizes of the L2, after which caches are as in a repeated run.
constexpr std::int64_t kWarmingL2Sizes = 4;
constexpr double kSameClock = 0.015;  ///< a difference that isn't worth another pass

}  // namespace

void GpuChip::PassDone() {
  pass_end_ = queue().now() + skipped_;
  const double clock_hz = ClockUnderPowerLimit();
  if (!warming_) {
    // What was played of the pass before may not have told the power of the whole: once more then.
    finished_ =
        repeated_ || !zoom_.units.empty() || std::abs(clock_hz / clock_hz_ - 1) < kSameClock;
    if (finished_) return;
    repeated_ = true;
  }
  SetClock(clock_hz);
  warming_ = false;
  EvictColdWeights();
  BeginPass();
}

/// A repeated run finds in the caches what its predecessor's last launches left, and a clock that
/// the power of a whole run sets. So the pass that warms up plays those last launches, and, where
/// power may set the clock, of each kind of earlier launches the first waves of one, which stands
/// for them all.
void GpuChip::ChooseWarmUp() {
  const auto launches = static_cast<std::uint32_t>(gpu_.launches.size());
  first_of_tail_ = FirstOfTail();
  stands_for_.resize(launches);
  std::unordered_map<std::string, std::uint32_t> kinds;
  for (std::uint32_t i = launches; i-- > 0;) {
    stands_for_[i] = i;
    if (PowerMatters() && streams_.size() == 1) {
      stands_for_[i] = kinds.emplace(LaunchKey(i), i).first->second;
    }
    if (i >= first_of_tail_ || (PowerMatters() && streams_.size() > 1)) {
      stands_for_[i] = i;
    } else if (!PowerMatters()) {
      stands_for_[i] = launches - 1;
    }
  }
}

/// The first of the last launches that together move several times what the L2 holds.
std::uint32_t GpuChip::FirstOfTail() const {
  if (!zoom_.units.empty()) return 0;
  std::int64_t bytes = 0;
  for (auto i = static_cast<std::uint32_t>(gpu_.launches.size()); i-- > 0;) {
    for (const OperandStream& stream : gpu_.kernels[gpu_.launches[i].kernel].streams) {
      const GpuTensor& tensor = gpu_.tensors[stream.tensor];
      bytes += tensor.rows * tensor.row_bytes;
    }
    if (bytes >= kWarmingL2Sizes * machine_.gpu.l2.size_bytes) return i;
  }
  return 0;
}

/// Launches of one key do the same work on tensors of the same shapes.
std::string GpuChip::LaunchKey(std::uint32_t launch) const {
  const GpuKernel& kernel = gpu_.kernels[gpu_.launches[launch].kernel];
  const GridMap& g = kernel.grid;
  const Occupancy& occupancy = occupancy_[gpu_.launches[launch].kernel];
  std::string key = CtaCostKey(machine_.gpu, kernel, occupancy.ctas);
  key += fmt::format(" {}x{}x{}x{}", g.rows, g.columns, g.batch, g.splits);
  for (const KernelPass& pass : kernel.passes) key += fmt::format(" {}", pass.steps);
  for (const OperandStream& s : kernel.streams) {
    const GpuTensor& t = gpu_.tensors[s.tensor];
    key += fmt::format(" {}x{} of {}x{}{}", s.rows, s.row_bytes, t.rows, t.row_bytes,
                       t.weight ? "w" : "");
  }
  return key + fmt::format(" {}", LaunchSeconds(launch));
}

/// Leaves out launches for which others stand, where it is a stream's turn: only their pages are
/// remembered.
void GpuChip::LeaveOut() {
  for (Stream& stream : streams_) {
    Tick end = stream.next == 0 ? pass_begin_ : states_[stream.launches[stream.next - 1]].end;
    for (; !stream.under_way && stream.next < stream.launches.size(); ++stream.next) {
      const std::uint32_t launch = stream.launches[stream.next];
      if (stands_for_[launch] == launch) break;
      states_[launch].done = true;
      states_[launch].begin = states_[launch].end = end;
      --launches_left_;
      RememberPages(launch);
    }
  }
}

/// Of CTAs that are not played the pages are known afterwards, as if they had been.
void GpuChip::RememberPages(std::uint32_t launch) {
  const std::int64_t page = machine_.gpu.sm.tlb.page_bytes;
  for (const OperandStream& s : gpu_.kernels[gpu_.launches[launch].kernel].streams) {
    const GpuTensor& t = gpu_.tensors[s.tensor];
    tlb_.Touch(t.address / page, (t.address + t.rows * t.row_bytes - 1) / page);
  }
}

bool GpuChip::PowerMatters() const {
  return machine_.gpu.lock_clock_hz <= 0 && !machine_.IsIdeal("power") && machine_.tdp_w > 0;
}

/// Of the pass that has just ended.
EnergyEvents GpuChip::CountEnergyEvents() const {
  EnergyEvents events;
  for (const GpuLaunch& launch : gpu_.launches) {
    const GpuKernel& kernel = gpu_.kernels[launch.kernel];
    const auto ctas = static_cast<double>(kernel.grid.Ctas());
    DataType type{};
    const double width = ParseDataType(kernel.dtype, &type) ? BitsPerElement(type) / 16.0 : 1;
    (kernel.tensor_core ? events.tensor_macs : events.fp32_macs) +=
        kernel.macs_per_cta * ctas * (kernel.tensor_core ? width : 1);
    events.fp32_macs += kernel.fp32_per_cta * ctas;
  }
  for (std::uint32_t i = 0; i < gpu_.launches.size(); ++i) {
    const std::uint32_t played = warming_ ? stands_for_[i] : i;
    const double times = warming_ ? states_[played].times : 1;
    const L2Counters& l2 = l2_->counters(played);
    events.l2_bytes += times * static_cast<double>(l2.read_bytes + l2.write_bytes);
    events.dram_bytes += times * static_cast<double>(l2.dram_read_bytes + l2.dram_write_bytes);
  }
  return events;
}

/// The clock at which the pass that has just ended stays within the chip's power.
double GpuChip::ClockUnderPowerLimit() const {
  if (!PowerMatters()) return clock_hz_;
  const GpuSpec& gpu = machine_.gpu;
  double seconds = ToSeconds(pass_end_ - pass_begin_);
  if (warming_ && streams_.size() == 1) {  // not all were played
    seconds = 0;
    for (const std::uint32_t played : stands_for_) {
      seconds += states_[played].times * ToSeconds(states_[played].Length());
    }
  }
  return SustainedClock(gpu.power, EnergyOf(gpu.power, CountEnergyEvents()),
                        seconds * clock_hz_ / machine_.clock_hz, machine_.tdp_w, machine_.clock_hz,
                        gpu.base_clock_hz);
}

void GpuChip::EvictColdWeights() {
  if (!gpu_.cold_weights) return;
  const GpuSpec& gpu = machine_.gpu;
  for (std::uint32_t t = 0; t < gpu_.tensors.size(); ++t) {
    const GpuTensor& tensor = gpu_.tensors[t];
    if (!tensor.weight) continue;
    l2_->Evict(t, queue().now());
    const std::int64_t page = gpu.sm.tlb.page_bytes;
    tlb_.Forget(tensor.address / page,
                (tensor.address + tensor.rows * tensor.row_bytes - 1) / page);
  }
  for (const auto& sm : sms_) sm->ForgetPages();
}

}  // namespace siliscope
