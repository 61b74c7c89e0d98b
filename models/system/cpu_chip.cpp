// SPDX-License-Identifier: Apache-2.0
#include "models/system/cpu_chip.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/cpu/cpu_peak.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::size_t kMostSpans = 100'000, kMostMicroOps = 4096;

/// Where the slots of a core go, as causes of its time.
constexpr std::array<Cause, kTopDown> kCauseOf = {
    Cause::kCompute, Cause::kOperand, Cause::kFillDrain, Cause::kMemoryLatency, Cause::kDependency};

Tick& TimeOf(CauseTimes* times, Cause cause) { return (*times)[static_cast<std::size_t>(cause)]; }

}  // namespace

CpuChip::CpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine,
                 const Program& program, const SimulationOptions& options)
    : Domain(name),
      machine_(machine),
      program_(program),
      keep_spans_(options.spans),
      clock_(program.cpu.wide_vectors ? machine.MatrixClock() : machine.clock_hz),
      numa_(machine.cpu, program.cpu.tensors),
      // Cores that run at the same time meet in the memory about in the order of their times.
      // Those of one core meet in its ports.
      quantum_cycles_(machine.cpu.core.hardware_threads > 1 ? 8
                      : machine.cpu.cores > 1               ? 256
                                                            : 2000) {
  DramSpec node = machine.EffectiveMemory();
  const auto nodes = static_cast<std::size_t>(machine.cpu.numa.nodes);
  node.channels /= static_cast<std::int64_t>(nodes);
  node.mapping.scattered = true;
  node.ideal_bandwidth_bytes_per_s /= static_cast<double>(nodes);
  shared_ = std::make_unique<SharedMemory>("shared", machine.cpu, clock_, numa_);
  for (std::size_t n = 0; n < nodes; ++n) {
    const std::string of_node = nodes == 1 ? "dram" : fmt::format("dram{}", n);
    drams_.push_back(std::make_unique<Dram>(of_node.c_str(), node));
    shared_->memory[n].bind(drams_.back()->port);
  }
  std::size_t threads = 1;
  for (const CpuRegion& region : program.cpu.regions) {
    threads = std::max(threads, region.threads.size());
  }
  // Threads that share a core are simulated micro-operation by micro-operation; one that has no
  // other beside it has all of the core.
  const bool share = threads > static_cast<std::size_t>(machine.cpu.cores);
  const std::int64_t of_core = share ? machine.cpu.core.hardware_threads : 1;
  if (options.zoom.units.empty() && of_core == 1) {
    turns_ = std::make_unique<TurnMemory>(program.cpu.codes, machine.cpu.core.reorder_window,
                                          threads > 1);
  }
  cores_.resize(std::min(threads, static_cast<std::size_t>(machine.cpu.cores)));
  for (Core& core : cores_) {
    core.memory = std::make_unique<CoreMemory>(machine.cpu, *shared_);
    core.slots = std::make_unique<CoreSlots>(of_core, machine.cpu.core.width);
  }
  threads_.resize(threads);
  for (std::size_t t = 0; t < threads; ++t) {
    const Core& core = cores_[t % cores_.size()];
    threads_[t].cycle = std::make_unique<CoreCycle>(machine.cpu, program.cpu.codes, *core.memory,
                                                    *core.slots, turns_.get(), threads == 1);
  }
  warming_ = !program.cpu.cold;
}

void CpuChip::Start() { PostFromOutside(0, &CallBeginRegion, this, 0); }

void CpuChip::BeginPass() {
  begin_cycle_ = region_cycle_;
  constexpr std::int64_t kExact = 3'000'000;  // what is small is simulated whole
  if (turns_ != nullptr) {
    turns_->Warm(warming_);
    if (!warming_) turns_->Simulate(kExact);
  }
  shared_->Warm(warming_);
  for (Core& core : cores_) core.memory->ResetCounters();
  for (Thread& thread : threads_) {
    thread.cycle->ResetCounters();
    thread.times = {};
  }
  if (keep_spans_ && !warming_) threads_[0].cycle->Keep(kMostMicroOps);
  shared_->ResetCounters();
  dram_before_ = DramCountersOfAll();
  l2_charged_ = dram_read_charged_ = dram_write_charged_ = 0;
  operators_.assign(program_.operators.size(), {});
}

