// SPDX-License-Identifier: Apache-2.0
// Plays one launch of a kernel at tile zoom: CTAs (or clusters of them) start where an SM has room,
// fill their rings of stages from L2, compute step by step, store, and make room for the next.
// Whole waves, the partial wave and the tail follow from that.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "models/gpu/cluster_grid.h"
#include "models/gpu/cluster_slots.h"
#include "models/gpu/cta_cost.h"
#include "models/gpu/occupancy.h"
#include "models/gpu/sm.h"
#include "models/gpu/stream_k.h"
#include "sim/core/event_queue.h"

namespace siliscope {

/// Plays a launch, at either zoom.
class LaunchPlayer {
 public:
  /// Told when the last CTA has ended.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void KernelDone(std::uint32_t launch, Tick end) = 0;
    /// A CTA has ended.
    virtual void CtaDone(const CtaRecord& cta) = 0;
    /// A window of CTAs or of their steps begins: remember the counters of the chip.
    virtual void BeginWindow(std::uint32_t launch) = 0;
    /// What has come for the launch's loads since then.
    virtual L2Arrivals ArrivedInWindow(std::uint32_t launch) const = 0;
    /// Whether nothing else runs or is about to, nor has begun a window since the launch did: then
    /// windows that repeat may be skipped.
    virtual bool Alone(std::uint32_t launch) const = 0;
    /// `windows` more windows like the last pass, each of `length`.
    virtual void SkipWindows(std::int64_t windows, Tick length, std::uint32_t launch) = 0;
    /// The same of stretches of steps, whose loads brought what `followed` says.
    virtual void SkipSteps(std::int64_t windows, Tick length, std::uint32_t launch,
                           const L2Arrivals& followed) = 0;
  };

  virtual ~LaunchPlayer() = default;
  virtual void Start(Tick now) = 0;
  /// Room may have come free by another kernel.
  virtual void Dispatch(Tick now) = 0;
};

class KernelPlayer : public LaunchPlayer {
 public:
  KernelPlayer(const GpuProgram& program, std::uint32_t launch, const GpuSpec& gpu,
               const CtaCost& cost, const Occupancy& occupancy,
               const std::vector<std::unique_ptr<Sm>>& sms, EventQueue& events, Clock clock,
               Owner& owner);

  /// Plays the first few waves of a longer grid only. Returns how often they fit into the whole.
  double Shorten(std::int64_t waves);
  void Start(Tick now) override;
  void Dispatch(Tick now) override;
  bool Done() const { return started_ == groups_in_grid_ && running_ == 0; }
  std::uint32_t op() const { return op_; }
  std::int64_t ctas() const { return kernel_.grid.Ctas(); }

 private:
  /// Loads of a step that have been sent: when the first of their data is there, the mean, and all.
  struct Arrival {
    Tick sent = 0, first = 0, mean = 0, ready = 0;
    Tick queued = 0;  ///< of the time up to `ready`
    bool whole = false;
    double bandwidth_share = 0;
  };
  /// Lines of a step that were loaded through L1.
  struct InL1 {
    std::int64_t loaded = -1;  ///< bytes the SM had loaded when they came last; -1 = never
    Tick first = 0, mean = 0, ready = 0;  ///< of those that stay, as in Arrival
  };
  struct Cursor {
    std::int64_t tile = 0;  ///< of the cluster grid
    std::int64_t step = 0;  ///< of the pass, from 0
    std::int64_t part = 0;  ///< of its loads
  };
  struct Ring {
    Cursor load;
    std::deque<Arrival> arrivals;
  };
  /// A running CTA or cluster.
  struct Group {
    std::vector<std::uint32_t> sms, lanes;
    Tick begin = 0;
    std::int64_t number = 0;  ///< in the order of starting
    std::int64_t first_tile = 0, tile = 0;
    bool waits_for_sums = false;  ///< of other CTAs (stream-K)
    std::size_t pass = 0;
    std::int64_t step = 0, steps = 0;
    std::int64_t stretch_step = 0;  ///< at the begin of the present stretch
    /// Of the first pass, whose loads run ahead into the next tile where a kernel is persistent,
    /// and of the pass after it.
    std::array<Ring, 2> rings;
    Ring& ring() { return rings[pass == 0 ? 0 : 1]; }
    std::size_t untaken = 0;  ///< SMs whose pipes haven't come to the step yet
    Tick end = 0;             ///< of the step on the others
    Tick floor = 0;           ///< no step before
    Tick waiting_since = 0;
    Tick stored = 0;        ///< the last store is in L2
    bool stepping = false;  ///< between the begin of a pass's first step and the end of its last
    bool issuing = false;   ///< the next loads are on their way out
    bool starved = false;   ///< a step waits for its loads to be sent
    Cause before = Cause::kLaunch;
    double spread = 0;  ///< how late the last warp's data was since the last barrier, squared
    std::vector<InL1> touched;  ///< by step
    bool active = false;
  };

