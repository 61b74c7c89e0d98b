// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cycle_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::uint64_t kTurnCycles = 16;
constexpr std::uint64_t kNoWork = ~std::uint64_t{0};

Cause CauseOf(IssueSlot slot) {
  switch (slot) {
    case IssueSlot::kLongScoreboard:
      return Cause::kMemoryLatency;
    case IssueSlot::kShortScoreboard:
    case IssueSlot::kMemoryPipeThrottle:
      return Cause::kOperand;
    case IssueSlot::kBarrier:
      return Cause::kDependency;
    case IssueSlot::kNoInstruction:
      return Cause::kFillDrain;
    case IssueSlot::kNoWarp:
      return Cause::kQuantisation;
    default:
      return Cause::kCompute;
  }
}

}  // namespace

std::uint32_t ChipSmMemory::TensorAt(std::int64_t address) const {
  std::size_t low = 0, high = program_.tensors.size();
  while (high - low > 1) {  // tensors lie in the order of their addresses
    const std::size_t middle = (low + high) / 2;
    (program_.tensors[middle].address <= address ? low : high) = middle;
  }
  return static_cast<std::uint32_t>(low);
}

Rectangle ChipSmMemory::RectangleAt(std::uint32_t index, const TouchedLine& line) const {
  const GpuTensor& tensor = program_.tensors[index];
  // From the first sector that is touched to the last.
  const int first = __builtin_ctz(line.sectors), last = 31 - __builtin_clz(line.sectors);
  const std::int64_t at = std::max<std::int64_t>(0, line.address + 32 * first - tensor.address);
  Rectangle r;
  const std::int64_t row_bytes = LineRowBytes(tensor);
  r.row = std::min(at / row_bytes, LineRows(tensor) - 1);
  r.rows = 1;
  r.byte = std::min(at % row_bytes, row_bytes - 1);
  r.bytes = std::min<std::int64_t>(32 * (last - first + 1), row_bytes - r.byte);
  return r;
}

std::uint64_t ChipSmMemory::CycleOf(Tick tick) const { return clock_.CyclesIn(tick - origin_) + 1; }

std::uint64_t ChipSmMemory::Read(std::uint64_t cycle, const TouchedLine& line) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick when = origin_ + clock_.Cycles(cycle);
  return CycleOf(sm_.Load(events_.now(), when, launch_, tensor, program_.tensors[tensor],
                          RectangleAt(tensor, line))
                     .end);
}

std::uint64_t ChipSmMemory::Write(std::uint64_t cycle, const TouchedLine& line) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick end = sm_.Store(events_.now(), origin_ + clock_.Cycles(cycle), launch_, tensor,
                             RectangleAt(tensor, line));
  stored_ = std::max(stored_, end);
  return CycleOf(end);
}

std::uint64_t ChipSmMemory::Atomic(std::uint64_t cycle, const TouchedLine& line,
                                   std::int64_t on_one_address) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Tick end = sm_.Atomic(events_.now(), origin_ + clock_.Cycles(cycle), launch_, tensor,
                              RectangleAt(tensor, line), on_one_address);
  stored_ = std::max(stored_, end);
  return CycleOf(end);
}

void ChipSmMemory::Multicast(const std::vector<Sm*>& receivers, std::uint64_t cycle,
                             const TouchedLine& line, std::vector<std::uint64_t>* ready) {
  const std::uint32_t tensor = TensorAt(line.address);
  const Rectangle r = RectangleAt(tensor, line);
  const L2Response response = sm_.Load(events_.now(), origin_ + clock_.Cycles(cycle), launch_,
                                       tensor, program_.tensors[tensor], r);
  for (std::size_t i = 0; i < receivers.size(); ++i) {
    const Tick end = receivers[i] == &sm_ ? response.end : receivers[i]->Receive(response, r).end;
    (*ready)[i] = std::max((*ready)[i], CycleOf(end));
  }
}

std::uint64_t ChipSmMemory::LoadPeer(Sm& peer, std::uint64_t cycle, std::int64_t bytes) {
  return CycleOf(sm_.LoadFrom(peer, origin_ + clock_.Cycles(cycle), bytes));
}