/// A line's way from one core to another that waits for it.
std::uint64_t CpuChip::Hop(std::uint32_t from, std::uint32_t to) const {
  from = static_cast<std::uint32_t>(machine_.cpu.CoreOf(from));
  to = static_cast<std::uint32_t>(machine_.cpu.CoreOf(to));
  const auto cluster = static_cast<std::uint32_t>(machine_.cpu.CoresOfCluster());
  const CpuClusterSpec& s = machine_.cpu.cluster;
  return static_cast<std::uint64_t>(from / cluster == to / cluster ? s.transfer_cycles
                                                                   : s.remote_transfer_cycles);
}

void CpuChip::BeginRegion() {
  if (next_region_ == 0) BeginPass();
  const CpuRegion& region = program_.cpu.regions[next_region_];
  entered_cycle_ = region_cycle_ + clock_.CyclesIn(static_cast<Tick>(region.enter_s * 1e12 + 0.5));
  running_ = region.threads.size();
  for (std::uint32_t t = 0; t < region.threads.size(); ++t) {
    Thread& thread = threads_[t];
    // In the tree a thread is woken by the one whose number lacks its highest bit.
    std::uint32_t parent = t;
    for (std::uint32_t bit = 1; bit <= t; bit <<= 1) {
      if ((t & bit) != 0) parent = t & ~bit;
    }
    thread.woken = t == 0 ? entered_cycle_ : threads_[parent].woken + Hop(parent, t);
    thread.next_call = 0;
    thread.in_call = false;
    thread.before = thread.cycle->counters();
    thread.cycle->SleepUntil(thread.woken);
    queue().Schedule(std::max(queue().now(), clock_.Cycles(thread.woken)), &CallRunThread, this, t);
  }
}

void CpuChip::RunThread(std::uint32_t number) {
  Thread& thread = threads_[number];
  const auto& calls = program_.cpu.regions[next_region_].threads[number];
  constexpr std::uint64_t kLong = 16;  // cores don't wait for each other while caches are warmed
  const std::uint64_t quantum = warming_ ? kLong * quantum_cycles_ : quantum_cycles_;
  std::uint64_t until = clock_.CyclesIn(queue().now()) + quantum;
  // Threads of a core lead each other in turn: who comes first has the choice of its slots.
  const bool begins = thread.next_call == 0 && !thread.in_call;
  if (begins && number >= cores_.size()) until -= quantum / 2;
  while (thread.next_call < calls.size()) {
    if (!thread.in_call) thread.cycle->Begin(calls[thread.next_call]);
    thread.in_call = !thread.cycle->Continue(until);
    if (!thread.in_call) ++thread.next_call;
    if (thread.in_call || thread.cycle->now() > until) break;
  }
  if (thread.next_call < calls.size()) {
    const Tick when = clock_.Cycles(std::max(until, thread.cycle->now()));
    queue().Schedule(std::max(queue().now(), when), &CallRunThread, this, number);
    return;
  }
  thread.ended = std::max(thread.woken, thread.cycle->End());
  if (--running_ == 0) EndRegion();
}