  void Begin(std::uint32_t group);
  void BeginPass(std::uint32_t group);
  bool MoreLoads(Group* g) const;
  void IssueLoads(std::uint32_t group);
  void NextLoads(std::uint32_t group);
  /// What one member of a group fetches.
  struct Fetch {
    const OperandStream* stream;
    std::uint32_t tensor;
    std::size_t member;
    Rectangle lines;
  };
  template <class Each>
  void ForEachLoad(const Group& g, std::size_t pass, std::int64_t tile, std::int64_t first,
                   std::int64_t step, const Each& fetch) const;
  /// Whether another member of the cluster gets what one fetches.
  bool Receives(const Fetch& f, std::size_t other) const {
    return other != f.member && clusters_.Shares(*f.stream, f.member, other);
  }
  L2Arrivals FollowSteps(const Group& g, std::int64_t from, std::int64_t steps) const;
  std::int64_t PartsOf(const KernelPass& pass) const;
  std::int64_t LoadPart(Group* g, std::size_t pass, const Cursor& at, std::int64_t parts,
                        Arrival* arrival);
  bool TouchInL1(std::uint32_t sm, InL1* lines) const;
  InL1& StayOf(const OperandStream& stream, std::uint32_t sm, std::int64_t touch);
  bool WarpsRunOn(const Group& g) const;
  /// Whether the CTA waits for its last warp after the next step.
  bool Joins(const Group& g) const { return g.step + 1 == g.steps && kernel_.passes[g.pass].joins; }
  /// When the pipes can begin the next step, and how long it then takes a CTA alone.
  struct Ready {
    Tick when = 0;
    double cycles = 0;
  };
  Ready WhenReady(Group& g) const;
  void ComputeOrStarve(std::uint32_t group);
  void TryCompute(std::uint32_t group);
  void Compute(std::uint32_t group, Sm::Step step);
  void Taken(std::uint32_t group, Tick end);
  void StepDone(std::uint32_t group);
  void StoreStep(Group* g);
  void Drain(std::uint32_t group);
  void Finish(std::uint32_t group);
  void Retire(std::uint32_t group);
  void WatchWindows();
  bool RepeatsSteps() const;
  void BeginStretch();
  void WatchSteps();
  /// Not all resident CTAs are in their main loops any more, or as before.
  void BreakStretch() {
    if (!repeats_steps_) return;
    stretch_length_ = 0;
    BeginStretch();
  }
  std::int64_t StretchesLeft() const;
  void SkipStretches(Tick length);
  CtaPlace PlaceIn(std::int64_t tile, std::size_t member) const {
    return clusters_.PlaceIn(tile, member);
  }
  StepRange RangeOf(const Group& g, std::size_t pass, std::int64_t tile) const;
  std::int64_t NextTile(const Group& g, std::int64_t tile) const;
  bool AwaitsSums(Group* g) const;
  void SumsStored(std::int64_t tile);
  bool StartGroup(const std::vector<std::uint32_t>& sms, Tick now);

  template <void (KernelPlayer::*Method)(std::uint32_t)>
  static void Call(void* self, std::uint64_t argument) {
    (static_cast<KernelPlayer*>(self)->*Method)(static_cast<std::uint32_t>(argument));
  }

  const GpuProgram& program_;
  const GpuKernel& kernel_;
  std::uint32_t launch_, op_;
  const GpuSpec& gpu_;
  const CtaCost& cost_;
  const std::vector<std::unique_ptr<Sm>>& sms_;
  EventQueue& events_;
  Clock clock_;
  Owner& owner_;
  ClusterGrid clusters_;
  StreamK stream_k_;
  std::int64_t l1_bytes_ = 0;              ///< what shared memory leaves
  std::vector<std::vector<InL1>> stayed_;  ///< by SM and stream
  double share_;
  ClusterSlots slots_;
  std::int64_t groups_in_grid_ = 0;  ///< that start: of a persistent kernel, those that fit
  std::int64_t tiles_ = 0, started_ = 0, running_ = 0;
  Timeline scheduler_;  ///< of CTAs
  Tick end_ = 0;
  // Windows of CTAs: where one takes as long as the one before, further ones are not played.
  std::int64_t window_ = 0, completed_ = 0, window_end_ = 0;
  std::int64_t resident_ = 0;  ///< CTAs, or clusters, at a time
  Tick window_begin_ = 0, window_length_ = 0;
  Tick window_origin_ = 0, ended_sum_ = 0;  ///< ends of a window's last CTAs, after the origin
  // Stretches of steps of all resident CTAs, likewise.
  bool repeats_steps_ = false;
  std::int64_t stretch_steps_ = 4, stepped_ = 0;  ///< of a CTA in a stretch; of all so far
  Tick stretch_begin_ = 0, stretch_length_ = 0;   ///< of the present one, of the one before
  std::vector<Group> groups_;
  std::vector<std::uint32_t> free_groups_;
  std::vector<std::int64_t> sums_stored_;  ///< by tile
};

}  // namespace siliscope
