// SPDX-License-Identifier: Apache-2.0
// A streaming multiprocessor at cycle zoom: every warp instruction. Sub-cores issue at most one
// instruction a cycle (two where the chip issues in pairs) from a ready warp; a scoreboard holds a
// warp until its operands are there; pipes take a warp instruction each interval; loads and stores
// of all sub-cores share one memory pipe, which serves 32 banks or one line's tag a cycle.
//
// Cycles in which no sub-core can issue are skipped: the result is that of stepping them all.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "models/gpu/cluster_grid.h"
#include "models/gpu/cluster_port.h"
#include "models/gpu/constant_cache.h"
#include "models/gpu/cta_geometry.h"
#include "models/gpu/instruction_fetch.h"
#include "models/gpu/l1_cache.h"
#include "models/gpu/sm_counters.h"
#include "models/gpu/sm_memory.h"
#include "models/gpu/stream_k.h"
#include "sim/contract/gpu_program.h"
#include "sim/contract/gpu_spec.h"

namespace siliscope {

/// A tile of a CTA.
struct CtaTile {
  CtaPlace place;
  std::vector<StepRange> passes;  ///< steps of each; none = the kernel's own
};

/// What a CTA is started for.
struct CtaWork {
  std::vector<CtaTile> tiles = {CtaTile{}};  ///< which it walks one after another
  ClusterMember at;
};

/// When a pass of a CTA began and ended, over all its warps.
struct PassTimes {
  std::uint64_t begin = ~std::uint64_t{0};
  std::uint64_t steps_end = 0;  ///< the last warp left the loop over the steps
  std::uint64_t end = 0;
};

class SmCycle {
 public:
  /// `steps` gives the steps of each pass; it stands in place of the kernel's own.
  SmCycle(const GpuSpec& gpu, const GpuProgram* program, const GpuKernel& kernel,
          std::vector<std::int64_t> steps, SmMemory& memory);

  /// The program is in the SM's instruction cache, as in a run that is repeated.
  void WarmInstructions() { fetch_.WarmL1(); }
  /// The kernel's parameters are in the SM, as CTAs before have loaded them.
  void WarmConstants();
  /// CTAs run in clusters, whose members are reached through `port`; else each is taken alone, and
  /// fetches itself what its cluster shares.
  void JoinClusters(ClusterPort* port) { cluster_ = port; }
  /// CTAs put tiles together from sums of others, of which they learn through `port`.
  void JoinSums(SumsPort* port) { sums_ = port; }
  /// Starts a CTA at a cycle that is not before the present one; returns its slot.
  std::uint32_t Launch(const CtaWork& work, std::uint64_t cycle);
  /// Runs until every CTA has ended; returns the cycle. Throws InternalError where warps wait for
  /// each other for ever.
  std::uint64_t Run();
  /// Runs up to `limit`; returns the next cycle that has work, or the largest number.
  std::uint64_t RunUntil(std::uint64_t limit);

  /// Another member of the cluster has arrived on a stage of a CTA's mbarrier.
  void ArriveFromPeer(std::uint32_t cta, std::size_t ring, std::size_t stage, std::uint64_t ready);
  /// All members of a CTA's cluster have come to their barrier: its warps go on at `cycle`.
  void PassClusterBarrier(std::uint32_t cta, std::uint64_t cycle);
  /// The sums that a CTA waits for, if it does, are there: its warps go on at `cycle`.
  void PassSums(std::uint32_t cta, std::uint64_t cycle);

  /// The next cycle that has work, as far as is known; the largest number = none.
  std::uint64_t next() const {
    std::uint64_t next = miss_queue_.empty() ? kBlocked : miss_retry_;
    for (const Subcore& s : subcores_) next = std::min(next, s.next_try);
    return next;
  }
  std::uint64_t now() const { return now_; }
  std::size_t resident_ctas() const { return resident_; }
  const SmCounters& counters() const { return counters_; }
  const std::vector<PassTimes>& passes() const { return passes_; }
  /// An issued instruction, for traces.
  struct Issued {
    std::uint64_t cycle = 0, pipe_free = 0;  ///< issued; the pipe takes the next
    std::uint32_t warp = 0, subcore = 0;
    WarpOpcode op = WarpOpcode::kExit;
    std::uint8_t pipe = 0;
  };
  /// Keeps the first `most` instructions that are issued.
  void KeepIssued(std::size_t most) { most_issued_ = most; }
  const std::vector<Issued>& issued() const { return issued_; }
  static const char* PipeName(std::uint8_t pipe);