/// All threads have ended: each has told its parent in the tree, and the first knows it.
void CpuChip::EndRegion() {
  const auto threads =
      static_cast<std::uint32_t>(program_.cpu.regions[next_region_].threads.size());
  std::vector<std::uint64_t> joined(threads);
  for (std::uint32_t t = 0; t < threads; ++t) joined[t] = threads_[t].ended;
  for (std::uint32_t t = threads - 1; t > 0; --t) {
    std::uint32_t bit = 1;
    while (2 * bit <= t) bit *= 2;
    joined[t & ~bit] = std::max(joined[t & ~bit], joined[t] + Hop(t, t & ~bit));
  }
  Charge(joined[0]);
  region_cycle_ = joined[0];
  ++next_region_;
  if (next_region_ == program_.cpu.regions.size()) {
    for (const Thread& thread : threads_) {
      micro_ops_ += thread.cycle->counters().micro_ops - thread.cycle->counters().repeated;
    }
    end_cycle_ = region_cycle_;
    if (!warming_) {
      finished_ = true;
      return;
    }
    warming_ = false;
    next_region_ = 0;
  }
  queue().Schedule(std::max(queue().now(), clock_.Cycles(region_cycle_)), &CallBeginRegion, this,
                   0);
}

DramCounters CpuChip::DramCountersOfAll() const {
  DramCounters sum;
  for (const auto& dram : drams_) sum.Add(dram->Counters());
  return sum;
}

CacheTraffic CpuChip::L2Traffic() const {
  CacheTraffic sum;
  for (const Core& core : cores_) {
    sum.read_bytes += core.memory->l2().read_bytes;
    sum.write_bytes += core.memory->l2().write_bytes;
  }
  return sum;
}

/// What came through the levels since the last region's end.
void CpuChip::ChargeBytes(OperatorRecord* op) {
  const CacheTraffic l2 = L2Traffic();
  const auto charge = [](std::int64_t now, std::int64_t* charged, std::int64_t* to) {
    *to += now - *charged;
    *charged = now;
  };
  charge(std::max(l2.read_bytes, l2.write_bytes), &l2_charged_, &op->l2_bytes);
  charge(shared_->dram_read_bytes(), &dram_read_charged_, &op->dram_read_bytes);
  charge(shared_->dram_write_bytes(), &dram_write_charged_, &op->dram_write_bytes);
}

/// A thread's time in the region: until it is woken, at work as the slots say that came to their
/// place, and waiting for the others.
void CpuChip::ChargeThread(Thread* thread, OperatorRecord* op, std::uint64_t joined) {
  const auto number = static_cast<std::size_t>(thread - threads_.data());
  const bool works = number < program_.cpu.regions[next_region_].threads.size();
  const auto charge = [&](Cause cause, Tick span) {
    TimeOf(&thread->times, cause) += span;
    TimeOf(&op->times, cause) += span;
  };
  const Tick begin = clock_.Cycles(region_cycle_ - begin_cycle_);
  const Tick entered = clock_.Cycles(entered_cycle_ - begin_cycle_);
  const Tick end = clock_.Cycles(joined - begin_cycle_);
  charge(Cause::kLaunch, entered - begin);
  if (!works) {
    charge(Cause::kQuantisation, end - entered);
    return;
  }
  const Tick from = clock_.Cycles(thread->woken - begin_cycle_);
  const Tick to = clock_.Cycles(thread->ended - begin_cycle_);
  charge(Cause::kSynchronisation, from - entered + (end - to));
  const CoreCounters done = thread->cycle->counters().Since(thread->before);
  double slots = 0;
  for (const double s : done.slots) slots += s;
  Tick given = 0;
  for (std::size_t p = kTopDown; p-- > 1;) {
    if (slots <= 0) break;
    const auto span = static_cast<Tick>(static_cast<double>(to - from) * done.slots[p] / slots);
    given += span;
    charge(kCauseOf[p], span);
  }
  charge(kCauseOf[0], to - from - given);
  op->executed_flops += done.flops;
  if (keep_spans_ && !warming_ && spans_.size() < kMostSpans && to > from) {
    spans_.push_back({from, to, static_cast<std::uint32_t>(number),
                      program_.cpu.regions[next_region_].op, kNone, Cause::kCompute, true});
  }
}

