// SPDX-License-Identifier: Apache-2.0
// What a GPU reports of a run: units, levels of memory, operators and kernels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/gpu/gpu_peak.h"
#include "models/system/gpu_chip.h"

namespace siliscope {
namespace {

/// Shares of the issue slots.
std::vector<double> IssueSlots(const SmCounters& counters) {
  double sum = 0;
  for (const std::uint64_t slot : counters.slots) sum += static_cast<double>(slot);
  std::vector<double> shares;
  for (const std::uint64_t slot : counters.slots) {
    shares.push_back(sum > 0 ? static_cast<double>(slot) / sum : 0);
  }
  return shares;
}

/// While CTAs compute, slots go where the cycle zoom saw them go; the rest of the operator's time
/// on the SMs is warps that wait for memory, for each other, or no warps.
std::vector<double> IssueSlotsOfRun(const SmCounters& counters, const CauseTimes& times) {
  std::vector<double> shares = IssueSlots(counters);
  const auto time = [&](Cause cause) {
    return static_cast<double>(times[static_cast<std::size_t>(cause)]);
  };
  double run = -time(Cause::kLaunch) - time(Cause::kCommunication);
  for (const Tick t : times) run += static_cast<double>(t);
  if (run <= 0) return shares;
  const double computing = time(Cause::kCompute) / run;
  const double memory = (time(Cause::kMemoryBandwidth) + time(Cause::kMemoryLatency)) / run;
  const double waiting = time(Cause::kDependency) / run;
  for (double& share : shares) share *= computing;
  shares[static_cast<std::size_t>(IssueSlot::kLongScoreboard)] += memory;
  shares[static_cast<std::size_t>(IssueSlot::kWait)] += waiting;
  shares[static_cast<std::size_t>(IssueSlot::kNoWarp)] += 1 - computing - memory - waiting;
  return shares;
}

}  // namespace

void GpuChip::AddUnits(Record* record) const {
  for (std::size_t s = 0; s < sms_.size(); ++s) {
    UnitRecord unit;
    unit.name = fmt::format("sm{}", s);
    unit.kind = "sm";
    unit.times = sms_[s]->times();
    unit.commands = sms_[s]->steps();
    unit.flops = sms_[s]->flops();
    unit.peak_flops_per_s = SmPeak(machine_.gpu, program_.dtype, machine_.clock_hz);
    unit.bytes = sms_[s]->loaded_bytes();
    record->units.push_back(std::move(unit));
  }
}

void GpuChip::AddLevels(Record* record) const {
  const L2Counters l2 = l2_->counters();
  LevelRecord dram;
  dram.name = "dram";
  dram.peak_bytes_per_s = dram_->spec().PeakBytesPerSecond();
  dram.channels = dram_->spec().ideal() ? 1 : static_cast<std::uint64_t>(dram_->spec().channels);
  DramCounters counters = dram_->Counters();
  counters.Add(dram_skipped_);
  dram.busy = counters.busy - dram_before_.busy;
  dram.row_hits = counters.row_hits - dram_before_.row_hits;
  dram.row_misses = counters.row_misses - dram_before_.row_misses;
  dram.refresh = counters.refresh - dram_before_.refresh;
  dram.read_bytes = l2.dram_read_bytes;
  dram.write_bytes = l2.dram_write_bytes;
  record->events += counters.steps;
  record->levels.push_back(dram);
  LevelRecord cache;
  cache.name = "l2";
  cache.channels = static_cast<std::uint64_t>(machine_.gpu.l2.slices);
  cache.read_bytes = l2.read_bytes;
  cache.write_bytes = l2.write_bytes;
  cache.peak_bytes_per_s = l2_->bytes_per_s();
  cache.busy = l2.busy;
  record->levels.push_back(cache);
  AddLevelsOfSms(record);
  const HostLink::Traffic link = host_link_->traffic();
  LevelRecord host;
  host.name = "host_link";
  host.read_bytes = link.to_chip_bytes - link_before_.to_chip_bytes;
  host.write_bytes = link.from_chip_bytes - link_before_.from_chip_bytes;
  host.peak_bytes_per_s = host_link_->spec().bytes_per_s;
  host.busy = link.busy - link_before_.busy;
  host.channels = 2;  // one each way
  host.duplex = true;
  if (host.read_bytes + host.write_bytes > 0) record->levels.push_back(host);
}

/// What all SMs move between registers and L1 or shared memory, which are the same banks from
/// Volta on.
void GpuChip::AddLevelsOfSms(Record* record) const {
  SmTraffic sum;
  for (std::uint32_t i = 0; i < gpu_.launches.size(); ++i) {
    const std::uint32_t index = gpu_.launches[i].kernel;
    const auto zoomed = zoomed_counters_.find(i);
    sum.Add(zoomed == zoomed_counters_.end() ? TrafficOf(gpu_.kernels[index], costs_[index])
                                             : SmTraffic::Of(zoomed->second),
            1);
  }
  const SharedMemorySmSpec& banks = machine_.gpu.sm.shared_memory;
  const auto sms = static_cast<double>(machine_.gpu.sms);
  const auto width = static_cast<double>(banks.banks * banks.bank_width_bytes);
  const auto add = [&](const char* name, double read_bytes, double write_bytes, bool duplex) {
    LevelRecord level;
    level.name = name;
    level.channels = static_cast<std::uint64_t>(machine_.gpu.sms);
    level.read_bytes = std::llround(std::max(0.0, read_bytes));
    level.write_bytes = std::llround(std::max(0.0, write_bytes));
    level.peak_bytes_per_s = sms * width * machine_.clock_hz;
    level.duplex = duplex;
    level.busy =
        Clock(machine_.clock_hz).Cycles(static_cast<double>(level.LimitingBytes()) / width);
    record->levels.push_back(level);
  };
  add("l1", sum.l1_read_bytes, sum.l1_write_bytes, false);
  // Copies by engines are written past the pipe that loads take.
  add("shared_memory", sum.shared_read_bytes, sum.shared_write_bytes, true);
}

void GpuChip::AddOperators(Record* record) const {
  record->operators = operators_;
  const auto sms = static_cast<Tick>(sms_.size());
  for (std::size_t i = 0; i < gpu_.launches.size(); ++i) {
    const GpuLaunch& launch = gpu_.launches[i];
    const GpuKernel& kernel = gpu_.kernels[launch.kernel];
    OperatorRecord& op = record->operators[launch.op];
    const LaunchState& s = states_[i];
    op.begin = std::min(op.begin, s.start - pass_begin_ + s.skipped_before);
    op.end = std::max(op.end, s.end - pass_begin_ + s.skipped);
    op.active += s.end + s.skipped - s.start - s.skipped_before;
    const L2Counters& l2 = l2_->counters(static_cast<std::uint32_t>(i));
    if (kernel.host_copy != HostCopy::kNone) {
      const GpuTensor& tensor = gpu_.tensors[kernel.streams.front().tensor];
      op.host_bytes += tensor.rows * tensor.row_bytes;
    }
    op.l2_bytes += l2.read_bytes + l2.write_bytes;
    op.dram_read_bytes += l2.dram_read_bytes;
    op.dram_write_bytes += l2.dram_write_bytes;
    if (kernel.macs_per_cta <= 0) {
      op.pipe_operations += kernel.fp32_per_cta * static_cast<double>(kernel.grid.Ctas());
    }
    op.executed_flops +=
        2 * kernel.macs_per_cta * kernel.useful_share * static_cast<double>(kernel.grid.Ctas());
  }
  for (OperatorRecord& op : record->operators) {
    Tick sum = 0;
    for (const Tick t : op.times) sum += t;
    op.exclusive = (sum + sms / 2) / sms;
    if (op.begin == kNever) op.begin = 0;
  }
}

void GpuChip::AddKernels(Record* record) const {
  for (std::uint32_t i = 0; i < gpu_.launches.size(); ++i) {
    const std::uint32_t index = gpu_.launches[i].kernel;
    const GpuKernel& kernel = gpu_.kernels[index];
    const LaunchState& state = states_[i];
    const Occupancy& occupancy = occupancy_[index];
    KernelRecord r;
    r.launch = i;
    r.queued = state.begin - pass_begin_ + state.skipped_before;
    r.start = state.start - pass_begin_ + state.skipped_before;
    r.end = state.end - pass_begin_ + state.skipped;
    r.ctas = kernel.grid.Ctas();
    r.ctas_per_sm = occupancy.ctas;
    r.limiter = occupancy.limiter;
    r.occupancy_pct = 100 * occupancy.share;
    const auto slots = static_cast<double>(occupancy.ctas) * static_cast<double>(sms_.size());
    r.waves = static_cast<double>(r.ctas) / slots;
    r.pipe_flops = 2 * (kernel.macs_per_cta > 0 ? kernel.macs_per_cta : kernel.fp32_per_cta) *
                   static_cast<double>(r.ctas);
    const L2Counters& l2 = l2_->counters(i);
    r.l2_read_bytes = l2.read_bytes;
    r.l2_write_bytes = l2.write_bytes;
    r.l2_miss_bytes = l2.miss_bytes;
    r.dram_bytes = l2.dram_read_bytes + l2.dram_write_bytes;
    for (const KernelPass& pass : kernel.passes) {
      r.steps += StepsOf(kernel, pass, PlaceOf(kernel.grid, 0)).count;
    }
    const auto zoomed = zoomed_counters_.find(r.launch);
    const SmCounters& counters =
        zoomed == zoomed_counters_.end() ? costs_[index].counters : zoomed->second;
    if (counters.macs > 0) {
      r.register_bytes_per_mac = counters.register_bytes / counters.macs;
      r.shared_bytes_per_mac =
          static_cast<double>(counters.shared_read_bytes + counters.shared_write_bytes) /
          counters.macs;
    }
    r.active_lanes = counters.instructions == 0 ? 0
                                                : static_cast<double>(counters.lanes) /
                                                      static_cast<double>(counters.instructions);
    r.issue_slots = zoomed == zoomed_counters_.end()
                        ? IssueSlotsOfRun(counters, operators_[gpu_.launches[i].op].times)
                        : IssueSlots(counters);
    record->kernels.push_back(std::move(r));
  }
  for (std::size_t s = 0; s < kIssueSlots; ++s) {
    record->issue_slot_names.emplace_back(IssueSlotName(static_cast<IssueSlot>(s)));
  }
}

}  // namespace siliscope
