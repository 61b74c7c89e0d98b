// SPDX-License-Identifier: Apache-2.0
// Arithmetic pipes, register banks and Tensor Cores of an SM at cycle zoom.
#include <algorithm>

#include "models/gpu/sm_cycle.h"
#include "sim/contract/data_type.h"

namespace siliscope {
namespace {

double OperandBytes(const std::string& dtype) {
  DataType type{};
  return ParseDataType(dtype, &type) ? BitsPerElement(type) / 8.0 : 4;
}

}  // namespace

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
    if (r == kNoRegister || IsReused(in, i)) continue;
    bool again = false;
    for (std::size_t j = 0; j < i; ++j) again = again || in.sources[j] == r;
    if (again) continue;
    most = std::max(
        most, ++reads[static_cast<std::size_t>(r) % static_cast<std::size_t>(sm_.registers.banks)]);
  }
  return (most + sm_.registers.reads_per_bank - 1) / sm_.registers.reads_per_bank;
}

SmCycle::Operands SmCycle::OperandsOf(const WarpInstruction& in) const {
  const TensorCoreSpec& core = gpu_.tensor_core;
  const double bytes = OperandBytes(kernel_.dtype);
  Operands o;
  o.macs = in.macs;
  switch (in.op) {
    case WarpOpcode::kMma: {  // operands of as many products as share them
      const MmaShape shape = core.ShapeOf(bytes);
      const auto rows = static_cast<double>(core.shared_m > 0 ? core.shared_m : shape.m);
      const auto columns = static_cast<double>(core.shared_n > 0 ? core.shared_n : shape.n);
      const auto k = static_cast<double>(std::max<std::int16_t>(1, in.contraction));
      o.register_bytes = static_cast<float>(static_cast<double>(in.macs) *
                                            (bytes / rows + bytes / columns + sum_bytes_ / k));
      return o;
    }
    case WarpOpcode::kGroupMma:  // operands come from shared memory, sums stay at the multipliers
      return o;
    case WarpOpcode::kFp32:
    case WarpOpcode::kFp16:
    case WarpOpcode::kFp64:
      o.macs = in.op == WarpOpcode::kFp16 ? 64 : 32;
      break;
    default:
      break;
  }
  const float width = in.op == WarpOpcode::kFp64 ? 8 : 4;
  const bool many = in.op == WarpOpcode::kStoreGlobal || in.op == WarpOpcode::kStoreShared;
  for (std::size_t i = 0; i < in.sources.size(); ++i) {
    if (in.sources[i] == kNoRegister || IsReused(in, i)) continue;
    o.register_bytes += 32 * width * (many && i == 0 ? static_cast<float>(in.destinations) : 1);
  }
  return o;
}

/// An instruction waits in a collector until the banks have delivered its operands, which they do
/// for one of the waiting at a time, and its pipe takes it. Issue stops where all are in use.
void SmCycle::Collect(Warp* w, const WarpInstruction& in, Pipe pipe, const GpuPipeSpec& spec,
                      IssueSlot reason) {
  Subcore& s = subcores_[w->subcore];
  const auto banks = static_cast<std::size_t>(sm_.registers.banks);
  std::uint64_t there = now_;
  for (std::size_t i = 0; i < in.sources.size(); ++i) {
    const std::uint8_t r = in.sources[i];
    const bool again =
        std::find(in.sources.begin(), in.sources.begin() + i, r) != in.sources.begin() + i;
    if (r == kNoRegister || again || IsReused(in, i)) continue;
    double& bank = s.bank_free[static_cast<std::size_t>(r) % banks];
    bank = std::max(bank, static_cast<double>(now_)) +
           1 / static_cast<double>(sm_.registers.reads_per_bank);
    there = std::max(there, static_cast<std::uint64_t>(bank + 0.999) - 1);
  }
  const std::uint64_t dispatch = std::max(there, s.dispatch_free[pipe]);
  s.dispatch_free[pipe] = dispatch + static_cast<std::uint64_t>(spec.interval_cycles);
  Write(w, in, dispatch + static_cast<std::uint64_t>(spec.latency_cycles), reason);
  auto& collectors = s.collectors_free;
  collectors.resize(static_cast<std::size_t>(sm_.registers.collectors), 0);
  *std::min_element(collectors.begin(), collectors.end()) = dispatch + 1;
  const std::uint64_t next = *std::min_element(collectors.begin(), collectors.end());
  for (const Pipe p : {kFp32, kFp16, kFp64, kInteger, kSfu}) {
    s.pipe_free[p] = std::max({s.pipe_free[p], next, now_ + 1});
  }
}

void SmCycle::Arithmetic(Warp* w, const WarpInstruction& in, Pipe pipe, const GpuPipeSpec& spec,
                         IssueSlot reason) {
  if (sm_.registers.collectors > 0 && pipe != kUniform) {
    Collect(w, in, pipe, spec, reason);
    return;
  }
  const std::int64_t interval = std::max(spec.interval_cycles, BankConflict(in));
  const std::int64_t late = interval - spec.interval_cycles;
  subcores_[w->subcore].pipe_free[pipe] = now_ + static_cast<std::uint64_t>(interval);
  Write(w, in, now_ + static_cast<std::uint64_t>(spec.latency_cycles + late), reason);
}

void SmCycle::Mma(Warp* w, const WarpInstruction& in) {
  const double cycles = static_cast<double>(in.macs) / warp_rate_;
  // Fractions of a cycle are carried to the next instruction.
  double& owed = subcores_[w->subcore].tensor_fraction;
  owed += cycles;
  const auto interval = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(owed));
  owed = std::max(0.0, owed - static_cast<double>(interval));
  subcores_[w->subcore].pipe_free[kTensor] = now_ + interval;
  counters_.tensor_cycles += interval;
  // The latency is that of all steps of a product.
  const auto latency = static_cast<std::uint64_t>(gpu_.tensor_core.latency_cycles);
  const auto before = static_cast<std::uint64_t>(gpu_.tensor_core.steps - 1) * interval;
  Write(w, in, now_ + std::max(latency - std::min(latency, before), interval), IssueSlot::kTensor);
  if (w->in_role != 0) return;
  ctas_[w->cta].contracted[in.destination] += in.contraction;
}

void SmCycle::GroupMma(Warp* w, const WarpInstruction& in) {
  Subcore& s = subcores_[w->subcore];
  const auto interval = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(static_cast<double>(in.macs) / group_rate_ + 0.5));
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
    counters_.shared_read_bytes += bytes;
    end = std::max(end, start + passes);
  }
  s.pipe_free[kTensor] = end;
  counters_.tensor_cycles += interval;
  w->group_mmas.push_back(end + static_cast<std::uint64_t>(gpu_.tensor_core.group_tail_cycles));
  if (w->in_role == 0) ctas_[w->cta].contracted[in.destination] += in.contraction;
}

}  // namespace siliscope
