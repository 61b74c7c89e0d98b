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
      fetch_(gpu.sm.instruction_cache, gpu.sm.subcores, gpu.l2.near_latency_cycles,
             InstructionCount(kernel)),
      l1_(gpu.sm.l1, CacheBytes(gpu.sm, kernel)),
      tensor_rate_(TensorRate(gpu, kernel.dtype)),
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
    loops_.push_back(loops);
    std::vector<std::int64_t> passes;
    for (const WarpAccess& access : role.program.accesses) {
      passes.push_back(access.stream == kNoStream ? SharedWavefronts(sm_.shared_memory, access, 32)
                                                  : 0);
    }
    wavefronts_.push_back(std::move(passes));
  }
}

void SmCycle::Launch(const CtaPlace& place, std::uint64_t cycle) {
  std::size_t slot = 0;
  while (slot < ctas_.size() && ctas_[slot].active) ++slot;
  if (slot == ctas_.size()) ctas_.emplace_back();
  Cta& cta = ctas_[slot];
  cta = Cta{};
  cta.place = place;
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
      std::uint32_t index = 0;
      if (free_warps_.empty()) {
        index = static_cast<std::uint32_t>(warps_.size());
        warps_.emplace_back();
      } else {
        index = free_warps_.back();
        free_warps_.pop_back();
      }
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
    std::uint64_t next = kBlocked;
    for (const Subcore& s : subcores_) next = std::min(next, s.next_try);
    if (next == kBlocked || next > limit) return next;
    now_ = std::max(now_, next);
    for (std::size_t s = 0; s < subcores_.size(); ++s) {
      if (subcores_[s].next_try <= now_) Visit(s);
    }
  }
}

void SmCycle::Account(Subcore* s, IssueSlot until_now) {
  if (now_ > s->accounted) {
    counters_.slots[static_cast<std::size_t>(until_now)] += now_ - s->accounted;
  }
  s->accounted = now_;
}

void SmCycle::Visit(std::size_t subcore) {
  Subcore& s = subcores_[subcore];
  Account(&s, s.reason);
  std::uint64_t next = kBlocked;
  const std::uint32_t warp = Pick(s, &next, &s.reason);
  if (warp == kNone32) {
    if (s.warps.empty()) s.reason = IssueSlot::kNoWarp;
    s.next_try = next;
    return;
  }
  const std::uint32_t before = warps_[warp].pc;
  Issue(warp);
  if (sm_.dual_issue) {
    // A second instruction of the same warp, where nothing but the issue slot holds it up.
    const Warp& w = warps_[warp];
    const bool free = w.active && w.pc == before + 1 && w.ready_at == now_ + 1;
    if (free && w.pipe != kControl && s.pipe_free[w.pipe] <= now_) Issue(warp);
  }
  s.last = warp;
  ++now_;  // the slot of this cycle is spent
  Account(&s, IssueSlot::kSelected);
  --now_;
  s.reason = IssueSlot::kWait;
  s.next_try = now_ + 1;
}

bool SmCycle::Eligible(const Subcore& s, std::uint32_t warp, std::uint64_t* when) const {
  const Warp& w = warps_[warp];
  if (w.ready_at == kBlocked) return false;
  *when = std::max(w.ready_at, s.pipe_free[w.pipe]);
  return true;
}

