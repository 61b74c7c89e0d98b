// SPDX-License-Identifier: Apache-2.0
// Loads of a kernel's CTAs at tile zoom: when they are sent, and when a step's data is there.
#include <algorithm>
#include <cmath>
#include <utility>

#include "models/gpu/kernel_player.h"

namespace siliscope {
namespace {

/// The `number`-th of so many bands of a rectangle's rows.
Rectangle BandOf(Rectangle r, std::int64_t number, std::int64_t bands) {
  const std::int64_t first = number * r.rows / bands, last = (number + 1) * r.rows / bands;
  r.row += first;
  r.rows = last - first;
  return r;
}

}  // namespace

/// Whether the ring has room for another step's loads, and there is such a step.
bool KernelPlayer::MoreLoads(Group* g) const {
  const KernelPass& pass = kernel_.passes[g->pass];
  Ring& ring = g->ring();
  // A producer of bulk copies fills all stages before the first step; else one is kept for it.
  const std::int64_t in_use = pass.staged && (g->stepping || !pass.bulk) ? 1 : 0;
  if (static_cast<std::int64_t>(ring.arrivals.size()) + in_use >= pass.ring) return false;
  const std::int64_t steps =
      ring.load.tile == g->tile ? g->steps : RangeOf(*g, 0, ring.load.tile).count;
  if (ring.load.step < steps) return true;
  // A producer warp runs ahead into the next tile.
  const std::int64_t next = NextTile(*g, ring.load.tile);
  if (stream_k_.any() || g->pass != 0 || next < 0) return false;
  ring.load = {next, 0, 0};
  return true;
}

/// Loads leave the SM a line a cycle, so that those of many SMs come to the memory in turns: long
/// steps' are sent in parts, or SMs' whole steps would queue one behind the other. More parts cost
/// more time than they change.
std::int64_t KernelPlayer::PartsOf(const KernelPass& pass) const {
  constexpr std::int64_t kPartBytes = 8192, kMostParts = 2;
  if (pass.through_l1 || pass.peer_bytes > 0) return 1;
  std::int64_t bytes = 0;
  for (const std::uint16_t id : pass.loads) {
    bytes += kernel_.streams[id].rows * kernel_.streams[id].row_bytes;
  }
  return std::clamp<std::int64_t>(bytes / kPartBytes, 1, kMostParts);
}

/// The next part of a step's loads; those of the next step follow them.
void KernelPlayer::IssueLoads(std::uint32_t group) {
  Group& g = groups_[group];
  const KernelPass& pass = kernel_.passes[g.pass];
  if (!pass.Loads() || g.issuing) return;
  Ring& ring = g.ring();
  if (ring.load.part == 0) {
    if (!MoreLoads(&g)) return;
    const Tick now = events_.now();
    ring.arrivals.push_back({now, kNever, now, now, 0, false, 0});
  }
  const std::int64_t parts = PartsOf(pass);
  Arrival& arrival = ring.arrivals.back();
  const std::int64_t lines = LoadPart(&g, g.pass, ring.load, parts, &arrival);
  arrival.whole = ++ring.load.part == parts;
  if (arrival.whole) {
    ring.load.part = 0;
    ++ring.load.step;
    if (!MoreLoads(&g)) return;
  }
  g.issuing = true;
  events_.Schedule(events_.now() + clock_.Cycles(static_cast<std::uint64_t>(lines)),
                   &Call<&KernelPlayer::NextLoads>, this, group);
}

void KernelPlayer::NextLoads(std::uint32_t group) {
  Group& g = groups_[group];
  g.issuing = false;
  IssueLoads(group);
  if (g.starved) ComputeOrStarve(group);
}

/// What the members of a group fetch for a step. Of an operand that the cluster shares, one member
/// fetches and all receive.
template <class Each>
void KernelPlayer::ForEachLoad(const Group& g, std::size_t pass, std::int64_t tile,
                               std::int64_t first, std::int64_t step, const Each& fetch) const {
  for (const std::uint16_t id : kernel_.passes[pass].loads) {
    const OperandStream& stream = kernel_.streams[id];
    const GpuTensor& tensor = program_.tensors[stream.tensor];
    for (std::size_t m = 0; m < g.sms.size(); ++m) {
      const bool copy = (stream.shared_by_cluster_rows && clusters_.RowOf(m) > 0) ||
                        (stream.shared_by_cluster_columns && clusters_.ColumnOf(m) > 0);
      if (copy) continue;
      CtaPlace place = PlaceIn(tile, m);
      if (stream_k_.any()) place.split = StreamK::SlotOf(g.number, pass);
      const std::int64_t own =
          kernel_.cluster_splits > 1 ? StepsOf(kernel_, kernel_.passes[pass], place).first : first;
      fetch(Fetch{&stream, stream.tensor, m,
                  InLines(RectangleOf(stream, tensor, place, own + step), tensor)});
    }
  }
}

/// Whether a step's lines are still in L1, or on their way: less than its size has come in since
/// they were asked for. They are from now on.
bool KernelPlayer::TouchInL1(std::uint32_t sm, InL1* lines) const {
  const std::int64_t loaded = sms_[sm]->loaded_bytes();
  const std::int64_t before = std::exchange(lines->loaded, loaded);
  return before >= 0 && loaded - before < l1_bytes_;
}

KernelPlayer::InL1& KernelPlayer::StayOf(const OperandStream& stream, std::uint32_t sm,
                                         std::int64_t touch) {
  const auto number = static_cast<std::size_t>(&stream - kernel_.streams.data());
  std::vector<InL1>& steps = stayed_[sm * kernel_.streams.size() + number];
  if (steps.size() <= static_cast<std::size_t>(touch)) {
    steps.resize(static_cast<std::size_t>(touch) + 1);
  }
  return steps[static_cast<std::size_t>(touch)];
}

/// Returns the lines that the first member asks the L2 for.
std::int64_t KernelPlayer::LoadPart(Group* g, std::size_t pass, const Cursor& at,
                                    std::int64_t parts, Arrival* arrival) {
  const Tick now = events_.now();
  std::int64_t lines_asked = 0;
  const std::int64_t first = RangeOf(*g, pass, at.tile).first;
  const Tick hit = now + clock_.Cycles(static_cast<std::uint64_t>(gpu_.sm.l1.latency_cycles));
  const KernelPass& of = kernel_.passes[pass];
  const std::int64_t touch = of.touches + at.step;
  bool again = false;
  if (of.through_l1) {
    if (g->touched.size() <= static_cast<std::size_t>(touch)) {
      g->touched.resize(static_cast<std::size_t>(touch) + 1);
    }
    again = TouchInL1(g->sms.front(), &g->touched[static_cast<std::size_t>(touch)]) && of.rereads;
  }
  ForEachLoad(*g, pass, at.tile, first, at.step, [&](const Fetch& f) {
    InL1* stay = f.stream->stays_in_l1 ? &StayOf(*f.stream, g->sms[f.member], touch) : nullptr;
    if (stay != nullptr ? TouchInL1(g->sms[f.member], stay) : again) {
      const InL1 lines = stay != nullptr ? *stay : InL1{};
      arrival->first = std::min(arrival->first, std::max(hit, lines.first));
      arrival->mean = std::max({arrival->mean, hit, lines.mean});
      arrival->ready = std::max({arrival->ready, hit, lines.ready});
      return;
    }
    const Rectangle band = BandOf(f.lines, at.part, parts);
    const L2Response response =
        sms_[g->sms[f.member]]->Load(now, now, launch_, f.tensor, program_.tensors[f.tensor], band);
    Tick end = response.end;
    if (f.member == 0) lines_asked += band.rows * CeilDivide(band.bytes, kLineBytes);
    arrival->first = std::min(arrival->first, response.first_data);
    arrival->mean = std::max(arrival->mean, response.mean_data);
    for (std::size_t o = 0; o < g->sms.size(); ++o) {
      if (!Receives(f, o)) continue;
      end = std::max(end, sms_[g->sms[o]]->Receive(response, band).end);
    }
    if (stay != nullptr) {
      stay->first = response.first_data, stay->mean = response.mean_data, stay->ready = end;
    }
    if (end > arrival->ready) {
      arrival->ready = end;
      arrival->queued = response.queued + (end - response.end);
    }
  });
  if (at.part + 1 < parts) return lines_asked;
  if (of.bulk) {
    const Tick longer = clock_.Cycles(static_cast<std::uint64_t>(gpu_.sm.bulk_latency_cycles));
    arrival->first += longer, arrival->mean += longer, arrival->ready += longer;
  }
  if (of.peer_bytes > 0) {  // an equal part from each of the others
    const auto others = static_cast<std::int64_t>(g->sms.size()) - 1;
    for (std::size_t m = 0; m < g->sms.size(); ++m) {
      for (std::size_t o = 0; o < g->sms.size(); ++o) {
        if (o == m) continue;
        const Tick end = sms_[g->sms[m]]->LoadFrom(*sms_[g->sms[o]], now, of.peer_bytes / others);
        arrival->ready = std::max(arrival->ready, end);
        arrival->first = std::min(arrival->first, end);
      }
    }
  }
  const Tick waited = arrival->ready - std::min(arrival->ready, arrival->sent);
  if (waited > 0) {
    arrival->bandwidth_share =
        std::min(1.0, static_cast<double>(arrival->queued) / static_cast<double>(waited));
  }
  return lines_asked;
}

/// What loads of some steps that are not played leave behind in L2.
L2Arrivals KernelPlayer::FollowSteps(const Group& g, std::int64_t from, std::int64_t steps) const {
  L2Arrivals sum;
  const std::int64_t first = RangeOf(g, 0, g.tile).first;
  for (std::int64_t step = from; step < from + steps; ++step) {
    ForEachLoad(g, 0, g.tile, first, step, [&](const Fetch& f) {
      sum.Add(sms_[g.sms[f.member]]->Follow(launch_, f.tensor, f.lines));
    });
  }
  return sum;
}

/// Whether a warp that has its own data of the step goes on to the next: no barrier comes between.
bool KernelPlayer::WarpsRunOn(const Group& g) const {
  const KernelPass& pass = kernel_.passes[g.pass];
  return pass.ring == 1 && !pass.through_registers && kernel_.warps > 1;
}

/// Where each warp waits for its own data alone, the warps whose data comes first compute while the
/// rest arrives, and go on: the mean warp sends the next step's loads. At a barrier the CTA waits
/// for the last warp. As a warp that was late once is not the one that is late again, the waits of
/// several steps add up as deviations do.
KernelPlayer::Ready KernelPlayer::WhenReady(Group& g) const {
  const Arrival& arrival = g.ring().arrivals.front();
  const PassCost& cost = cost_.passes[g.pass];
  if (!WarpsRunOn(g)) {
    // Loads to registers are sent and stored one after another while others are on their way: that
    // part of what comes beside them is hidden where they don't arrive all at once.
    const double stores =
        cost.traffic.shared_write_bytes /
        static_cast<double>(gpu_.sm.shared_memory.banks * gpu_.sm.shared_memory.bank_width_bytes);
    const double rest = std::max(0.0, cost.beside_loads_cycles - stores);
    const Tick first = std::min(arrival.first, arrival.ready);
    return {std::max(first + clock_.Cycles(cost.beside_loads_cycles),
                     arrival.ready + clock_.Cycles(rest)),
            cost.alone_cycles};
  }
  const auto mean = static_cast<double>(arrival.mean);
  const auto first = std::min(mean, static_cast<double>(arrival.first));
  const auto late = static_cast<double>(arrival.ready) - mean;
  const double last = Joins(g) ? mean + std::sqrt(g.spread + late * late) : mean;
  // A step of short loads takes its whole time on the pipes.
  const double period = 1e12 / clock_.hertz();
  const double waited = (last - static_cast<double>(arrival.sent)) / period;
  const double cycles =
      std::max(cost.chain_cycles,
               cost.alone_cycles + static_cast<double>(gpu_.sm.l1.latency_cycles) - waited);
  const double others = 1 - 1 / static_cast<double>(kernel_.warps);
  const double computing = cycles * period * (Joins(g) ? others : others / 2);
  return {static_cast<Tick>(last - std::min(last - first, computing)), cycles};
}

}  // namespace siliscope
