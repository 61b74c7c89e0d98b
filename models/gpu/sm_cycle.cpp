// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/sm_cycle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/gpu/lane_pattern.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

std::size_t InstructionCount(const GpuKernel& kernel) {
  std::size_t count = 0;
  for (const WarpRole& role : kernel.roles) count += role.program.instructions.size();
  return count;
}

double TensorRate(const GpuSpec& gpu, const std::string& dtype) {
  const auto it = gpu.tensor_core.macs_per_cycle.find(dtype);
  const double macs = it == gpu.tensor_core.macs_per_cycle.end() ? 1 : it->second;
  return macs / static_cast<double>(gpu.sm.subcores);
}

std::int64_t CacheBytes(const SmSpec& sm, const GpuKernel& kernel) {
  // Shared memory is carved out for as many CTAs as fit; what is left caches.
  if (!sm.l1.unified) return sm.l1.size_bytes;
  const std::int64_t per_cta =
      std::max<std::int64_t>(1, kernel.shared_bytes + sm.shared_memory.reserved_per_cta_bytes);
  const std::int64_t ctas =
      std::min(sm.max_ctas, sm.max_warps / std::max<std::int64_t>(1, kernel.warps));
  const std::int64_t carved = std::min(sm.shared_memory.size_bytes, ctas * per_cta);
  return sm.l1.size_bytes - carved;
}

}  // namespace

std::string_view IssueSlotName(IssueSlot slot) {
  constexpr std::string_view kNames[] = {"selected",
                                         "wait",
                                         "math_pipe_throttle",
                                         "memory_pipe_throttle",
                                         "short_scoreboard",
                                         "long_scoreboard",
                                         "tensor",
                                         "barrier",
                                         "no_instruction",
                                         "no_warp"};
  return kNames[static_cast<std::size_t>(slot)];
}

SmCycle::SmCycle(const GpuSpec& gpu, const GpuProgram* program, const GpuKernel& kernel,
                 std::vector<std::int64_t> steps, SmMemory& memory)
    : gpu_(gpu),
      sm_(gpu.sm),
      program_(program),
      kernel_(kernel),
      steps_(std::move(steps)),
      memory_(memory),
      grid_(kernel),
      fetch_(gpu.sm.instruction_cache, gpu.sm.subcores, gpu.l2.near_latency_cycles,
             InstructionCount(kernel)),
      l1_(gpu.sm.l1, CacheBytes(gpu.sm, kernel)),
      constants_(gpu.sm.constant_cache, gpu.l2.near_latency_cycles),
      group_rate_(TensorRate(gpu, kernel.dtype)),
      warp_rate_(group_rate_ * (kernel.dtype == "fp64" ? 1 : gpu.tensor_core.warp_level_rate)),
      sum_bytes_(kernel.dtype == "fp64" ? 8
                 : kernel.half_sums     ? 2
                                        : 4),
      subcores_(static_cast<std::size_t>(gpu.sm.subcores)),
      passes_(kernel.passes.size()) {
  std::size_t offset = 0;
  for (const WarpRole& role : kernel.roles) {
    role_offset_.push_back(offset);
    offset += role.program.instructions.size();
    std::vector<std::uint32_t> ids;
    std::uint32_t loops = 0;
    for (const WarpInstruction& in : role.program.instructions) {
      ids.push_back(loops);
      if (in.op == WarpOpcode::kLoop) ++loops;
    }
    loop_ids_.push_back(std::move(ids));
    std::vector<Operands> operands;
    for (const WarpInstruction& in : role.program.instructions) operands.push_back(OperandsOf(in));
    operands_.push_back(std::move(operands));
    loops_.push_back(loops);
    std::vector<std::int64_t> passes;
    for (const WarpAccess& access : role.program.accesses) {
      passes.push_back(access.stream == kNoStream ? SharedWavefronts(sm_.shared_memory, access, 32)
                                                  : 0);
    }
    wavefronts_.push_back(std::move(passes));
  }
}

void SmCycle::WarmConstants() {
  for (const WarpRole& role : kernel_.roles) {
    for (const WarpInstruction& in : role.program.instructions) {
      if (in.op == WarpOpcode::kLoadConstant) constants_.Warm(in.operand);
    }
  }
}

std::uint32_t SmCycle::FreeWarp() {
  if (free_warps_.empty()) {
    warps_.emplace_back();
    return static_cast<std::uint32_t>(warps_.size() - 1);
  }
  const std::uint32_t index = free_warps_.back();
  free_warps_.pop_back();
  return index;
}

