// SPDX-License-Identifier: Apache-2.0
// A core at cycle zoom. Micro-operations are taken in program order, and each finds the cycle in
// which it enters the window, issues to a port, ends and retires, from the cycles that those before
// it have left: window, scheduler, queues, ports and the memory are full until a cycle that is
// known. An older micro-operation finds its port first, as schedulers prefer the oldest. So every
// micro-operation is simulated, and no cycle is stepped in which nothing happens.
//
// Every slot of every cycle, of as many as enter the window at a time, goes to one of five places
// (Yasin, "A Top-Down Method for Performance Analysis and Counters Architecture", ISPASS 2014).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "models/cpu/branch_history.h"
#include "models/cpu/core_memory.h"
#include "models/cpu/slot_calendar.h"
#include "models/cpu/store_buffer.h"
#include "models/cpu/turn_sampler.h"
#include "sim/contract/cpu_program.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

enum class TopDown : std::uint8_t {
  kRetiring,
  kFrontEnd,        ///< nothing was fetched
  kBadSpeculation,  ///< after a branch that went the other way
  kBackEndMemory,   ///< the window waited for data
  kBackEndCore,     ///< the window waited for ports or results
};
inline constexpr std::size_t kTopDown = 5;
const char* TopDownName(TopDown place);

struct CoreCounters {
  std::uint64_t micro_ops = 0, loads = 0, stores = 0, branches = 0, mispredicts = 0;
  double flops = 0;
  std::int64_t load_bytes = 0, store_bytes = 0;
  std::array<std::uint64_t, kTopDown> slots{};
  std::uint64_t repeated = 0;  ///< micro-operations that were counted on, of all

  /// Adds `times` times what came since `before`.
  void Repeat(const CoreCounters& before, std::uint64_t times);
};

class CoreCycle {
 public:
  /// With `every_turn`, turns of loops that repeat themselves are simulated too.
  CoreCycle(const CpuSpec& spec, const std::vector<CpuCode>& codes, CoreMemory& memory,
            bool every_turn);

  /// Runs a call behind what has run before; returns the cycle in which its last micro-operation
  /// retires.
  std::uint64_t Run(const CpuCall& call);
  /// The cycle in which everything that has begun has ended, stores included.
  std::uint64_t End() const;
  /// Nothing comes in before this cycle; its slots up to then are not counted.
  void SleepUntil(std::uint64_t cycle);

  const CoreCounters& counters() const { return counters_; }
  void ResetCounters() { counters_ = {}; }

 private:
  struct Register {
    std::uint64_t ready = 0;
    bool memory = false;  ///< what it waited for longest came from beyond the L1
  };
  struct Retired {
    std::uint64_t cycle = 0;
    bool memory = false;
  };
  /// How an operation of a class issues.
  struct Issue {
    std::uint32_t ports = 0;  ///< bits
    std::uint32_t interval = 1;
    std::uint64_t latency = 1;
  };

  void Execute(const MicroOp& op, const CpuCall& call);
  std::uint64_t Enter(const MicroOp& op);
  void Lose(std::uint64_t until, TopDown place);
  void LoseToBackEnd(std::uint64_t until, bool memory);
  std::uint64_t Load(const MicroOp& op, std::uint64_t ready, const CpuCall& call, bool* missed);
  void Retire(std::uint64_t done, bool memory);
  std::int64_t NextOfWalk(const CpuCall& call);
  void EndTurn(std::int64_t* left);

  const CpuSpec& spec_;
  const std::vector<CpuCode>& codes_;
  CoreMemory& memory_;
  std::array<Issue, kMicroOpClasses> issue_{};
  SlotCalendar ports_;
  std::array<Register, 256> registers_{};
  std::vector<std::int64_t> pointers_;
  std::vector<BranchHistory> history_;  ///< by code
  std::vector<std::int64_t> left_;      ///< trips of each loop

  std::uint64_t enter_cycle_ = 0;  ///< in which the last micro-operation came in
  std::int64_t entered_ = 0;       ///< in that cycle
  std::uint64_t fetch_from_ = 0;   ///< nothing is fetched before
  std::vector<Retired> window_;    ///< ring
  std::size_t window_at_ = 0;
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> waiting_;
  std::vector<std::uint64_t> loads_;  ///< ring: retire cycles
  std::size_t loads_at_ = 0;
  StoreBuffer stores_;
  std::uint64_t retire_cycle_ = 0;
  std::int64_t retired_ = 0;  ///< in that cycle
  std::uint64_t last_issue_ = 0;
  std::int64_t walk_at_ = 0;
  bool every_turn_;
  TurnSampler turns_;
  CoreCounters turn_begin_;  ///< when the outermost loop's turn began
  CoreCounters counters_;
};

}  // namespace siliscope