std::uint32_t SmCycle::Pick(const Subcore& s, std::uint64_t* next, IssueSlot* reason) const {
  std::uint32_t chosen = kNone32;
  IssueSlot why = IssueSlot::kNoWarp;
  bool past_last = false;
  std::uint32_t wrapped = kNone32, outside = kNone32;
  // Two levels: the group of the warp that issued last goes on until none of it can.
  constexpr std::size_t kGroup = 4;
  std::size_t group = 0;
  for (std::size_t i = 0; i < s.warps.size(); ++i) {
    if (s.warps[i] == s.last) group = i / kGroup;
  }
  for (std::size_t i = 0; i < s.warps.size(); ++i) {
    const std::uint32_t index = s.warps[i];
    std::uint64_t when = kBlocked;
    const bool known = Eligible(s, index, &when);
    if (known && when <= now_) {
      switch (sm_.scheduler) {
        case WarpScheduler::kGreedyThenOldest:
          if (chosen == kNone32 || index == s.last) chosen = index;
          break;
        case WarpScheduler::kTwoLevel:
          if (i / kGroup != group) {
            if (outside == kNone32) outside = index;
            break;
          }
          [[fallthrough]];
        case WarpScheduler::kLooseRoundRobin:
          if (past_last && chosen == kNone32) chosen = index;
          if (wrapped == kNone32) wrapped = index;
          break;
      }
    } else if (when < *next) {
      *next = when;
      const Warp& w = warps_[index];
      why = w.ready_at < when ? (w.pipe == kMemory ? IssueSlot::kMemoryPipeThrottle
                                                   : IssueSlot::kMathPipeThrottle)
                              : w.reason;
    } else if (!known && why == IssueSlot::kNoWarp) {
      why = warps_[index].reason;
    }
    if (index == s.last) past_last = true;
  }
  if (chosen == kNone32) chosen = wrapped;
  if (chosen == kNone32) chosen = outside;
  *reason = why;
  return chosen;
}

void SmCycle::Wake(std::uint32_t warp, std::uint64_t when) {
  Warp& w = warps_[warp];
  w.issue_after = std::max(w.issue_after, when);
  Prepare(warp);
}

/// Finds when the warp's next instruction can issue, as far as the warp itself is concerned.
void SmCycle::Prepare(std::uint32_t index) {
  Warp& w = warps_[index];
  while (Next(w).op == WarpOpcode::kPhase) {
    EnterPass(&w, static_cast<std::int16_t>(Next(w).operand));
    ++w.pc;
  }
  const WarpInstruction& in = Next(w);
  w.ready_at = w.issue_after;
  w.reason = IssueSlot::kWait;
  const std::size_t line = fetch_.LineOf(role_offset_[w.role] + w.pc);
  if (line != w.line) {
    w.line = line;
    const std::uint64_t arrival = fetch_.Arrival(w.subcore, line, std::max(now_, w.issue_after));
    if (arrival > w.ready_at) w.ready_at = arrival, w.reason = IssueSlot::kNoInstruction;
  }
  const auto need = [&](std::uint8_t reg) {
    if (reg == kNoRegister || w.register_ready[reg] <= w.ready_at) return;
    w.ready_at = w.register_ready[reg];
    w.reason = w.register_reason[reg];
  };
  for (const std::uint8_t source : in.sources) need(source);
  need(in.destination);
  switch (in.op) {
    case WarpOpcode::kFp32:
      w.pipe = kFp32;
      break;
    case WarpOpcode::kFp16:
      w.pipe = kFp16;
      break;
    case WarpOpcode::kFp64:
      w.pipe = kFp64;
      break;
    case WarpOpcode::kInteger:
      w.pipe = kInteger;
      break;
    case WarpOpcode::kSfu:
      w.pipe = kSfu;
      break;
    case WarpOpcode::kUniform:
      w.pipe = kUniform;
      break;
    case WarpOpcode::kMma:
    case WarpOpcode::kGroupMma:
      w.pipe = kTensor;
      break;
    case WarpOpcode::kLoadGlobal:
    case WarpOpcode::kStoreGlobal:
    case WarpOpcode::kAtomic:
    case WarpOpcode::kLoadShared:
    case WarpOpcode::kStoreShared:
    case WarpOpcode::kAsyncCopy:
      w.pipe = kMemory;
      break;
    default:
      w.pipe = kControl;
      break;
  }
  if (in.op == WarpOpcode::kAsyncWait) {
    const std::size_t keep = static_cast<std::size_t>(in.operand);
    while (w.committed.size() > keep) {
      if (w.committed.front() > w.ready_at) {
        w.ready_at = w.committed.front(), w.reason = IssueSlot::kLongScoreboard;
      }
      w.committed.pop_front();
    }
  } else if (in.op == WarpOpcode::kGroupMmaWait) {
    while (w.group_mmas.size() > static_cast<std::size_t>(in.operand)) {
      if (w.group_mmas.front() > w.ready_at) {
        w.ready_at = w.group_mmas.front(), w.reason = IssueSlot::kTensor;
      }
      w.group_mmas.pop_front();
    }
  } else if (in.op == WarpOpcode::kGroupMma) {
    const auto most = static_cast<std::size_t>(gpu_.tensor_core.group_outstanding);
    while (w.group_mmas.size() >= most) {
      if (w.group_mmas.front() > w.ready_at) {
        w.ready_at = w.group_mmas.front(), w.reason = IssueSlot::kTensor;
      }
      w.group_mmas.pop_front();
    }
  }
  Subcore& s = subcores_[w.subcore];
  s.next_try = std::min(s.next_try, std::max(now_, std::max(w.ready_at, s.pipe_free[w.pipe])));
}