  struct Ended {
    std::uint32_t cluster = 0;
    std::uint64_t cycle = 0;
  };
  /// The CTAs that have ended since the last call.
  std::vector<Ended> TakeEnded() { return std::exchange(ended_, {}); }

  /// Of each tile that was finished since the last call: the length of the dot product that its
  /// first warp's Tensor Core instructions added up in an accumulator; the shortest of all.
  struct Contraction {
    std::uint32_t cluster = 0, tile = 0;
    std::int64_t length = 0;
  };
  std::vector<Contraction> TakeContractions() { return std::exchange(contractions_, {}); }

 private:
  static constexpr std::uint64_t kBlocked = ~std::uint64_t{0};
  enum Pipe : std::uint8_t {
    kFp32,
    kFp16,
    kFp64,
    kInteger,
    kSfu,
    kUniform,
    kTensor,
    kMemory,
    kControl,
    kPipes
  };

  static constexpr std::uint32_t kNone32 = ~std::uint32_t{0};
  struct MbarrierUse {
    std::int64_t waits = 0, arrivals = 0, copies = 0;
  };
  /// A branch that a warp is inside of.
  struct Branch {
    std::uint32_t next = 0;    ///< where the paths begin that run after this one
    std::int32_t left = 0;     ///< of them
    std::uint8_t lanes = 32;   ///< of each of them
    std::uint8_t before = 32;  ///< lanes that come together again
    std::int32_t open = 0;     ///< paths that run beside this one
    bool gathered = false;     ///< of all warps of the CTA
  };
  /// A load of which some sectors have found no free miss register yet.
  struct PartialLoad {
    std::size_t line = 0;       ///< that comes next, of those it touches
    std::uint32_t sectors = 0;  ///< of it; 0 = all
    std::uint64_t ready = 0;    ///< data of those before
  };
  struct Warp {
    std::uint32_t pc = 0;
    std::uint16_t role = 0, cta = 0, subcore = 0, in_role = 0;
    bool active = false;
    std::uint8_t pipe = kControl;
    IssueSlot reason = IssueSlot::kNoInstruction;
    std::uint64_t ready_at = kBlocked;
    std::uint64_t issue_after = 0;
    std::size_t line = ~std::size_t{0};
    std::int64_t step = 0;
    std::int16_t pass = -1;
    std::uint32_t tile = 0;  ///< of the CTA's
    std::array<std::uint64_t, 256> register_ready{};
    std::array<IssueSlot, 256> register_reason{};
    std::vector<std::int32_t> trips;      ///< done, of each loop of its program
    std::uint64_t open_copies = 0;        ///< arrival of the copies not yet committed
    std::deque<std::uint64_t> committed;  ///< arrival of each committed group
    std::deque<std::uint64_t> group_mmas;
    std::vector<MbarrierUse> mbarriers;
    std::vector<Branch> branches;
    std::uint8_t lanes = 32;         ///< active
    std::uint32_t decisions = 0;     ///< branches met so far
    std::uint32_t parent = kNone32;  ///< of a path that runs beside its warp's
    std::size_t parent_branch = 0;   ///< at which it began
    std::uint32_t team = kNone32;    ///< the paths of one warp, of which one at a time may issue
    bool waits_for_paths = false;
    PartialLoad load;
  };
  struct Team {
    std::vector<std::uint32_t> paths;
    std::uint32_t running = kNone32;
  };
  /// Lanes of a CTA's warps that have come to a branch.
  struct Gathering {
    std::array<std::uint16_t, 32> on{}, off{};  ///< by place: lanes that go on, and the others
    std::vector<std::uint32_t> waiting;
  };
  struct Barrier {
    std::int64_t arrived = 0;
    std::vector<std::uint32_t> waiting;
  };
  struct Mbarrier {  ///< one stage
    std::int64_t arrived = 0;
    std::int64_t copies = 0;            ///< bulk copies issued in this phase
    std::uint64_t ready = 0;            ///< arrival of their data
    std::vector<std::uint64_t> phases;  ///< when each phase was complete
    std::vector<std::pair<std::uint32_t, std::int64_t>> waiting;  ///< warp, phase
  };
  struct Cta {
    CtaWork work;
    bool active = false;
    std::int64_t warps_left = 0;
    std::array<std::int32_t, 256> contracted{};  ///< elements multiplied into each accumulator
    std::vector<std::uint32_t> warps;
    std::vector<Barrier> barriers;
    std::vector<std::vector<Mbarrier>> mbarriers;  ///< of each ring, by stage
    std::vector<std::uint32_t> at_cluster_barrier;
    std::int64_t stored_sums = 0;  ///< warps that have, of the present tile
    std::vector<std::uint32_t> awaiting_sums;
    Gathering gathering;
  };
  struct Subcore {
    std::vector<std::uint32_t> warps;  ///< oldest first
    std::uint32_t last = kNone32;
    std::uint64_t next_try = 0;
    std::uint64_t accounted = 0;
    IssueSlot reason = IssueSlot::kNoWarp;
    std::array<std::uint64_t, kPipes> pipe_free{};
    // Operand collectors, where the chip has them: cycles in which each is free again.
    std::vector<std::uint64_t> collectors_free;
    std::array<double, 64> bank_free{};
    std::array<std::uint64_t, kPipes> dispatch_free{};  ///< a pipe takes a collected instruction
    double tensor_fraction = 0;
    std::deque<std::uint64_t> memory_starts;  ///< of the loads and stores in its queue
  };

