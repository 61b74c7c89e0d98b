// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cycle_player.h"

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::uint64_t kTurnCycles = 16;
constexpr std::uint64_t kNoWork = ~std::uint64_t{0};

Cause CauseOf(IssueSlot slot) {
  switch (slot) {
    case IssueSlot::kLongScoreboard:
      return Cause::kMemoryLatency;
    case IssueSlot::kShortScoreboard:
    case IssueSlot::kMemoryPipeThrottle:
      return Cause::kOperand;
    case IssueSlot::kBarrier:
      return Cause::kDependency;
    case IssueSlot::kNoInstruction:
      return Cause::kFillDrain;
    case IssueSlot::kNoWarp:
      return Cause::kQuantisation;
    default:
      return Cause::kCompute;
  }
}

}  // namespace

std::uint32_t ChipSmMemory::TensorAt(std::int64_t address) const {
  std::size_t low = 0, high = program_.tensors.size();
  while (high - low > 1) {  // tensors lie in the order of their addresses
    const std::size_t middle = (low + high) / 2;
    (program_.tensors[middle].address <= address ? low : high) = middle;
  }
  return static_cast<std::uint32_t>(low);
}

Rectangle ChipSmMemory::RectangleAt(std::uint32_t index, const TouchedLine& line) const {
  const GpuTensor& tensor = program_.tensors[index];
  // From the first sector that is touched to the last.
  const int first = __builtin_ctz(line.sectors), last = 31 - __builtin_clz(line.sectors);
  const std::int64_t at = std::max<std::int64_t>(0, line.address + 32 * first - tensor.address);
  Rectangle r;
  const std::int64_t row_bytes = LineRowBytes(tensor);
  r.row = std::min(at / row_bytes, LineRows(tensor) - 1);
  r.rows = 1;
  r.byte = std::min(at % row_bytes, row_bytes - 1);
  r.bytes = std::min<std::int64_t>(32 * (last - first + 1), row_bytes - r.byte);
  return r;
}

std::uint64_t ChipSmMemory::CycleOf(Tick tick) const { return clock_.CyclesIn(tick - origin_) + 1; }

std::uint64_t ChipSmMemory::Read(std::uint64_t cycle, const TouchedLine& line) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick when = origin_ + clock_.Cycles(cycle);
  return CycleOf(sm_.Load(events_.now(), when, launch_, tensor, program_.tensors[tensor],
                          RectangleAt(tensor, line))
                     .end);
}

std::uint64_t ChipSmMemory::Write(std::uint64_t cycle, const TouchedLine& line) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick end = sm_.Store(events_.now(), origin_ + clock_.Cycles(cycle), launch_, tensor,
                             RectangleAt(tensor, line));
  stored_ = std::max(stored_, end);
  return CycleOf(end);
}

std::uint64_t ChipSmMemory::Atomic(std::uint64_t cycle, const TouchedLine& line,
                                   std::int64_t on_one_address) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick end = sm_.Atomic(events_.now(), origin_ + clock_.Cycles(cycle), launch_, tensor,
                              RectangleAt(tensor, line), on_one_address);
  stored_ = std::max(stored_, end);
  return CycleOf(end);
}

std::string CyclePlayer::Refusal(const GpuKernel& kernel) {
  if (kernel.persistent) return kernel.name + " walks several tiles a CTA";
  if (kernel.cluster_rows * kernel.cluster_columns * kernel.cluster_splits > 1)
    return kernel.name + " runs in clusters";
  return "";
}

CyclePlayer::CyclePlayer(const GpuProgram& program, std::uint32_t launch, const GpuSpec& gpu,
                         const Occupancy& occupancy, const std::vector<std::unique_ptr<Sm>>& sms,
                         EventQueue& events, Clock clock, Owner& owner)
    : program_(program),
      kernel_(program.kernels[program.launches[launch].kernel]),
      launch_(launch),
      op_(program.launches[launch].op),
      gpu_(gpu),
      most_(static_cast<std::size_t>(occupancy.ctas)),
      sms_(sms),
      events_(events),
      clock_(clock),
      owner_(owner) {
  DataType type{};
  const bool computes = ParseDataType(kernel_.dtype, &type) && IsFloat(type) &&
                        type != DataType::kFp4 && type != DataType::kFp64;
  if (kernel_.tensor_core && computes && !kernel_.passes.empty() && !kernel_.streams.empty()) {
    product_.emplace(gpu_.tensor_core.generation, type, Contraction(), kernel_.sparse);
  }
}