CyclePlayer::CyclePlayer(const GpuProgram& program, std::uint32_t launch, const GpuSpec& gpu,
                         const Occupancy& occupancy, const std::vector<std::unique_ptr<Sm>>& sms,
                         EventQueue& events, Clock clock, Owner& owner)
    : program_(program),
      kernel_(program.kernels[program.launches[launch].kernel]),
      launch_(launch),
      op_(program.launches[launch].op),
      gpu_(gpu),
      most_(static_cast<std::size_t>(occupancy.ctas)),
      grid_(kernel_),
      stream_k_(kernel_, grid_.tiles()),
      slots_(MakeClusterSlots(gpu, grid_.members())),
      sms_(sms),
      events_(events),
      clock_(clock),
      owner_(owner) {
  DataType type{};
  const bool computes = ParseDataType(kernel_.dtype, &type) && type != DataType::kFp4;
  if (kernel_.tensor_core && computes && !kernel_.passes.empty() && !kernel_.streams.empty()) {
    const DotProductUnit unit(gpu_.tensor_core.generation, type,
                              kernel_.half_sums ? DataType::kFp16 : DataType::kFp32);
    product_.emplace(unit, type, Contraction(), kernel_.sparse);
  }
}

void CyclePlayer::Start(Tick now) {
  origin_ = end_ = now;
  std::vector<std::int64_t> steps;
  for (const KernelPass& pass : kernel_.passes) {
    steps.push_back(StepsOf(kernel_, pass, grid_.PlaceIn(0, 0)).count);
  }
  lanes_.resize(sms_.size());
  for (std::size_t s = 0; s < sms_.size(); ++s) {
    Lane& lane = lanes_[s];
    lane.memory =
        std::make_unique<ChipSmMemory>(program_, launch_, *sms_[s], events_, clock_, origin_);
    lane.sm = std::make_unique<SmCycle>(gpu_, &program_, kernel_, steps, *lane.memory);
    lane.sm->WarmInstructions();
    if (grid_.members() > 1) lane.sm->JoinClusters(this);
    if (stream_k_.any()) lane.sm->JoinSums(this);
  }
  if (stream_k_.any()) tile_sums_.resize(static_cast<std::size_t>(grid_.tiles()));
  in_grid_ = ClustersInGrid();
  for (std::size_t round = 0; round < most_; ++round) {  // spread before they share
    for (const auto& slot : slots_) Place(slot, 0);
  }
}

/// Of a persistent kernel, those that fit at a time; they walk the others' tiles, too.
std::int64_t CyclePlayer::ClustersInGrid() const {
  if (stream_k_.any()) return stream_k_.ctas();
  if (!kernel_.persistent) return grid_.tiles();
  return std::min(grid_.tiles(), static_cast<std::int64_t>(slots_.size() * most_));
}

/// The tiles that a CTA walks.
std::vector<CtaTile> CyclePlayer::TilesOf(std::int64_t cluster, std::uint32_t member) const {
  std::vector<CtaTile> tiles;
  if (!stream_k_.any()) {
    for (std::int64_t tile = cluster; tile < grid_.tiles(); tile += in_grid_) {
      tiles.push_back({grid_.PlaceIn(tile, member), {}});
    }
    return tiles;
  }
  std::int64_t tile = stream_k_.FirstTileOf(cluster);
  for (; stream_k_.ShareOf(cluster, tile).count > 0; ++tile) {
    tiles.push_back({grid_.PlaceIn(tile, member), {}});
    tiles.back().place.split = cluster;
    for (std::size_t p = 0; p < kernel_.passes.size(); ++p) {
      tiles.back().passes.push_back(stream_k_.RangeOf(cluster, tile, p));
    }
  }
  return tiles;
}

void CyclePlayer::Place(const std::vector<std::uint32_t>& sms, std::uint64_t cycle) {
  const auto number = static_cast<std::int64_t>(clusters_.size());
  if (number == in_grid_) return;
  for (const std::uint32_t sm : sms) {
    if (lanes_[sm].resident == most_) return;
  }
  scheduler_cycle_ = std::max(scheduler_cycle_, cycle) + 1;
  clusters_.emplace_back();
  Cluster& cluster = clusters_.back();
  cluster.sms = &sms;
  cluster.running = static_cast<std::int64_t>(sms.size());
  for (std::uint32_t m = 0; m < sms.size(); ++m) {
    CtaWork work;
    work.at = {static_cast<std::uint32_t>(number), m};
    work.tiles = TilesOf(number, m);
    cluster.tiles = 0;
    for (std::uint32_t t = 0; t < work.tiles.size(); ++t) {
      cluster.tiles += stream_k_.any() ? stream_k_.PartOf(number, TileOf(work.at.cluster, t)) : 1;
    }
    Lane& lane = lanes_[sms[m]];
    const std::uint32_t slot = lane.sm->Launch(
        work, scheduler_cycle_ + static_cast<std::uint64_t>(gpu_.launch.cta_start_cycles));
    cluster.slots.push_back(slot);
    ++lane.resident;
    AwaitTurn(sms[m], scheduler_cycle_);
  }
}

