// SPDX-License-Identifier: Apache-2.0
#include "models/system/cpu_chip.h"

#include <algorithm>

#include "models/cpu/cpu_peak.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::uint64_t kQuantumCycles = 2000;  ///< that a core runs ahead between two events
constexpr std::size_t kMostSpans = 100'000;

/// Where the slots of a core go, as causes of its time.
constexpr std::array<Cause, kTopDown> kCauseOf = {
    Cause::kCompute, Cause::kOperand, Cause::kFillDrain, Cause::kMemoryLatency, Cause::kDependency};

}  // namespace

CpuChip::CpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine,
                 const Program& program, const SimulationOptions& options)
    : Domain(name),
      machine_(machine),
      program_(program),
      keep_spans_(options.spans),
      clock_(machine.clock_hz) {
  dram_ = std::make_unique<Dram>("dram", machine.EffectiveMemory());
  shared_ = std::make_unique<SharedMemory>("l3", machine.cpu, clock_);
  shared_->memory.bind(dram_->port);
  memory_ = std::make_unique<CoreMemory>(machine.cpu, *shared_);
  core_ = std::make_unique<CoreCycle>(machine.cpu, program.cpu.codes, *memory_,
                                      !options.zoom.units.empty());
  warming_ = !program.cpu.cold;
}

void CpuChip::Start() { PostFromOutside(0, &CallRunCalls, this, 0); }

void CpuChip::BeginPass() {
  begin_cycle_ = core_->End();
  core_->SleepUntil(begin_cycle_);
  core_->ResetCounters();
  memory_->ResetCounters();
  shared_->ResetCounters();
  dram_before_ = dram_->Counters();
  l2_charged_ = dram_read_charged_ = dram_write_charged_ = 0;
  times_ = {};
  operators_.assign(program_.operators.size(), {});
  next_call_ = 0;
}

/// Calls, up to the quantum's end: what the memory does comes in the order of its times, about.
void CpuChip::RunCalls() {
  if (next_call_ == 0) BeginPass();
  const std::uint64_t until = clock_.CyclesIn(queue().now()) + kQuantumCycles;
  const std::vector<CpuCall>& calls = program_.cpu.calls;
  while (next_call_ < calls.size() && core_->End() < until) {
    if (calls[next_call_].enter_s > 0) EnterLibrary(calls[next_call_]);
    const CoreCounters before = core_->counters();
    const std::uint64_t begin = std::max({core_->End(), begin_cycle_, entered_until_});
    core_->Run(calls[next_call_]);
    Charge(calls[next_call_], before, begin);
    ++next_call_;
  }
  if (next_call_ == calls.size()) {
    micro_ops_ += core_->counters().micro_ops - core_->counters().repeated;
    end_cycle_ = core_->End();
    if (!warming_) {
      finished_ = true;
      return;
    }
    warming_ = false;
    next_call_ = 0;
  }
  queue().Schedule(std::max(queue().now(), clock_.Cycles(core_->End())), &CallRunCalls, this, 0);
}

void CpuChip::EnterLibrary(const CpuCall& call) {
  const std::uint64_t begin = std::max(core_->End(), begin_cycle_);
  const Tick span = static_cast<Tick>(call.enter_s * 1e12);
  core_->SleepUntil(begin + clock_.CyclesIn(span));
  entered_until_ = begin + clock_.CyclesIn(span);
  const Tick time = clock_.Cycles(clock_.CyclesIn(span));
  times_[static_cast<std::size_t>(Cause::kLaunch)] += time;
  operators_[call.op].times[static_cast<std::size_t>(Cause::kLaunch)] += time;
  operators_[call.op].exclusive += time;
  operators_[call.op].active += time;
  operators_[call.op].begin =
      std::min(operators_[call.op].begin, clock_.Cycles(begin - begin_cycle_));
}

/// What came through the levels since the last call's end.
void CpuChip::ChargeBytes(OperatorRecord* op) {
  const CacheTraffic& l2 = memory_->l2();
  const auto charge = [](std::int64_t now, std::int64_t* charged, std::int64_t* to) {
    *to += now - *charged;
    *charged = now;
  };
  charge(std::max(l2.read_bytes, l2.write_bytes), &l2_charged_, &op->l2_bytes);
  charge(shared_->dram_read_bytes(), &dram_read_charged_, &op->dram_read_bytes);
  charge(shared_->dram_write_bytes(), &dram_write_charged_, &op->dram_write_bytes);
}

