// SPDX-License-Identifier: Apache-2.0
// A core at cycle zoom. Micro-operations are taken in program order, and each finds the cycle in
// which it enters the window, issues to a port, ends and retires, from the cycles that those before
// it have left: window, scheduler, queues, ports and the memory are full until a cycle that is
// known. An older micro-operation finds its port first, as schedulers prefer the oldest. So every
// micro-operation is simulated, and no cycle is stepped in which nothing happens.
#pragma once

#include <array>
#include <boost/container/static_vector.hpp>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "models/cpu/branch_history.h"
#include "models/cpu/core_counters.h"
#include "models/cpu/core_memory.h"
#include "models/cpu/core_slots.h"
#include "models/cpu/store_buffer.h"
#include "models/cpu/turn_memory.h"
#include "models/cpu/turn_recorder.h"
#include "sim/contract/cpu_program.h"
#include "sim/contract/cpu_spec.h"

namespace siliscope {

class CoreCycle {
 public:
  /// With `turns`, those that are known are played; null = every micro-operation is simulated.
  /// `alone`: no other core wants anything of the memory.
  CoreCycle(const CpuSpec& spec, const std::vector<CpuCode>& codes, CoreMemory& memory,
            CoreSlots& slots, TurnMemory* turns, bool alone);

  /// A call begins, behind what has run before.
  void Begin(const CpuCall& call);
  /// Goes on with it until `until`; false where it has not ended by then.
  bool Continue(std::uint64_t until);
  /// The cycle in which the last micro-operation has retired.
  std::uint64_t now() const { return retire_cycle_; }
  /// The cycle in which everything that has begun has ended, stores included.
  std::uint64_t End() const;
  /// Nothing comes in before this cycle; its slots up to then are not counted.
  void SleepUntil(std::uint64_t cycle);

  /// From now on, what the next micro-operations did when is kept, so many.
  struct MicroOpTimes {
    MicroOpClass op;
    bool missed;
    std::uint64_t entered, issued, done, retired;
  };
  void Keep(std::size_t most) { to_keep_ = most; }
  const std::vector<MicroOpTimes>& kept() const { return kept_; }

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

  /// While caches are warmed, turns that are learned from are simulated without a stop: one core
  /// tells all others, and what it wants of the memory comes later.
  bool runs_ahead() const { return !alone_ && turns_ != nullptr && turns_->warms(); }
  bool Simulate(std::uint64_t until);
  bool Play(std::uint64_t until);
  CoreMemory::Played PlayTouch(const TurnTouch& touch, std::uint64_t place, std::uint64_t until);
  void BeginTurn();
  bool IsForeseen();
  bool IsWarm() const;
  void EndTurn(double share, double cycles);
  void BeginToPlay(double share);
  void EndSimulatedTurn();
  TurnFills Fills() const;
  TurnFills FillsOfTurn() const;
  TurnFills FillsIfPlayed() const;
  bool Branch(const MicroOp& op);
  void Execute(const MicroOp& op);
  std::uint64_t Enter(const MicroOp& op);
  void Lose(std::uint64_t until, TopDown place);
  void LoseToBackEnd(std::uint64_t until, bool memory);
  std::uint64_t Load(const MicroOp& op, std::uint64_t ready, bool* missed);
  void Store(const MicroOp& op, std::uint64_t done);
  void Retire(std::uint64_t done, bool memory, bool fused);
  std::int64_t NextOfWalk();

  const CpuSpec& spec_;
  const std::vector<CpuCode>& codes_;
  CoreMemory& memory_;
  std::array<Issue, kMicroOpClasses> issue_{};
  CoreSlots& slots_;
  std::array<Register, 256> registers_{};
  const CpuCall* call_ = nullptr;
  const CpuCode* code_ = nullptr;
  std::size_t at_ = 0;  ///< the next micro-operation
  decltype(CpuCall::pointers) pointers_;
  std::vector<BranchHistory> history_;  ///< by code
  decltype(CpuCall::trips) left_;       ///< trips of each loop

  std::uint64_t enter_cycle_ = 0;  ///< in which the last micro-operation came in
  std::int64_t entered_ = 0;       ///< in that cycle
  std::uint64_t fetch_from_ = 0;   ///< nothing is fetched before
  std::vector<Retired> window_;    ///< ring
  std::size_t window_at_ = 0;
  std::size_t scheduler_;  ///< places
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> waiting_;
  std::vector<std::uint64_t> loads_;  ///< ring: retire cycles
  std::size_t loads_at_ = 0;
  StoreBuffer stores_;
  std::uint64_t retire_cycle_ = 0;
  std::int64_t retired_ = 0;  ///< in that cycle
  std::uint64_t last_issue_ = 0;
  std::int64_t walk_at_ = 0;

  /// A turn that is played.
  struct Played {
    double begin = 0, share = 1;
    std::size_t at = 0, end = 0;  ///< touches
    double apart = 0;             ///< cycles between two of them
    std::uint64_t waited = 0;     ///< cycles, for lines that were on their way
  };
  TurnMemory* turns_;
  TurnProfile* rest_ = nullptr;     ///< of the call's turns, without the first ones of its loops
  TurnProfile* profile_ = nullptr;  ///< of the present turn
  TurnRecorder recorder_;
  bool alone_;
  bool in_turn_ = false, plays_ = false;
  int look_ahead_ = 0;          ///< of the call's first turns, that are still to come
  bool warm_ = false;           ///< what ran last was simulated
  bool again_ = false;          ///< the next turn shall be: the last one said too little
  std::int64_t turn_left_ = 0;  ///< trips of the turn that are left
  Played played_;
  TurnFills turn_fills_;     ///< when the turn began
  TurnFills turn_foreseen_;  ///< of the turn, as if it were played
  CoreCounters turn_begin_;
  CoreCounters counters_;
  std::size_t to_keep_ = 0;
  std::vector<MicroOpTimes> kept_;
};

}  // namespace siliscope