void SmCycle::Issue(std::uint32_t index) {
  Warp& w = warps_[index];
  const WarpInstruction& in = Next(w);
  ++counters_.instructions;
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
      Arithmetic(&w, in, kInteger, sm_.integer, IssueSlot::kWait);
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
      GlobalAccess(&w, in);
      break;
    case WarpOpcode::kLoadConstant:
      if (constants_ready_ == kBlocked) {  // the first touch misses
        constants_ready_ = now_ + static_cast<std::uint64_t>(gpu_.l2.near_latency_cycles);
      }
      Write(&w, in,
            std::max(constants_ready_,
                     now_ + static_cast<std::uint64_t>(sm_.constant_latency_cycles)),
            IssueSlot::kLongScoreboard);
      break;
    case WarpOpcode::kAsyncCommit:
      w.committed.push_back(w.open_copies);
      w.open_copies = 0;
      break;
    case WarpOpcode::kBulkCopy:
      BulkCopy(&w, in);
      break;
    case WarpOpcode::kArrive:
      Arrive(&w, in);
      break;
    case WarpOpcode::kBarrier:
      AtBarrier(index, in);
      return;
    case WarpOpcode::kWait:
      if (!WaitForPhase(index, in)) return;
      break;
    case WarpOpcode::kLoop:
      Loop(&w, in);
      Prepare(index);
      return;
    case WarpOpcode::kDiverge:
      w.paths.push_back({w.pc + 1, in.operand - 1});
      break;
    case WarpOpcode::kReconverge:
      if (!w.paths.empty() && w.paths.back().left-- > 0) {
        w.pc = w.paths.back().begin;
        w.issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
        Prepare(index);
        return;
      }
      if (!w.paths.empty()) w.paths.pop_back();
      break;
    case WarpOpcode::kExit:
      Exit(index);
      return;
    case WarpOpcode::kAsyncWait:
    case WarpOpcode::kGroupMmaWait:
    case WarpOpcode::kPhase:
      break;
  }
  ++w.pc;
  Prepare(index);
}

void SmCycle::Write(Warp* w, const WarpInstruction& in, std::uint64_t when, IssueSlot reason) {
  if (in.destination == kNoRegister) return;
  for (std::size_t r = 0; r < in.destinations; ++r) {
    w->register_ready[in.destination + r] = when;
    w->register_reason[in.destination + r] = reason;
  }
}

