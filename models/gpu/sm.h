// SPDX-License-Identifier: Apache-2.0
// A streaming multiprocessor at tile zoom: room for CTAs, the time of its pipes for their steps,
// and its two ways to the crossbar. Every moment of it is charged to one cause.
#pragma once

#include <algorithm>
#include <systemc>
#include <vector>

#include "models/gpu/cta_cost.h"
#include "models/gpu/l2_cache.h"
#include "models/gpu/pipe_share.h"
#include "models/gpu/tlb.h"
#include "sim/contract/program.h"
#include "sim/contract/record.h"
#include "sim/core/event_queue.h"

namespace siliscope {

class Sm : public sc_core::sc_module {
 public:
  sc_core::sc_port<L2Port> l2{"l2"};

  /// `gpc` is the port that the SMs of a GPC share, of `gpc_bytes_per_cycle` (0 = no limit).
  Sm(const sc_core::sc_module_name& name, const SmSpec& spec, std::size_t partition,
     std::uint32_t index, Timeline& gpc, double gpc_bytes_per_cycle, ChipTlb& tlb,
     EventQueue& events, bool keep_spans);

  /// Room is counted in shares of an SM: a CTA of a kernel that fits n times takes 1/n.
  bool HasRoom(double share) const { return used_ + share <= 1.0001; }
  /// Returns the CTA's lane: the first that is free.
  std::uint32_t Enter(double share) {
    used_ += share, ++residents_;
    const auto free = std::find(lanes_.begin(), lanes_.end(), false);
    const auto lane = static_cast<std::uint32_t>(free - lanes_.begin());
    if (free == lanes_.end()) lanes_.push_back(false);
    lanes_[lane] = true;
    return lane;
  }
  void Leave(double share, std::uint32_t lane) {
    used_ = --residents_ == 0 ? 0 : used_ - share;
    lanes_[lane] = false;
  }
  std::int64_t residents() const { return residents_; }

  /// A rectangle of a tensor (in lines) from L2 through the SM's port, asked for at present and
  /// sent `when` the SM can.
  L2Response Load(Tick asked, Tick when, std::uint32_t launch, std::uint32_t index,
                  const GpuTensor& tensor, const Rectangle& rectangle);
  /// The same data, fetched by another SM of the cluster: only this SM's port is taken.
  L2Response Receive(const L2Response& fetched, const Rectangle& rectangle);
  /// `bytes` from the shared memory of another SM of the cluster, which sends them as they come;
  /// returns when the last is there.
  Tick LoadFrom(Sm& peer, Tick now, std::int64_t bytes);
  /// Returns when the data is in L2.
  Tick Store(Tick asked, Tick when, std::uint32_t launch, std::uint32_t tensor,
             const Rectangle& rectangle);

  /// The same for operations that the L2 does; returns when the old values are back.
  Tick Atomic(Tick asked, Tick when, std::uint32_t launch, std::uint32_t tensor,
              const Rectangle& rectangle, std::int64_t on_one_address);

  /// What a load that is not played leaves behind in L2.
  L2Arrivals Follow(std::uint32_t launch, std::uint32_t tensor, const Rectangle& rectangle) {
    return l2->Follow({0, 0, launch, tensor, rectangle, partition_, false});
  }

  /// What a CTA waited for before a step.
  struct Wait {
    Tick since = 0;
    Cause cause = Cause::kMemoryLatency;
    double bandwidth_share = 0;         ///< of the wait: for bandwidth, the rest as `cause` says
    Cause before = Cause::kDependency;  ///< of the time before `since`
  };
  /// A CTA's step that is ready for the pipes.
  struct Step {
    std::uint64_t age = 0;                         ///< the CTA that started first has the lowest
    double alone_cycles = 0, interval_cycles = 0;  ///< as in PassCost
    double precedence = 1;                         ///< as in PipeShare
    bool shares = false;  ///< runs beside others: it doesn't wait for the memory in between
    Wait wait;
    std::uint32_t op = 0;
    /// Called once the pipes have taken the step, with the time at which it is over.
    void (*taken)(void* context, std::uint32_t argument, Tick end) = nullptr;
    void* context = nullptr;
    std::uint32_t argument = 0;
  };
  /// Pipes take steps one after another: of those that wait, the oldest CTA's first, as warp
  /// schedulers do that go on with the oldest (of others, the one that was ready first).
  void Take(const Step& step);
  /// Charges the time up to `until`.
  void Idle(Tick until, Cause cause, std::uint32_t op);

  void SetClock(Clock clock) {
    clock_ = clock;
    tlb_.SetClock(clock);
  }
  void ForgetPages() { tlb_.Forget(); }
  /// Remembers where the counters stand; then adds `windows` times what came since, for `length`
  /// each, in which an SM does `flops`: which of them had one CTA more evens out.
  void BeginWindow();
  double WindowFlops() const { return flops_ - window_.flops; }
  void SkipWindows(std::int64_t windows, Tick length, double flops, std::uint32_t op);
  void Reset(Tick now, std::vector<OperatorRecord>* operators);
  const CauseTimes& times() const { return times_; }
  std::vector<Span> TakeSpans() { return std::move(spans_); }
  std::int64_t loaded_bytes() const { return loaded_bytes_; }
  std::uint64_t steps() const { return steps_; }
  void AddFlops(double flops) { flops_ += flops; }
  double flops() const { return flops_; }

 private:
  void Serve(const Step& step);
  void Share(const Step& step);
  void Account(const Step& step, Tick start);
  void AwaitEnd();
  void EndShares();
  static void CallEndShares(void* self, std::uint64_t) { static_cast<Sm*>(self)->EndShares(); }
  void ServeNext();
  static void CallServeNext(void* self, std::uint64_t) { static_cast<Sm*>(self)->ServeNext(); }
  void Charge(Tick until, Cause cause, std::uint32_t op, bool busy);
  static std::int64_t Sectors(const Rectangle& r) { return r.rows * ((r.bytes + 31) / 32 * 32); }

  const SmSpec& spec_;
  std::size_t partition_;
  std::uint32_t index_;
  Timeline& gpc_;
  double gpc_bytes_per_cycle_;
  bool keep_spans_;
  SmTlb tlb_;
  Clock clock_;
  double used_ = 0;
  std::int64_t residents_ = 0;
  std::vector<bool> lanes_;  ///< taken
  Timeline fill_, drain_;
  Tick pipe_free_ = 0;
  bool oldest_first_;
  EventQueue& events_;
  std::vector<Step> waiting_;  ///< for the pipes
  PipeShare share_;
  std::vector<Step> sharing_;  ///< by the share's id; `taken` is null where one is free
  Tick next_end_ = kNever;     ///< of a step that shares
  Tick accounted_ = 0;
  Tick origin_ = 0;
  CauseTimes times_{};
  std::vector<OperatorRecord>* operators_ = nullptr;
  std::vector<Span> spans_;
  std::int64_t loaded_bytes_ = 0;
  std::uint64_t steps_ = 0;
  double flops_ = 0;
  Tick skipped_ = 0;  ///< time that was not played
  struct Window {
    CauseTimes times{};
    std::int64_t loaded_bytes = 0;
    std::uint64_t steps = 0;
    double flops = 0;
  } window_;
};

}  // namespace siliscope