  const WarpProgram& ProgramOf(const Warp& w) const { return kernel_.roles[w.role].program; }
  const WarpInstruction& Next(const Warp& w) const { return ProgramOf(w).instructions[w.pc]; }
  /// A place for a warp, or for a path of one; places may move.
  std::uint32_t FreeWarp();
  void Visit(std::size_t subcore);
  std::uint32_t Pick(const Subcore& s, std::uint64_t* next, IssueSlot* reason) const;
  bool Eligible(const Subcore& s, std::uint32_t warp, std::uint64_t* when) const;
  void Issue(std::uint32_t warp);
  void IssueAndKeep(std::uint32_t warp);
  void Advance(Warp* w);
  void Prepare(std::uint32_t warp);
  void Wake(std::uint32_t warp, std::uint64_t when);
  void Account(Subcore* s, IssueSlot until_now);

  void Arithmetic(Warp* w, const WarpInstruction& in, Pipe pipe, const GpuPipeSpec& spec,
                  IssueSlot reason);
  void Collect(Warp* w, const WarpInstruction& in, Pipe pipe, const GpuPipeSpec& spec,
               IssueSlot reason);
  bool IsReused(const WarpInstruction& in, std::size_t source) const {
    return sm_.registers.reuse_cache && ((in.reuse >> source) & 1) != 0;
  }
  void Mma(Warp* w, const WarpInstruction& in);
  void GroupMma(Warp* w, const WarpInstruction& in);
  void SharedAccess(Warp* w, const WarpInstruction& in);
  bool GlobalAccess(std::uint32_t index, const WarpInstruction& in);
  bool LoadThroughL1(Warp* w, const WarpInstruction& in, std::uint64_t cycle);
  void ServeMissQueue();
  std::uint64_t DataPasses(const WarpInstruction& in, const WarpAccess& access,
                           std::uint64_t bytes) const;
  void PeerAccess(Warp* w, const WarpInstruction& in);
  std::uint64_t MovePastL1(const std::vector<TouchedLine>& lines, std::uint64_t cycle);
  /// Different words that the lanes of a constant load name: all the same without an access.
  static std::int64_t ConstantWords(const Warp& w, const WarpInstruction& in) {
    return in.access == kNoAccess ? 1 : std::max<std::int64_t>(1, Lanes(w, in));
  }
  std::uint64_t DescriptorOf(const WarpAccess& access);
  void BulkCopy(Warp* w, const WarpInstruction& in);
  void CopyToCluster(const Cta& cta, const OperandStream& stream, std::size_t ring,
                     std::size_t stage, std::uint64_t cycle);
  void BulkStore(const Warp& w, const WarpInstruction& in);
  void AtBarrier(std::uint32_t warp, const WarpInstruction& in, std::int64_t cycles);
  void Arrive(Warp* w, const WarpInstruction& in);
  bool WaitForPhase(std::uint32_t warp, const WarpInstruction& in);
  void AtClusterBarrier(std::uint32_t warp, const WarpInstruction& in);
  std::int64_t Arrivals(std::size_t ring) const {
    const MbarrierRing& r = kernel_.mbarriers[ring];
    return cluster_ != nullptr && r.cluster_arrivals > 0 ? r.cluster_arrivals : r.arrivals;
  }
  void CheckPhase(Cta* cta, std::size_t ring, std::size_t stage);
  void Loop(Warp* w, const WarpInstruction& in);
  // Divergence (sm_cycle_divergence.cpp)
  static std::uint8_t Lanes(const Warp& w, const WarpInstruction& in) {
    if (in.first_warp_only && w.in_role != 0) return 0;
    return std::min(w.lanes, in.lanes);
  }
  bool MayIssue(std::uint32_t warp) const {
    const std::uint32_t team = warps_[warp].team;
    return team == kNone32 || teams_[team].running == warp;
  }
  std::uint32_t DecideLanes(Warp* w, const WarpInstruction& in) const;
  void Diverge(std::uint32_t warp, const WarpInstruction& in);
  void TakeBranch(std::uint32_t warp, const WarpInstruction& in);
  void GatherAtBranch(std::uint32_t warp, const WarpInstruction& in, std::uint32_t on);
  void SendGathered(Cta* cta);
  void Part(std::uint32_t warp, std::int64_t on, std::int64_t off, std::uint32_t else_pc);
  void StartPath(std::uint32_t warp, std::uint32_t pc, std::uint8_t lanes);
  void EndPath(std::uint32_t path);
  void Elect(std::uint32_t team);
  void EndOfOn(std::uint32_t warp, const WarpInstruction& in);
  void Reconverge(std::uint32_t warp);
  void GoTo(std::uint32_t warp, std::uint32_t pc);
  void Write(Warp* w, const WarpInstruction& in, std::uint64_t when, IssueSlot reason);
  void EnterPass(Warp* w, std::int16_t pass);
  /// Whether the warp goes on with the CTA's next tile.
  bool NextTile(std::uint32_t warp);
  void Exit(std::uint32_t warp);
  const CtaTile& TileOf(const Warp& w) const { return ctas_[w.cta].work.tiles[w.tile]; }
  CtaPlace PlaceOf(const Warp& w) const;
  StepRange StepsOf(const Warp& w, std::size_t pass) const;
  std::int64_t StepCount(const Warp& w, std::size_t pass) const {
    const std::vector<StepRange>& own = TileOf(w).passes;
    return own.empty() ? steps_[pass] : own[pass].count;
  }
  void SkipPass(Warp* w) const;
  void LeavePass(const Warp& w);
  bool AwaitsSums(std::uint32_t warp);
  void TakeContraction(Cta* cta, std::uint32_t tile);
  std::uint64_t TakeMemoryPipe(Warp* w, std::uint64_t passes);
  void TouchedLines(const Warp& w, const WarpInstruction& in, std::vector<TouchedLine>* lines);
  void BulkLines(const Warp& w, const WarpInstruction& in, std::vector<TouchedLine>* lines) const;
  std::int64_t BankConflict(const WarpInstruction& in) const;
  /// What an instruction of 32 lanes reads from the registers, and multiplies.
  struct Operands {
    float register_bytes = 0, macs = 0;
  };
  Operands OperandsOf(const WarpInstruction& in) const;