/// Cycles by which the operands of one instruction overstay the pipe's interval: a bank delivers
/// one operand a cycle; what the reuse cache holds needs none.
std::int64_t SmCycle::BankConflict(const WarpInstruction& in) const {
  std::array<std::int64_t, 64> reads{};
  std::int64_t most = 0;
  for (std::size_t i = 0; i < in.sources.size(); ++i) {
    const std::uint8_t r = in.sources[i];
    if (r == kNoRegister || (sm_.registers.reuse_cache && ((in.reuse >> i) & 1) != 0)) continue;
    bool again = false;
    for (std::size_t j = 0; j < i; ++j) again = again || in.sources[j] == r;
    if (again) continue;
    most = std::max(
        most, ++reads[static_cast<std::size_t>(r) % static_cast<std::size_t>(sm_.registers.banks)]);
  }
  return (most + sm_.registers.reads_per_bank - 1) / sm_.registers.reads_per_bank;
}

void SmCycle::Arithmetic(Warp* w, const WarpInstruction& in, Pipe pipe, const GpuPipeSpec& spec,
                         IssueSlot reason) {
  const std::int64_t interval = std::max(spec.interval_cycles, BankConflict(in));
  const std::int64_t late = interval - spec.interval_cycles;
  subcores_[w->subcore].pipe_free[pipe] = now_ + static_cast<std::uint64_t>(interval);
  Write(w, in, now_ + static_cast<std::uint64_t>(spec.latency_cycles + late), reason);
}

void SmCycle::Mma(Warp* w, const WarpInstruction& in) {
  const double cycles =
      static_cast<double>(in.macs) / (tensor_rate_ * gpu_.tensor_core.warp_level_rate);
  // Fractions of a cycle are carried to the next instruction.
  double& owed = subcores_[w->subcore].tensor_fraction;
  owed += cycles;
  const auto interval = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(owed));
  owed = std::max(0.0, owed - static_cast<double>(interval));
  subcores_[w->subcore].pipe_free[kTensor] = now_ + interval;
  counters_.tensor_cycles += interval;
  const auto latency = static_cast<std::uint64_t>(gpu_.tensor_core.latency_cycles);
  Write(w, in, now_ + std::max(latency, interval), IssueSlot::kTensor);
}

void SmCycle::GroupMma(Warp* w, const WarpInstruction& in) {
  Subcore& s = subcores_[w->subcore];
  const auto interval = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(static_cast<double>(in.macs) / tensor_rate_ + 0.5));
  std::uint64_t end = now_ + interval;
  if (w->in_role % 4 == 0 && in.access != kNoAccess) {
    // Operands stream from shared memory once for the four warps.
    const auto bytes = static_cast<std::uint64_t>(ProgramOf(*w).accesses[in.access].bulk_bytes);
    const auto width =
        static_cast<std::uint64_t>(sm_.shared_memory.banks * sm_.shared_memory.bank_width_bytes);
    const std::uint64_t passes = (bytes + width - 1) / width;
    const std::uint64_t start = std::max(now_, memory_pipe_free_);
    memory_pipe_free_ = start + passes;
    counters_.memory_pipe_cycles += passes;
    counters_.shared_bytes += bytes;
    end = std::max(end, start + passes);
  }
  s.pipe_free[kTensor] = end;
  counters_.tensor_cycles += interval;
  w->group_mmas.push_back(end + static_cast<std::uint64_t>(gpu_.tensor_core.group_tail_cycles));
}

/// Passes of the memory pipe for one instruction; returns when the first is made.
std::uint64_t SmCycle::TakeMemoryPipe(Warp* w, std::uint64_t passes) {
  Subcore& s = subcores_[w->subcore];
  const std::uint64_t start = std::max(now_, memory_pipe_free_);
  memory_pipe_free_ = start + passes;
  counters_.memory_pipe_cycles += passes;
  s.memory_starts.push_back(start);
  const auto depth = static_cast<std::size_t>(sm_.load_store_queue);
  std::uint64_t free = now_ + static_cast<std::uint64_t>(sm_.load_store_interval_cycles);
  if (s.memory_starts.size() > depth) s.memory_starts.pop_front();
  if (s.memory_starts.size() == depth) free = std::max(free, s.memory_starts.front());
  s.pipe_free[kMemory] = free;
  return start;
}