void CyclePlayer::Start(Tick now) {
  origin_ = end_ = now;
  std::vector<std::int64_t> steps;
  for (const KernelPass& pass : kernel_.passes) {
    steps.push_back(StepsOf(kernel_, pass, PlaceOf(kernel_.grid, 0)).count);
  }
  lanes_.resize(sms_.size());
  for (std::size_t s = 0; s < sms_.size(); ++s) {
    Lane& lane = lanes_[s];
    lane.memory =
        std::make_unique<ChipSmMemory>(program_, launch_, *sms_[s], events_, clock_, origin_);
    lane.sm = std::make_unique<SmCycle>(gpu_, &program_, kernel_, steps, *lane.memory);
    lane.sm->WarmInstructions();
  }
  const ClusterSlots slots = MakeClusterSlots(gpu_, 1);
  for (std::size_t round = 0; round < most_; ++round) {  // spread before they share
    for (const auto& slot : slots) Place(slot.front(), 0);
  }
}

void CyclePlayer::Place(std::uint32_t sm, std::uint64_t cycle) {
  Lane& lane = lanes_[sm];
  if (started_ == kernel_.grid.Ctas() || lane.resident == most_) return;
  scheduler_cycle_ = std::max(scheduler_cycle_, cycle) + 1;
  lane.sm->Launch(PlaceOf(kernel_.grid, started_),
                  scheduler_cycle_ + static_cast<std::uint64_t>(gpu_.launch.cta_start_cycles));
  ++started_;
  ++lane.resident;
  if (!lane.scheduled) {
    lane.scheduled = true;
    events_.Schedule(origin_ + clock_.Cycles(scheduler_cycle_), &CallTurn, this, sm);
  }
}

void CyclePlayer::Turn(std::uint32_t index) {
  Lane& lane = lanes_[index];
  lane.scheduled = false;
  const std::uint64_t now = clock_.CyclesIn(events_.now() - origin_);
  const std::uint64_t next = lane.sm->RunUntil(now + kTurnCycles);
  for (const std::int64_t contracted : lane.sm->TakeContractions()) {
    if (product_) product_->Check(contracted, kernel_.name);
  }
  while (lane.resident > lane.sm->resident_ctas()) {
    --lane.resident;
    ++ended_;
    end_ = std::max({end_, origin_ + clock_.Cycles(lane.sm->now()), lane.memory->stored()});
    sms_[index]->AddFlops(2 * kernel_.macs_per_cta * kernel_.useful_share);
    Place(index, lane.sm->now());
  }
  if (ended_ == kernel_.grid.Ctas()) {
    for (std::uint32_t s = 0; s < lanes_.size(); ++s) Charge(s);
    owner_.KernelDone(launch_, end_);
    return;
  }
  if (lane.scheduled || lane.resident == 0) return;
  if (next == kNoWork) {
    throw InternalError("warps of " + kernel_.name + " wait for each other for ever");
  }
  lane.scheduled = true;
  events_.Schedule(std::max(events_.now() + 1, origin_ + clock_.Cycles(next)), &CallTurn, this,
                   index);
}

/// Elements of the dot product behind each result of a CTA.
std::int64_t CyclePlayer::Contraction() const {
  DataType type{};
  ParseDataType(kernel_.dtype, &type);
  const OperandStream& a = kernel_.streams.front();
  const std::int64_t in_step = a.byte_step > 0 ? a.row_bytes * 8 / BitsPerElement(type) : a.rows;
  return in_step * StepsOf(kernel_, kernel_.passes.front(), PlaceOf(kernel_.grid, 0)).count;
}

/// The SM's time goes to the causes of its issue slots.
void CyclePlayer::Charge(std::uint32_t index) {
  const SmCounters& counters = lanes_[index].sm->counters();
  const auto cycles = static_cast<double>(clock_.CyclesIn(end_ - origin_));
  const double slots = cycles * static_cast<double>(gpu_.sm.subcores);
  Tick at = origin_;
  for (std::size_t s = 0; s < kIssueSlots && slots > 0; ++s) {
    const double share = std::min(1.0, static_cast<double>(counters.slots[s]) / slots);
    at += static_cast<Tick>(share * static_cast<double>(end_ - origin_));
    sms_[index]->Idle(std::min(at, end_), CauseOf(static_cast<IssueSlot>(s)), op_);
  }
  sms_[index]->Idle(end_, Cause::kQuantisation, op_);
}

std::vector<IssueRecord> CyclePlayer::Issues() const {
  std::vector<IssueRecord> records;
  for (const SmCycle::Issued& i : lanes_.front().sm->issued()) {
    records.push_back({launch_, 0, i.warp, i.subcore, i.op, SmCycle::PipeName(i.pipe), i.pipe,
                       origin_ + clock_.Cycles(i.cycle), origin_ + clock_.Cycles(i.cycle + 1),
                       origin_ + clock_.Cycles(i.pipe_free)});
  }
  return records;
}

SmCounters CyclePlayer::Counters() const {
  SmCounters sum;
  for (const Lane& lane : lanes_) sum.Add(lane.sm->counters());
  return sum;
}

}  // namespace siliscope