void CyclePlayer::AwaitTurn(std::uint32_t sm, std::uint64_t cycle) {
  const Tick when = std::max(events_.now() + 1, origin_ + clock_.Cycles(cycle));
  if (when >= lanes_[sm].turn) return;
  lanes_[sm].turn = when;
  ++turns_;
  events_.Schedule(when, &CallTurn, this, sm);
}

void CyclePlayer::Turn(std::uint32_t index) {
  --turns_;
  Lane& lane = lanes_[index];
  if (lane.turn == events_.now()) {  // else an earlier one came in between
    lane.turn = kNever;
    RunLane(index);
  }
  if (ended_ < in_grid_ || turns_ > 0) return;
  CheckAllProducts();
  for (std::uint32_t s = 0; s < lanes_.size(); ++s) Charge(s);
  owner_.KernelDone(launch_, end_);
}

void CyclePlayer::RunLane(std::uint32_t index) {
  Lane& lane = lanes_[index];
  const std::uint64_t now = clock_.CyclesIn(events_.now() - origin_);
  lane.sm->RunUntil(now + kTurnCycles);
  for (const SmCycle::Contraction& c : lane.sm->TakeContractions()) Check(c);
  for (const SmCycle::Ended& ended : lane.sm->TakeEnded()) {
    end_ = std::max({end_, origin_ + clock_.Cycles(lane.sm->now()), lane.memory->stored()});
    Cluster& cluster = clusters_[ended.cluster];
    sms_[index]->AddFlops(2 * kernel_.macs_per_cta * kernel_.useful_share * cluster.tiles);
    if (--cluster.running > 0) continue;
    // The members give their room back together.
    const std::vector<std::uint32_t>& sms = *cluster.sms;
    for (const std::uint32_t sm : sms) --lanes_[sm].resident;
    ++ended_;
    Place(sms, lane.sm->now());
  }
  const std::uint64_t next = lane.sm->next();
  if (next != kNoWork) {
    AwaitTurn(index, next);
  } else if (lane.sm->resident_ctas() > 0 && grid_.members() == 1 && !stream_k_.any()) {
    throw InternalError("warps of " + kernel_.name + " wait for each other for ever");
  }
}

void CyclePlayer::Multicast(ClusterMember from, const std::vector<std::uint32_t>& receivers,
                            std::uint64_t cycle, const TouchedLine& line,
                            std::vector<std::uint64_t>* ready) {
  const Cluster& cluster = clusters_[from.cluster];
  std::vector<Sm*> sms;
  for (const std::uint32_t m : receivers) sms.push_back(sms_[(*cluster.sms)[m]].get());
  lanes_[(*cluster.sms)[from.member]].memory->Multicast(sms, cycle, line, ready);
}

void CyclePlayer::Arrive(ClusterMember to, std::size_t ring, std::size_t stage,
                         std::uint64_t ready) {
  const Cluster& cluster = clusters_[to.cluster];
  const std::uint32_t sm = (*cluster.sms)[to.member];
  lanes_[sm].sm->ArriveFromPeer(cluster.slots[to.member], ring, stage, ready);
  const std::uint64_t next = lanes_[sm].sm->next();
  if (next != kNoWork) AwaitTurn(sm, next);
}

void CyclePlayer::ArriveAtBarrier(ClusterMember from, std::uint64_t cycle) {
  Cluster& cluster = clusters_[from.cluster];
  cluster.barrier_cycle = std::max(cluster.barrier_cycle, cycle);
  if (++cluster.at_barrier < cluster.sms->size()) return;
  const std::uint64_t known =
      cluster.barrier_cycle + static_cast<std::uint64_t>(gpu_.sm.peer_latency_cycles / 2);
  cluster.at_barrier = 0;
  cluster.barrier_cycle = 0;
  for (std::size_t m = 0; m < cluster.sms->size(); ++m) {
    const std::uint32_t sm = (*cluster.sms)[m];
    lanes_[sm].sm->PassClusterBarrier(cluster.slots[m], known);
    AwaitTurn(sm, lanes_[sm].sm->next());
  }
}