  const GpuSpec& gpu_;
  const SmSpec& sm_;
  const GpuProgram* program_;  ///< null: addresses are of no interest
  const GpuKernel& kernel_;
  std::vector<std::int64_t> steps_;
  SmMemory& memory_;
  ClusterGrid grid_;
  ClusterPort* cluster_ = nullptr;
  SumsPort* sums_ = nullptr;
  InstructionFetch fetch_;
  L1Cache l1_;
  ConstantCache constants_;
  std::vector<std::size_t> role_offset_;
  std::vector<std::vector<std::uint32_t>> loop_ids_;  ///< by role and instruction
  std::vector<std::uint32_t> loops_;
  std::vector<std::vector<Operands>> operands_;        ///< by role and instruction
  std::vector<std::vector<std::int64_t>> wavefronts_;  ///< by role and access, shared memory
  double group_rate_, warp_rate_;  ///< multiply-accumulates of a sub-core in a cycle
  int sum_bytes_;                  ///< of a Tensor Core's accumulator
  std::uint64_t now_ = 0;
  std::uint64_t memory_pipe_free_ = 0, tags_free_ = 0, bulk_free_ = 0, peers_free_ = 0;
  /// Warps whose loads wait for a miss register, and when one is free. The first holds up all.
  std::deque<std::uint32_t> miss_queue_;
  std::uint64_t miss_retry_ = 0;
  std::vector<Warp> warps_;
  std::vector<std::uint32_t> free_warps_;
  std::vector<Team> teams_;
  std::vector<Cta> ctas_;
  std::vector<Subcore> subcores_;
  std::size_t resident_ = 0;
  std::uint32_t next_subcore_ = 0;
  SmCounters counters_;
  std::vector<PassTimes> passes_;
  std::vector<Contraction> contractions_;
  std::vector<Ended> ended_;
  std::vector<TouchedLine> touched_;
  std::size_t most_issued_ = 0;  ///< 0 = no more are kept
  std::vector<Issued> issued_;
};

}  // namespace siliscope