void CpuChip::Charge(std::uint64_t joined) {
  OperatorRecord& op = operators_[program_.cpu.regions[next_region_].op];
  const Tick begin = clock_.Cycles(region_cycle_ - begin_cycle_);
  const Tick end = clock_.Cycles(joined - begin_cycle_);
  op.begin = std::min(op.begin, begin);
  op.end = std::max(op.end, end);
  op.active += end - begin;
  op.exclusive += end - begin;
  for (Thread& thread : threads_) ChargeThread(&thread, &op, joined);
  ChargeBytes(&op);
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
                          machine_.EffectiveMemory().PeakBytesPerSecond());
  const DramCounters counters = DramCountersOfAll();
  dram->busy = counters.busy - dram_before_.busy;
  const DramSpec& spec = drams_.front()->spec();
  dram->channels = drams_.size() * (spec.ideal() ? 1 : static_cast<std::uint64_t>(spec.channels));
  dram->row_hits = counters.row_hits - dram_before_.row_hits;
  dram->row_misses = counters.row_misses - dram_before_.row_misses;
  dram->refresh = counters.refresh - dram_before_.refresh;
  const double cycles = clock_.hertz() * static_cast<double>(cpu.cores);
  if (cpu.l3.size_bytes > 0) {
    add("l3", shared_->traffic().read_bytes, shared_->traffic().write_bytes, 0);
  }
  if (cpu.l2.size_bytes > 0) {
    const CacheTraffic l2 = L2Traffic();
    add("l2", l2.read_bytes, l2.write_bytes, cycles * cpu.l2.fill_bytes_per_cycle)->duplex = true;
  }
  std::int64_t loaded = 0, stored = 0;
  for (const Thread& thread : threads_) {
    loaded += thread.cycle->counters().load_bytes;
    stored += thread.cycle->counters().store_bytes;
  }
  add("l1", loaded, stored, 0);
}

void CpuChip::AddUnits(Record* record) const {
  const std::int64_t count = machine_.cpu.Threads(), cores = machine_.cpu.cores;
  const double peak = CpuPeak(machine_, program_.dtype) * clock_.hertz() / machine_.clock_hz /
                      static_cast<double>(cores);
  for (std::int64_t t = 0; t < count; ++t) {
    UnitRecord unit;
    unit.name =
        t < cores ? fmt::format("core{}", t) : fmt::format("core{}.thread{}", t % cores, t / cores);
    unit.kind = "core";
    unit.peak_flops_per_s = peak;
    unit.sharers = static_cast<std::uint32_t>(machine_.cpu.core.hardware_threads);
    if (t < static_cast<std::int64_t>(threads_.size())) {
      const Thread& thread = threads_[static_cast<std::size_t>(t)];
      const CoreCounters& counters = thread.cycle->counters();
      unit.times = thread.times;
      unit.commands = counters.micro_ops;
      unit.flops = counters.flops;
      unit.bytes = counters.load_bytes + counters.store_bytes;
    } else {
      TimeOf(&unit.times, Cause::kQuantisation) = record->total;
    }
    record->units.push_back(unit);
  }
}

Record CpuChip::Finish() {
  if (!finished_) throw InternalError("the simulation is stuck in a call of a CPU core");
  Record record;
  record.total = clock_.Cycles(end_cycle_ - begin_cycle_);
  record.clock_hz = clock_.hertz();
  record.events = micro_ops_;
  record.critical_kind_units = static_cast<std::uint32_t>(machine_.cpu.Threads());
  AddUnits(&record);
  AddLevels(&record);
  record.operators = operators_;
  for (OperatorRecord& op : record.operators) {
    if (op.begin == kNever) op.begin = 0;
  }
  record.spans = std::move(spans_);
  for (const CoreCycle::MicroOpTimes& m : threads_[0].cycle->kept()) {
    const auto at = [&](std::uint64_t cycle) { return clock_.Cycles(cycle - begin_cycle_); };
    record.micro_ops.push_back(
        {m.op, 0, m.missed, at(m.entered), at(m.issued), at(m.done), at(m.retired)});
  }
  return record;
}

}  // namespace siliscope