std::uint32_t SmCycle::Launch(const CtaWork& work, std::uint64_t cycle) {
  std::size_t slot = 0;
  while (slot < ctas_.size() && ctas_[slot].active) ++slot;
  if (slot == ctas_.size()) ctas_.emplace_back();
  Cta& cta = ctas_[slot];
  cta = Cta{};
  cta.work = work;
  cta.active = true;
  cta.barriers.resize(16);
  for (const MbarrierRing& ring : kernel_.mbarriers) {
    cta.mbarriers.emplace_back(static_cast<std::size_t>(ring.stages));
    if (ring.complete_at_start) {
      for (Mbarrier& stage : cta.mbarriers.back()) stage.phases.push_back(0);
    }
  }
  ++resident_;
  for (std::size_t r = 0; r < kernel_.roles.size(); ++r) {
    for (std::int64_t i = 0; i < kernel_.roles[r].warps; ++i) {
      const std::uint32_t index = FreeWarp();
      Warp& w = warps_[index];
      w = Warp{};
      w.role = static_cast<std::uint16_t>(r);
      w.cta = static_cast<std::uint16_t>(slot);
      w.in_role = static_cast<std::uint16_t>(i);
      w.subcore = static_cast<std::uint16_t>(next_subcore_++ % subcores_.size());
      w.active = true;
      w.issue_after = cycle;
      w.trips.assign(loops_[r], 0);
      w.mbarriers.resize(kernel_.mbarriers.size());
      cta.warps.push_back(index);
      subcores_[w.subcore].warps.push_back(index);
      Prepare(index);
    }
  }
  cta.warps_left = static_cast<std::int64_t>(cta.warps.size());
  return static_cast<std::uint32_t>(slot);
}

std::uint64_t SmCycle::Run() {
  while (resident_ > 0) {
    if (RunUntil(kBlocked - 1) == kBlocked && resident_ > 0) {
      throw InternalError("warps of " + kernel_.name + " wait for each other for ever");
    }
  }
  // Sub-cores that had ended before have no warp up to the end of the last.
  std::uint64_t end = 0;
  for (const Subcore& s : subcores_) end = std::max(end, s.accounted);
  for (Subcore& s : subcores_) {
    counters_.slots[static_cast<std::size_t>(IssueSlot::kNoWarp)] += end - s.accounted;
    s.accounted = end;
  }
  return now_;
}

std::uint64_t SmCycle::RunUntil(std::uint64_t limit) {
  for (;;) {
    const std::uint64_t next = this->next();
    if (next == kBlocked || next > limit) return next;
    now_ = std::max(now_, next);
    if (!miss_queue_.empty() && miss_retry_ <= now_) ServeMissQueue();
    for (std::size_t s = 0; s < subcores_.size(); ++s) {
      if (subcores_[s].next_try <= now_) Visit(s);
    }
  }
}

void SmCycle::Wake(std::uint32_t warp, std::uint64_t when) {
  Warp& w = warps_[warp];
  w.issue_after = std::max(w.issue_after, when);
  Prepare(warp);
}

void SmCycle::Issue(std::uint32_t index) {
  Warp& w = warps_[index];
  const WarpInstruction& in = Next(w);
  ++counters_.instructions;
  const std::uint8_t lanes = Lanes(w, in);
  counters_.lanes += lanes;
  const Operands& operands = operands_[w.role][w.pc];
  const double share = lanes / 32.0;
  counters_.register_bytes += static_cast<double>(operands.register_bytes) * share;
  counters_.macs += static_cast<double>(operands.macs) * share;
  w.issue_after = now_ + 1;
  switch (in.op) {
    case WarpOpcode::kFp32:
      counters_.fp32_cycles += static_cast<std::uint64_t>(sm_.fp32.interval_cycles);
      Arithmetic(&w, in, kFp32, sm_.fp32, IssueSlot::kWait);
      break;
    case WarpOpcode::kFp16:
      Arithmetic(&w, in, kFp16, sm_.fp16, IssueSlot::kWait);
      break;
    case WarpOpcode::kFp64:
      Arithmetic(&w, in, kFp64, sm_.fp64, IssueSlot::kWait);
      break;
    case WarpOpcode::kInteger:
      Arithmetic(&w, in, sm_.integer_in_fp32 ? kFp32 : kInteger, sm_.integer, IssueSlot::kWait);
      break;
    case WarpOpcode::kUniform:
      Arithmetic(&w, in, kUniform, {sm_.integer.latency_cycles, 1}, IssueSlot::kWait);
      break;
    case WarpOpcode::kSfu:
      Arithmetic(&w, in, kSfu, sm_.sfu, IssueSlot::kShortScoreboard);
      break;
    case WarpOpcode::kMma:
      Mma(&w, in);
      break;
    case WarpOpcode::kGroupMma:
      GroupMma(&w, in);
      break;
    case WarpOpcode::kLoadShared:
    case WarpOpcode::kStoreShared:
      SharedAccess(&w, in);
      break;
    case WarpOpcode::kLoadGlobal:
    case WarpOpcode::kStoreGlobal:
    case WarpOpcode::kAtomic:
    case WarpOpcode::kAsyncCopy:
      if (!GlobalAccess(index, in)) return;
      break;
    case WarpOpcode::kLoadPeer:
      PeerAccess(&w, in);
      break;
    case WarpOpcode::kLoadConstant:
      Write(&w, in, constants_.Read(now_, in.operand, ConstantWords(w, in)),
            IssueSlot::kLongScoreboard);
      break;
    case WarpOpcode::kAsyncCommit:
      w.committed.push_back(w.open_copies);
      w.open_copies = 0;
      break;
    case WarpOpcode::kBulkCopy:
      BulkCopy(&w, in);
      break;
    case WarpOpcode::kBulkStore:
      BulkStore(w, in);
      break;
    case WarpOpcode::kArrive:
      Arrive(&w, in);
      break;
    case WarpOpcode::kClusterBarrier:
      AtClusterBarrier(index, in);
      return;
    case WarpOpcode::kBarrier:
      AtBarrier(index, in, sm_.barrier_cycles);
      return;
    case WarpOpcode::kWait:
      if (!WaitForPhase(index, in)) return;
      break;
    case WarpOpcode::kLoop:
      Loop(&w, in);
      Prepare(index);
      return;
    case WarpOpcode::kDiverge:
      Diverge(index, in);
      return;
    case WarpOpcode::kBranch:
      TakeBranch(index, in);
      return;
    case WarpOpcode::kElse:
      EndOfOn(index, in);
      return;
    case WarpOpcode::kReconverge:
      Reconverge(index);
      return;
    case WarpOpcode::kExit:
      if (!NextTile(index)) Exit(index);
      return;
    case WarpOpcode::kAsyncWait:
    case WarpOpcode::kGroupMmaWait:
    case WarpOpcode::kPhase:
      break;
  }
  ++w.pc;
  Prepare(index);
}

