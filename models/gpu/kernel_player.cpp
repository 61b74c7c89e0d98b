// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/kernel_player.h"

#include <algorithm>
#include <cmath>

namespace siliscope {
KernelPlayer::KernelPlayer(const GpuProgram& program, std::uint32_t launch, const GpuSpec& gpu,
                           const CtaCost& cost, const Occupancy& occupancy,
                           const std::vector<std::unique_ptr<Sm>>& sms, EventQueue& events,
                           Clock clock, Owner& owner)
    : program_(program),
      kernel_(program.kernels[program.launches[launch].kernel]),
      launch_(launch),
      op_(program.launches[launch].op),
      gpu_(gpu),
      cost_(cost),
      sms_(sms),
      events_(events),
      clock_(clock),
      owner_(owner),
      clusters_(kernel_),
      stream_k_(kernel_, clusters_.tiles()),
      share_(1.0 / static_cast<double>(std::max<std::int64_t>(1, occupancy.ctas))),
      slots_(MakeClusterSlots(gpu, clusters_.members())) {
  tiles_ = clusters_.tiles();
  l1_bytes_ = gpu.sm.l1.size_bytes;
  if (gpu.sm.l1.unified) {
    l1_bytes_ -= std::min(
        gpu.sm.shared_memory.size_bytes,
        occupancy.ctas * (kernel_.shared_bytes + gpu.sm.shared_memory.reserved_per_cta_bytes));
  }
  stayed_.resize(sms.size() * kernel_.streams.size());
  groups_in_grid_ = tiles_;
  if (stream_k_.any()) {
    sums_stored_.assign(static_cast<std::size_t>(tiles_), 0);
    groups_in_grid_ = stream_k_.ctas();
  } else if (kernel_.persistent) {
    groups_in_grid_ =
        std::min<std::int64_t>(tiles_, static_cast<std::int64_t>(slots_.size()) * occupancy.ctas);
  }
}

StepRange KernelPlayer::RangeOf(const Group& g, std::size_t pass, std::int64_t tile) const {
  if (stream_k_.any()) return stream_k_.RangeOf(g.number, tile, pass);
  return StepsOf(kernel_, kernel_.passes[pass], PlaceIn(tile, 0));
}

/// The tile that a CTA goes on with; -1 = none.
std::int64_t KernelPlayer::NextTile(const Group& g, std::int64_t tile) const {
  if (stream_k_.any()) return stream_k_.ShareOf(g.number, tile + 1).count > 0 ? tile + 1 : -1;
  const std::int64_t next = tile + groups_in_grid_;
  return kernel_.persistent && next < tiles_ ? next : -1;
}

double KernelPlayer::Shorten(std::int64_t waves) {
  const auto wave = static_cast<std::int64_t>(static_cast<double>(slots_.size()) / share_);
  const std::int64_t all = tiles_;
  if (stream_k_.any() || all <= (waves + 1) * wave) return 1;
  tiles_ = waves * wave;
  groups_in_grid_ = std::min(groups_in_grid_, tiles_);
  return static_cast<double>(all) / static_cast<double>(tiles_);
}

void KernelPlayer::Start(Tick now) {
  end_ = now;
  resident_ = static_cast<std::int64_t>(static_cast<double>(slots_.size()) / share_);
  window_ = window_end_ = 2 * resident_;
  window_origin_ = now;
  repeats_steps_ = RepeatsSteps();
  Dispatch(now);
}

void KernelPlayer::Dispatch(Tick now) {
  // Round and round, so that CTAs spread over the SMs before they share one.
  while (started_ < groups_in_grid_) {
    std::int64_t least = -1;
    for (const auto& slot : slots_) {
      const Sm& sm = *sms_[slot.front()];
      if (!sm.HasRoom(share_)) continue;
      if (least < 0 || sm.residents() < least) least = sm.residents();
    }
    if (least < 0) return;
    bool any = false;
    for (const auto& slot : slots_) {
      if (started_ == groups_in_grid_) return;
      if (sms_[slot.front()]->residents() > least) continue;
      any = StartGroup(slot, now) || any;
    }
    if (!any) return;
  }
}

bool KernelPlayer::StartGroup(const std::vector<std::uint32_t>& sms, Tick now) {
  for (const std::uint32_t s : sms) {
    if (!sms_[s]->HasRoom(share_)) return false;
  }
  std::uint32_t index = 0;
  if (free_groups_.empty()) {
    index = static_cast<std::uint32_t>(groups_.size());
    groups_.emplace_back();
  } else {
    index = free_groups_.back();
    free_groups_.pop_back();
  }
  Group& g = groups_[index];
  g = Group{};
  g.sms = sms;
  g.active = true;
  for (const std::uint32_t s : sms) g.lanes.push_back(sms_[s]->Enter(share_));
  g.begin = now;
  g.number = started_;
  g.first_tile = g.tile = stream_k_.any() ? stream_k_.FirstTileOf(started_) : started_;
  g.rings[0].load.tile = g.tile;
  ++started_;
  ++running_;
  // The CTA scheduler places so many a cycle; then the CTA is set up and runs to its first pass.
  const double place_cycles =
      static_cast<double>(clusters_.members()) / static_cast<double>(gpu_.launch.ctas_per_cycle);
  const Tick placing = clock_.Cycles(place_cycles);
  const Tick placed = scheduler_.Reserve(now, placing) + placing;
  const double start = g.number < resident_ ? cost_.start_cycles : cost_.later_start_cycles;
  const Tick begin =
      placed + clock_.Cycles(static_cast<double>(gpu_.launch.cta_start_cycles) + start);
  events_.Schedule(begin, &Call<&KernelPlayer::Begin>, this, index);
  return true;
}

void KernelPlayer::Begin(std::uint32_t group) {
  groups_[group].waiting_since = events_.now();
  BeginPass(group);
}

void KernelPlayer::BeginPass(std::uint32_t group) {
  Group& g = groups_[group];
  const StepRange range = RangeOf(g, g.pass, g.tile);
  g.step = 0;
  g.steps = range.count;
  g.floor = events_.now() + clock_.Cycles(cost_.passes[g.pass].fill_cycles);
  BreakStretch();
  if (g.steps == 0) {
    Finish(group);
    return;
  }
  if (AwaitsSums(&g)) return;
  if (!kernel_.persistent || stream_k_.any() || g.pass != 0) {
    g.ring().load = {g.tile, 0, 0};
    g.ring().arrivals.clear();
  }
  IssueLoads(group);
  ComputeOrStarve(group);
}

/// The next step, or a wait for its loads to be sent.
void KernelPlayer::ComputeOrStarve(std::uint32_t group) {
  Group& g = groups_[group];
  g.starved = kernel_.passes[g.pass].Loads() &&
              (g.ring().arrivals.empty() || !g.ring().arrivals.front().whole);
  if (!g.starved) TryCompute(group);
}

void KernelPlayer::TryCompute(std::uint32_t group) {
  Group& g = groups_[group];
  const KernelPass& pass = kernel_.passes[g.pass];
  const bool loads = pass.Loads();
  const PassCost& cost = cost_.passes[g.pass];
  Ready ready{g.floor, cost.alone_cycles};
  if (loads) ready = WhenReady(g);
  ready.when = std::max(ready.when, g.floor);
  const Tick now = events_.now();
  if (ready.when > now) {
    events_.Schedule(ready.when, &Call<&KernelPlayer::TryCompute>, this, group);
    return;
  }
  Sm::Wait wait;
  wait.since = g.waiting_since;
  wait.before = g.before;
  if (loads && g.ring().arrivals.front().ready >= g.floor) {
    wait.bandwidth_share = g.ring().arrivals.front().bandwidth_share;
  } else {
    wait.cause = Cause::kFillDrain;
  }
  if (loads) {
    const Arrival& arrival = g.ring().arrivals.front();
    const auto late = static_cast<double>(arrival.ready - arrival.mean);
    g.spread = Joins(g) ? 0 : g.spread + late * late;
    g.ring().arrivals.pop_front();
  }
  g.stepping = true;
  if (pass.through_registers || pass.staged) IssueLoads(group);
  Sm::Step step;
  step.alone_cycles = ready.cycles;
  step.interval_cycles = cost.interval_cycles;
  step.precedence = cost.precedence;
  // Issue slots go to the oldest warps first; Tensor Cores and memories take turns.
  step.shares = loads && !kernel_.tensor_core && (pass.ring > 1 || pass.through_registers);
  step.wait = wait;
  Compute(group, step);
}

/// The pipes of all of the group's SMs, as they come to it.
void KernelPlayer::Compute(std::uint32_t group, Sm::Step step) {
  Group& g = groups_[group];
  step.age = (std::uint64_t{launch_} << 40) | static_cast<std::uint64_t>(g.number);
  step.op = op_;
  step.taken = [](void* self, std::uint32_t argument, Tick end) {
    static_cast<KernelPlayer*>(self)->Taken(argument, end);
  };
  step.context = this;
  step.argument = group;
  g.untaken = g.sms.size();
  g.end = events_.now();
  for (const std::uint32_t s : g.sms) sms_[s]->Take(step);
}

void KernelPlayer::Taken(std::uint32_t group, Tick end) {
  Group& g = groups_[group];
  g.end = std::max(g.end, end);
  if (--g.untaken > 0) return;
  if (g.step < g.steps) {
    events_.Schedule(g.end, &Call<&KernelPlayer::StepDone>, this, group);
  } else {  // it was the drain
    events_.Schedule(g.end, &Call<&KernelPlayer::Finish>, this, group);
  }
}

void KernelPlayer::StoreStep(Group* g) {
  const KernelPass& pass = kernel_.passes[g->pass];
  if (pass.stores.empty()) return;
  const Tick now = events_.now();
  const std::int64_t first = RangeOf(*g, g->pass, g->tile).first;
  for (const std::uint16_t id : pass.stores) {
    const OperandStream& stream = kernel_.streams[id];
    for (std::size_t m = 0; m < g->sms.size(); ++m) {
      CtaPlace place = PlaceIn(g->tile, m);
      if (stream_k_.any()) place.split = StreamK::SlotOf(g->number, g->pass);
      const GpuTensor& tensor = program_.tensors[stream.tensor];
      const Rectangle r = InLines(RectangleOf(stream, tensor, place, first + g->step), tensor);
      g->stored = std::max(g->stored, sms_[g->sms[m]]->Store(now, now, launch_, stream.tensor, r));
    }
  }
}

void KernelPlayer::StepDone(std::uint32_t group) {
  Group& g = groups_[group];
  StoreStep(&g);
  g.before = Cause::kDependency;
  g.waiting_since = events_.now();
  ++g.step;
  g.stepping = g.step < g.steps;
  IssueLoads(group);
  if (repeats_steps_ && g.pass == 0) WatchSteps();
  if (g.step < g.steps) {
    ComputeOrStarve(group);
  } else {
    Drain(group);
  }
}

/// What comes once after the last step of a pass.
void KernelPlayer::Drain(std::uint32_t group) {
  Group& g = groups_[group];
  BreakStretch();
  const PassCost& pass = cost_.passes[g.pass];
  if (pass.drain_cycles <= 0) {
    Finish(group);
    return;
  }
  Sm::Step step;
  step.alone_cycles = pass.drain_cycles;
  step.interval_cycles = pass.drain_interval_cycles;
  step.wait.since = events_.now();
  step.wait.cause = Cause::kDependency;
  Compute(group, step);
}

/// Whether a tile can't be put together yet: it is once the sums of the others are in L2.
bool KernelPlayer::AwaitsSums(Group* g) const {
  if (!stream_k_.any() || g->pass != StreamK::kAddSums) return false;
  g->waits_for_sums = sums_stored_[static_cast<std::size_t>(g->tile)] < stream_k_.Helpers(g->tile);
  return g->waits_for_sums;
}

/// Another CTA's sums of a tile are in L2; its owner sees that after a round trip.
void KernelPlayer::SumsStored(std::int64_t tile) {
  if (++sums_stored_[static_cast<std::size_t>(tile)] < stream_k_.Helpers(tile)) return;
  for (std::uint32_t i = 0; i < groups_.size(); ++i) {
    Group& g = groups_[i];
    if (!g.active || !g.waits_for_sums || g.tile != tile) continue;
    const Tick seen =
        events_.now() + clock_.Cycles(static_cast<std::uint64_t>(gpu_.l2.far_latency_cycles));
    events_.Schedule(seen, &Call<&KernelPlayer::BeginPass>, this, i);
    return;
  }
}

/// The pass is over: the next one, the next tile, or the end.
void KernelPlayer::Finish(std::uint32_t group) {
  Group& g = groups_[group];
  g.waiting_since = events_.now();
  if (stream_k_.any() && g.pass == StreamK::kStoreSums && g.steps > 0) SumsStored(g.tile);
  if (++g.pass < kernel_.passes.size()) {
    BeginPass(group);
    return;
  }
  for (const std::uint32_t s : g.sms) {
    const double part = stream_k_.any() ? stream_k_.PartOf(g.number, g.tile) : 1;
    sms_[s]->AddFlops(2 * kernel_.macs_per_cta * kernel_.useful_share * part);
  }
  const std::int64_t next = NextTile(g, g.tile);
  if (next >= 0) {
    g.tile = next;
    g.pass = 0;
    BeginPass(group);
    return;
  }
  // The CTA gives its room back once its last store has left the SM.
  Retire(group);
}

void KernelPlayer::Retire(std::uint32_t group) {
  Group& g = groups_[group];
  const Tick now = events_.now();
  end_ = std::max({end_, now, g.stored});
  for (std::size_t m = 0; m < g.sms.size(); ++m) {
    sms_[g.sms[m]]->Leave(share_, g.lanes[m]);
    const CtaPlace place = PlaceIn(g.first_tile, m);
    owner_.CtaDone({launch_, g.sms[m], g.lanes[m], place.i, place.j, g.begin, now});
  }
  g.active = false;
  free_groups_.push_back(group);
  --running_;
  ++completed_;
  if (completed_ > window_end_ - resident_) ended_sum_ += now - window_origin_;
  if (!repeats_steps_ && completed_ == window_end_) WatchWindows();
  if (started_ < groups_in_grid_) {
    const std::vector<std::uint32_t> sms = g.sms;
    StartGroup(sms, now);
    return;
  }
  if (Done()) owner_.KernelDone(launch_, end_);
}

}  // namespace siliscope