void SmCycle::SharedAccess(Warp* w, const WarpInstruction& in) {
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  const auto passes = static_cast<std::uint64_t>(
      in.lanes == 32 ? wavefronts_[w->role][in.access]
                     : SharedWavefronts(sm_.shared_memory, access, in.lanes));
  const std::uint64_t bytes = std::uint64_t{in.lanes} * access.bytes_per_lane;
  const auto width =
      static_cast<std::uint64_t>(sm_.shared_memory.banks * sm_.shared_memory.bank_width_bytes);
  const std::uint64_t least = std::max<std::uint64_t>(1, (bytes + width - 1) / width);
  counters_.bank_conflicts += passes > least ? passes - least : 0;
  counters_.shared_bytes += bytes;
  const std::uint64_t start = TakeMemoryPipe(w, passes);
  Write(w, in, start + passes - 1 + static_cast<std::uint64_t>(sm_.shared_memory.latency_cycles),
        IssueSlot::kShortScoreboard);
}

void SmCycle::TouchedLines(const Warp& w, const WarpInstruction& in,
                           std::vector<TouchedLine>* lines) {
  const WarpAccess& access = ProgramOf(w).accesses[in.access];
  if (program_ == nullptr) {  // a pattern alone: rows far apart, aligned
    Coalesce(
        sm_.l1, access, in.lanes,
        [&](std::int64_t r) { return r * (std::int64_t{1} << 20) + access.offset; }, lines);
    return;
  }
  const OperandStream& stream = kernel_.streams[access.stream];
  const GpuTensor& tensor = program_->tensors[stream.tensor];
  const Cta& cta = ctas_[w.cta];
  const auto pass = static_cast<std::size_t>(std::max<std::int16_t>(w.pass, 0));
  const StepRange range = StepsOf(kernel_, kernel_.passes[pass], cta.place);
  const Rectangle at = RectangleOf(stream, tensor, cta.place, range.first + w.step + in.ahead);
  if (at.rows == 0) {
    lines->clear();
    return;
  }
  const std::int64_t row0 = access.row + access.warp_rows * w.in_role;
  const std::int64_t stride = access.row_stride > 0 ? access.row_stride : 1;
  Coalesce(
      sm_.l1, access, in.lanes,
      [&](std::int64_t r) {
        const std::int64_t row = at.row + std::min(row0 + r * stride, at.rows - 1);
        const std::int64_t byte = std::min(access.offset + access.warp_bytes * w.in_role,
                                           std::max<std::int64_t>(0, at.bytes - 1));
        return tensor.address + row * tensor.row_bytes + at.byte + byte;
      },
      lines);
}

std::uint64_t SmCycle::MovePastL1(const std::vector<TouchedLine>& lines, std::uint64_t cycle) {
  std::uint64_t ready = cycle;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ready = std::max(ready, memory_.Read(cycle + i, lines[i]));
  }
  return ready;
}

void SmCycle::GlobalAccess(Warp* w, const WarpInstruction& in) {
  TouchedLines(*w, in, &touched_);
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  // One tag a cycle, and 128 bytes of data a cycle.
  const std::uint64_t bytes = std::uint64_t{in.lanes} * access.bytes_per_lane;
  const std::uint64_t passes =
      std::max<std::uint64_t>(std::max<std::uint64_t>(1, touched_.size()), (bytes + 127) / 128);
  std::uint64_t start = TakeMemoryPipe(w, passes);
  switch (in.op) {
    case WarpOpcode::kLoadGlobal: {
      std::uint64_t ready = start + static_cast<std::uint64_t>(sm_.l1.latency_cycles);
      for (const TouchedLine& line : touched_) {
        const L1Cache::Result r = l1_.Load(start++, line, memory_);
        ready = std::max(ready, r.ready);
        counters_.l1_hits += r.hits;
        counters_.l1_misses += r.misses;
      }
      Write(w, in, ready, IssueSlot::kLongScoreboard);
      break;
    }
    case WarpOpcode::kAsyncCopy: {
      // The data passes the banks when it arrives.
      const std::uint64_t writes = (bytes + 127) / 128;
      memory_pipe_free_ += writes;
      counters_.memory_pipe_cycles += writes;
      counters_.shared_bytes += bytes;
      w->open_copies = std::max(w->open_copies, MovePastL1(touched_, start) + writes);
      break;
    }
    case WarpOpcode::kAtomic: {
      std::uint64_t ready = start;
      for (const TouchedLine& line : touched_) {
        ready = std::max(ready, memory_.Read(memory_.Write(start++, line), line));
      }
      Write(w, in, ready, IssueSlot::kLongScoreboard);
      break;
    }
    default:
      for (const TouchedLine& line : touched_) l1_.Store(start++, line, memory_);
      break;
  }
}

