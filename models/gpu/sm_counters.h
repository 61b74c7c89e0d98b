// SPDX-License-Identifier: Apache-2.0
// What an SM at cycle zoom counts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace siliscope {

/// What a sub-core's issue slot went to. Names follow Nsight Compute's warp states.
enum class IssueSlot : std::uint8_t {
  kSelected,            ///< an instruction issued
  kWait,                ///< fixed latency of the instruction before
  kMathPipeThrottle,    ///< the pipe is taken
  kMemoryPipeThrottle,  ///< the load and store queue is full
  kShortScoreboard,     ///< shared memory, special functions
  kLongScoreboard,      ///< L1, L2, off-chip memory
  kTensor,              ///< results of the Tensor Core
  kBarrier,
  kNoInstruction,  ///< instruction fetch
  kNoWarp,         ///< no warp is resident
};
inline constexpr std::size_t kIssueSlots = 10;
std::string_view IssueSlotName(IssueSlot slot);

struct SmCounters {
  std::array<std::uint64_t, kIssueSlots> slots{};  ///< of all sub-cores, in cycles
  std::uint64_t instructions = 0;                  ///< of warps
  std::uint64_t lanes = 0;                         ///< active in them
  std::uint64_t tensor_cycles = 0;                 ///< Tensor pipes taken, of all sub-cores
  std::uint64_t fp32_cycles = 0;
  std::uint64_t memory_pipe_cycles = 0;
  std::uint64_t bank_conflicts = 0;  ///< further passes over shared memory
  std::uint64_t shared_read_bytes = 0, shared_write_bytes = 0;
  std::uint64_t l1_hits = 0, l1_misses = 0;  ///< sectors of loads
  std::uint64_t l1_stores = 0;               ///< sectors that pass through
  double register_bytes = 0;                 ///< read
  double macs = 0;                           ///< a lane of an arithmetic instruction is one

  void Add(const SmCounters& other) {
    for (std::size_t s = 0; s < kIssueSlots; ++s) slots[s] += other.slots[s];
    instructions += other.instructions;
    lanes += other.lanes;
    tensor_cycles += other.tensor_cycles;
    fp32_cycles += other.fp32_cycles;
    memory_pipe_cycles += other.memory_pipe_cycles;
    bank_conflicts += other.bank_conflicts;
    shared_read_bytes += other.shared_read_bytes;
    shared_write_bytes += other.shared_write_bytes;
    l1_hits += other.l1_hits;
    l1_misses += other.l1_misses;
    l1_stores += other.l1_stores;
    register_bytes += other.register_bytes;
    macs += other.macs;
  }
};

}  // namespace siliscope