/// The call's time on the core, divided as the slots that came to their place in it.
void CpuChip::Charge(const CpuCall& call, const CoreCounters& before, std::uint64_t begin) {
  const Tick from = clock_.Cycles(begin - begin_cycle_);
  const Tick to = std::max(from, clock_.Cycles(core_->End() - begin_cycle_));
  OperatorRecord& op = operators_[call.op];
  op.begin = std::min(op.begin, from);
  op.end = std::max(op.end, to);
  op.active += to - from;
  op.exclusive += to - from;
  op.executed_flops += core_->counters().flops - before.flops;
  ChargeBytes(&op);
  double slots = 0;
  std::array<double, kTopDown> part{};
  for (std::size_t p = 0; p < kTopDown; ++p) {
    part[p] = static_cast<double>(core_->counters().slots[p] - before.slots[p]);
    slots += part[p];
  }
  Tick given = 0;
  for (std::size_t p = kTopDown; p-- > 0;) {
    const Tick span = p == 0 || slots <= 0
                          ? to - from - given
                          : static_cast<Tick>(static_cast<double>(to - from) * part[p] / slots);
    given += span;
    times_[static_cast<std::size_t>(kCauseOf[p])] += span;
    op.times[static_cast<std::size_t>(kCauseOf[p])] += span;
    if (slots <= 0) break;
  }
  if (keep_spans_ && !warming_ && spans_.size() < kMostSpans && to > from) {
    spans_.push_back({from, to, 0, call.op, kNone, Cause::kCompute, true});
  }
}

void CpuChip::AddLevels(Record* record) const {
  const CpuSpec& cpu = machine_.cpu;
  const auto add = [&](const char* name, std::int64_t read, std::int64_t write, double peak) {
    LevelRecord level;
    level.name = name;
    level.read_bytes = read;
    level.write_bytes = write;
    level.peak_bytes_per_s = peak;
    if (peak > 0) {
      level.busy = static_cast<Tick>(static_cast<double>(read + write) / peak * 1e12);
    }
    record->levels.push_back(level);
    return &record->levels.back();
  };
  LevelRecord* dram = add("dram", shared_->dram_read_bytes(), shared_->dram_write_bytes(),
                          dram_->spec().PeakBytesPerSecond());
  const DramCounters counters = dram_->Counters();
  dram->busy = counters.busy - dram_before_.busy;
  dram->channels = dram_->spec().ideal() ? 1 : static_cast<std::uint64_t>(dram_->spec().channels);
  dram->row_hits = counters.row_hits - dram_before_.row_hits;
  dram->row_misses = counters.row_misses - dram_before_.row_misses;
  dram->refresh = counters.refresh - dram_before_.refresh;
  const double cycles = machine_.clock_hz * static_cast<double>(cpu.cores);
  if (cpu.l3.size_bytes > 0) {
    add("l3", shared_->traffic().read_bytes, shared_->traffic().write_bytes, 0);
  }
  if (cpu.l2.size_bytes > 0) {
    add("l2", memory_->l2().read_bytes, memory_->l2().write_bytes,
        cycles * cpu.l2.fill_bytes_per_cycle)
        ->duplex = true;
  }
  add("l1", core_->counters().load_bytes, core_->counters().store_bytes, 0);
}

Record CpuChip::Finish() {
  if (!finished_) throw InternalError("the simulation is stuck in a call of a CPU core");
  Record record;
  record.total = clock_.Cycles(end_cycle_ - begin_cycle_);
  record.clock_hz = machine_.clock_hz;
  record.events = micro_ops_;
  record.critical_kind_units = 1;
  UnitRecord core;
  core.name = "core0";
  core.kind = "core";
  core.times = times_;
  core.commands = core_->counters().micro_ops;
  core.flops = core_->counters().flops;
  core.peak_flops_per_s =
      CpuPeak(machine_, program_.dtype) / static_cast<double>(machine_.cpu.cores);
  core.bytes = core_->counters().load_bytes + core_->counters().store_bytes;
  record.units.push_back(core);
  AddLevels(&record);
  record.operators = operators_;
  for (OperatorRecord& op : record.operators) {
    if (op.begin == kNever) op.begin = 0;
  }
  record.spans = std::move(spans_);
  return record;
}

}  // namespace siliscope