void SmCycle::BulkLines(const Warp& w, const WarpInstruction& in,
                        std::vector<TouchedLine>* lines) const {
  const WarpAccess& access = ProgramOf(w).accesses[in.access];
  lines->clear();
  if (program_ == nullptr) {
    for (std::int64_t b = 0; b < access.bulk_bytes; b += sm_.l1.line_bytes) {
      lines->push_back({b, 0xf});
    }
    return;
  }
  const OperandStream& stream = kernel_.streams[access.stream];
  const GpuTensor& tensor = program_->tensors[stream.tensor];
  const Cta& cta = ctas_[w.cta];
  const auto pass = static_cast<std::size_t>(std::max<std::int16_t>(w.pass, 0));
  const StepRange range = StepsOf(kernel_, kernel_.passes[pass], cta.place);
  const Rectangle at = RectangleOf(stream, tensor, cta.place, range.first + w.step + in.ahead);
  for (std::int64_t r = 0; r < at.rows; ++r) {
    const std::int64_t begin = tensor.address + (at.row + r) * tensor.row_bytes + at.byte;
    for (std::int64_t b = begin / 128 * 128; b < begin + at.bytes; b += 128) {
      lines->push_back({b, 0xf});
    }
  }
}

void SmCycle::BulkCopy(Warp* w, const WarpInstruction& in) {
  const WarpAccess& access = ProgramOf(*w).accesses[in.access];
  BulkLines(*w, in, &touched_);
  std::uint64_t cycle =
      std::max(now_, bulk_free_) + static_cast<std::uint64_t>(sm_.bulk_issue_cycles);
  std::uint64_t ready = cycle;
  for (const TouchedLine& line : touched_) ready = std::max(ready, memory_.Read(cycle++, line));
  bulk_free_ = cycle;
  // Whole lines are written past the memory pipe: products that read 128 bytes a cycle keep their
  // rate while copies arrive (m64n256k16 reaches its peak with both operands in shared memory).
  counters_.shared_bytes += static_cast<std::uint64_t>(access.bulk_bytes);
  const auto ring = static_cast<std::size_t>(in.operand);
  Cta& cta = ctas_[w->cta];
  MbarrierUse& use = w->mbarriers[ring];
  const auto stage = static_cast<std::size_t>(use.copies++ / kernel_.mbarriers[ring].arrivals %
                                              kernel_.mbarriers[ring].stages);
  Mbarrier& m = cta.mbarriers[ring][stage];
  ++m.arrived;
  m.ready = std::max(m.ready, ready);
  CheckPhase(&cta, ring, stage);
  w->issue_after = now_ + static_cast<std::uint64_t>(sm_.bulk_issue_cycles);
}

