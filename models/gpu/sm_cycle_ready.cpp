// SPDX-License-Identifier: Apache-2.0
// When a warp's next instruction can issue, as far as the warp itself is concerned.
#include <algorithm>

#include "models/gpu/sm_cycle.h"

namespace siliscope {

/// Finds when the warp's next instruction can issue, as far as the warp itself is concerned.
void SmCycle::Prepare(std::uint32_t index) {
  Warp& w = warps_[index];
  while (Next(w).op == WarpOpcode::kPhase) {
    EnterPass(&w, static_cast<std::int16_t>(Next(w).operand));
    ++w.pc;
    if (StepCount(w, static_cast<std::size_t>(w.pass)) == 0) {
      SkipPass(&w);
    } else if (AwaitsSums(index)) {
      return;
    }
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
      w.pipe = sm_.integer_in_fp32 ? kFp32 : kInteger;
      break;
    case WarpOpcode::kSfu:
      w.pipe = kSfu;
      break;
    case WarpOpcode::kUniform:
    case WarpOpcode::kBulkStore:
      w.pipe = kUniform;
      break;
    case WarpOpcode::kMma:
    case WarpOpcode::kGroupMma:
      w.pipe = kTensor;
      break;
    case WarpOpcode::kLoadGlobal:
    case WarpOpcode::kStoreGlobal:
    case WarpOpcode::kAtomic:
    case WarpOpcode::kLoadPeer:
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
  if (w.team != kNone32) Elect(w.team);
}

}  // namespace siliscope