std::uint64_t CyclePlayer::LoadPeer(ClusterMember to, std::uint64_t cycle, std::int64_t bytes) {
  Cluster& cluster = clusters_[to.cluster];
  const auto others = static_cast<std::uint32_t>(cluster.sms->size()) - 1;
  const std::uint32_t peer = (to.member + 1 + cluster.next_peer++ % others) %
                             static_cast<std::uint32_t>(cluster.sms->size());
  return lanes_[(*cluster.sms)[to.member]].memory->LoadPeer(*sms_[(*cluster.sms)[peer]], cycle,
                                                            bytes);
}

/// Elements of the dot product behind each result of a CTA.
std::int64_t CyclePlayer::Contraction() const {
  DataType type{};
  ParseDataType(kernel_.dtype, &type);
  const OperandStream& a = kernel_.streams.front();
  const std::int64_t in_step = a.byte_step > 0 ? a.row_bytes * 8 / BitsPerElement(type) : a.rows;
  return in_step * StepsOf(kernel_, kernel_.passes.front(), grid_.PlaceIn(0, 0)).count;
}

/// What was added up to a tile's first results, by one CTA or by several.
void CyclePlayer::Check(const SmCycle::Contraction& c) {
  if (!product_) return;
  if (!stream_k_.any()) {
    product_->Check(c.length, kernel_.name);
    return;
  }
  const std::int64_t tile = TileOf(c.cluster, c.tile);
  TileSums& sums = tile_sums_[static_cast<std::size_t>(tile)];
  sums.contracted += c.length;
  if (++sums.parts > stream_k_.Helpers(tile)) product_->Check(sums.contracted, kernel_.name);
}

void CyclePlayer::SumsStored(std::uint32_t cta, std::uint32_t tile, std::uint64_t cycle) {
  const std::int64_t number = TileOf(cta, tile);
  if (++tile_sums_[static_cast<std::size_t>(number)].stored < stream_k_.Helpers(number)) return;
  // Its owner sees that after a round trip.
  const auto owner = static_cast<std::size_t>(stream_k_.OwnerOf(number));
  const std::uint32_t sm = clusters_[owner].sms->front();
  const std::uint64_t seen = cycle + static_cast<std::uint64_t>(gpu_.l2.far_latency_cycles);
  lanes_[sm].sm->PassSums(clusters_[owner].slots.front(), seen);
  const std::uint64_t next = lanes_[sm].sm->next();
  if (next != kNoWork) AwaitTurn(sm, next);
}

bool CyclePlayer::SumsAreThere(std::uint32_t cta, std::uint32_t tile) const {
  const std::int64_t number = TileOf(cta, tile);
  return tile_sums_[static_cast<std::size_t>(number)].stored == stream_k_.Helpers(number);
}

/// Every tile's first results have been compared.
void CyclePlayer::CheckAllProducts() const {
  const std::int64_t tiles = grid_.tiles() * grid_.members();
  if (!product_ || static_cast<std::int64_t>(product_->checked()) == tiles) return;
  throw InternalError(fmt::format("{}: Tensor Cores computed {} of {} tiles", kernel_.name,
                                  product_->checked(), tiles));
}

/// The SM's time goes to the causes of its issue slots.
void CyclePlayer::Charge(std::uint32_t index) {
  const SmCounters& counters = lanes_[index].sm->counters();
  const auto cycles = static_cast<double>(clock_.CyclesIn(end_ - origin_));
  const double slots = cycles * static_cast<double>(gpu_.sm.subcores);
  Tick at = origin_;
  for (std::size_t s = 0; s < kIssueSlots && slots > 0; ++s) {
    const double share = std::min(1.0, static_cast<double>(counters.slots[s]) / slots);
    at += static_cast<Tick>(share * static_cast<double>(end_ - origin_));
    sms_[index]->Idle(std::min(at, end_), CauseOf(static_cast<IssueSlot>(s)), op_);
  }
  sms_[index]->Idle(end_, Cause::kQuantisation, op_);
}

std::vector<IssueRecord> CyclePlayer::Issues() const {
  std::vector<IssueRecord> records;
  for (const SmCycle::Issued& i : lanes_.front().sm->issued()) {
    records.push_back({launch_, 0, i.warp, i.subcore, i.op, SmCycle::PipeName(i.pipe), i.pipe,
                       origin_ + clock_.Cycles(i.cycle), origin_ + clock_.Cycles(i.cycle + 1),
                       origin_ + clock_.Cycles(i.pipe_free)});
  }
  return records;
}

SmCounters CyclePlayer::Counters() const {
  SmCounters sum;
  for (const Lane& lane : lanes_) sum.Add(lane.sm->counters());
  return sum;
}

}  // namespace siliscope