void SmCycle::CheckPhase(Cta* cta, std::size_t ring, std::size_t stage) {
  Mbarrier& m = cta->mbarriers[ring][stage];
  if (m.arrived < kernel_.mbarriers[ring].arrivals) return;
  m.arrived = 0;
  m.phases.push_back(std::max(m.ready, now_) + static_cast<std::uint64_t>(sm_.mbarrier_cycles));
  m.ready = 0;
  for (std::size_t i = 0; i < m.waiting.size();) {
    const auto [warp, phase] = m.waiting[i];
    if (static_cast<std::size_t>(phase) >= m.phases.size()) {
      ++i;
      continue;
    }
    m.waiting.erase(m.waiting.begin() + static_cast<std::ptrdiff_t>(i));
    ++warps_[warp].pc;
    Wake(warp, m.phases[static_cast<std::size_t>(phase)]);
    warps_[warp].reason = IssueSlot::kBarrier;
  }
}

void SmCycle::Arrive(Warp* w, const WarpInstruction& in) {
  const auto ring = static_cast<std::size_t>(in.operand);
  const std::int64_t n = w->mbarriers[ring].arrivals++ - kernel_.mbarriers[ring].void_arrivals;
  if (n < 0) return;
  const auto stage = static_cast<std::size_t>(n % kernel_.mbarriers[ring].stages);
  Cta& cta = ctas_[w->cta];
  ++cta.mbarriers[ring][stage].arrived;
  CheckPhase(&cta, ring, stage);
}

bool SmCycle::WaitForPhase(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  const auto ring = static_cast<std::size_t>(in.operand);
  const std::int64_t stages = kernel_.mbarriers[ring].stages;
  const std::int64_t n = w.mbarriers[ring].waits++;
  Mbarrier& m = ctas_[w.cta].mbarriers[ring][static_cast<std::size_t>(n % stages)];
  const std::int64_t phase = n / stages;
  if (static_cast<std::size_t>(phase) < m.phases.size()) {
    w.issue_after = std::max(w.issue_after, m.phases[static_cast<std::size_t>(phase)]);
    return true;
  }
  m.waiting.emplace_back(index, phase);
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  return false;
}

void SmCycle::AtBarrier(std::uint32_t index, const WarpInstruction& in) {
  Warp& w = warps_[index];
  Cta& cta = ctas_[w.cta];
  Barrier& barrier = cta.barriers[static_cast<std::size_t>(in.operand) % cta.barriers.size()];
  const std::int64_t expected = in.trips > 0 ? in.trips : static_cast<std::int64_t>(kernel_.warps);
  w.ready_at = kBlocked;
  w.reason = IssueSlot::kBarrier;
  barrier.waiting.push_back(index);
  if (++barrier.arrived < expected) return;
  barrier.arrived = 0;
  std::vector<std::uint32_t> waiting;
  waiting.swap(barrier.waiting);
  for (const std::uint32_t other : waiting) {
    ++warps_[other].pc;
    Wake(other, now_ + static_cast<std::uint64_t>(sm_.barrier_cycles));
  }
}

void SmCycle::Loop(Warp* w, const WarpInstruction& in) {
  std::int32_t& done = w->trips[loop_ids_[w->role][w->pc]];
  const std::int64_t trips = in.pass >= 0 ? steps_[static_cast<std::size_t>(in.pass)] : in.trips;
  ++done;
  if (in.pass >= 0) ++w->step;
  if (done < trips) {
    w->pc = static_cast<std::uint32_t>(in.operand);
    w->issue_after = now_ + static_cast<std::uint64_t>(sm_.branch_cycles);
    return;
  }
  done = 0;
  ++w->pc;
}

void SmCycle::EnterPass(Warp* w, std::int16_t pass) {
  const std::uint64_t when = std::max(now_, w->issue_after);
  if (w->pass >= 0) {
    PassTimes& before = passes_[static_cast<std::size_t>(w->pass)];
    before.end = std::max(before.end, when);
  }
  w->pass = pass;
  w->step = 0;
  PassTimes& times = passes_[static_cast<std::size_t>(pass)];
  times.begin = std::min(times.begin, when);
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
  for (const std::uint32_t warp : cta.warps) free_warps_.push_back(warp);
  --resident_;
}

}  // namespace siliscope
