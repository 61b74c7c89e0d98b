// SPDX-License-Identifier: Apache-2.0
// A program runs more than once: first to bring caches and clock to where a repeated run finds
// them.
#include <algorithm>

#include "models/energy/power.h"
#include "models/system/gpu_chip.h"

namespace siliscope {
namespace {

/// Traffic, in sizes of the L2, after which caches are as in a repeated run.
constexpr std::int64_t kWarmingL2Sizes = 4;

}  // namespace

/// A repeated run finds in the caches what its predecessor's last launches left, and a clock that
/// the power of a whole run sets. So the first pass runs those last launches alone; of short
/// programs they are all, and its power sets the clock of the second. Of a longer program the
/// second pass is the first whole one: where the power limit asks for a lower clock, a third runs
/// at that.
void GpuChip::PassDone() {
  pass_end_ = queue().now() + skipped_;
  const bool whole = pass_ > 0 || first_of_tail_ == 0;
  const double clock = whole && pass_ < 2 ? ClockUnderPowerLimit() : clock_hz_;
  if (pass_ == 2 || (pass_ == 1 && (first_of_tail_ == 0 || clock == clock_hz_))) {
    finished_ = true;
    return;
  }
  ++pass_;
  SetClock(clock);
  EvictColdWeights();
  BeginPass();
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

/// The clock at which the pass that has just ended stays within the chip's power.
double GpuChip::ClockUnderPowerLimit() const {
  const GpuSpec& gpu = machine_.gpu;
  if (gpu.lock_clock_hz > 0 || machine_.IsIdeal("power")) return clock_hz_;
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
  const L2Counters& l2 = l2_->counters();
  events.l2_bytes = static_cast<double>(l2.read_bytes + l2.write_bytes);
  events.dram_bytes = static_cast<double>(l2.dram_read_bytes + l2.dram_write_bytes);
  return SustainedClock(gpu.power, EnergyOf(gpu.power, events), ToSeconds(pass_end_ - pass_begin_),
                        machine_.tdp_w, machine_.clock_hz, gpu.base_clock_hz);
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