void SmCycle::Loop(Warp* w, const WarpInstruction& in) {
  std::int32_t& done = w->trips[loop_ids_[w->role][w->pc]];
  const std::int64_t trips =
      in.pass >= 0 ? StepCount(*w, static_cast<std::size_t>(in.pass)) : in.trips;
  ++done;
  if (in.pass >= 0) ++w->step;
  if (done < trips) {
    w->pc = static_cast<std::uint32_t>(in.operand);
    w->issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
    return;
  }
  done = 0;
  ++w->pc;
  if (in.pass >= 0) {
    PassTimes& times = passes_[static_cast<std::size_t>(in.pass)];
    times.steps_end = std::max(times.steps_end, now_ + 1);
  }
}

void SmCycle::EnterPass(Warp* w, std::int16_t pass) {
  const std::uint64_t when = std::max(now_, w->issue_after);
  if (w->pass >= 0) {
    PassTimes& before = passes_[static_cast<std::size_t>(w->pass)];
    before.end = std::max(before.end, when);
    LeavePass(*w);
  }
  w->pass = pass;
  w->step = 0;
  PassTimes& times = passes_[static_cast<std::size_t>(pass)];
  times.begin = std::min(times.begin, when);
}

/// What the first warp's instructions added up, of the tile that it has finished.
void SmCycle::TakeContraction(Cta* cta, std::uint32_t tile) {
  std::int32_t shortest = 0;
  for (std::int32_t& length : cta->contracted) {
    if (length > 0 && (shortest == 0 || length < shortest)) shortest = length;
    length = 0;
  }
  if (shortest > 0) contractions_.push_back({cta->work.at.cluster, tile, shortest});
}

/// A persistent kernel's warps begin again where their first pass does, each when it gets there.
bool SmCycle::NextTile(std::uint32_t index) {
  Warp& w = warps_[index];
  Cta& cta = ctas_[w.cta];
  if (w.in_role == 0 && w.role + 1U == kernel_.roles.size()) {
    TakeContraction(&cta, w.tile);
  }
  if (w.tile + 1 >= cta.work.tiles.size()) return false;
  ++w.tile;
  const auto& instructions = ProgramOf(w).instructions;
  w.pc = static_cast<std::uint32_t>(
      std::find_if(instructions.begin(), instructions.end(),
                   [](const WarpInstruction& in) { return in.op == WarpOpcode::kPhase; }) -
      instructions.begin());
  w.issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
  Prepare(index);
  return true;
}

void SmCycle::Exit(std::uint32_t index) {
  Warp& w = warps_[index];
  if (w.pass >= 0) {
    PassTimes& times = passes_[static_cast<std::size_t>(w.pass)];
    times.end = std::max(times.end, now_ + 1);
  }
  w.active = false;
  w.ready_at = kBlocked;
  Subcore& s = subcores_[w.subcore];
  s.warps.erase(std::find(s.warps.begin(), s.warps.end(), index));
  Cta& cta = ctas_[w.cta];
  if (--cta.warps_left > 0) return;
  cta.active = false;
  ended_.push_back({cta.work.at.cluster, now_ + 1});
  for (const std::uint32_t warp : cta.warps) free_warps_.push_back(warp);
  --resident_;
}

}  // namespace siliscope
