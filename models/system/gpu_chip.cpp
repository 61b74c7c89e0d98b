// SPDX-License-Identifier: Apache-2.0
#include "models/system/gpu_chip.h"

#include <fmt/format.h>

#include <algorithm>

#include "models/gpu/cost_store.h"
#include "models/gpu/gpu_peak.h"
#include "sim/core/error.h"

namespace siliscope {
namespace {

constexpr std::size_t kMostCtas = 50'000;  // that a trace shows
constexpr std::size_t kMostIssues = 20'000;
constexpr Tick kAlone = 1'000'000;          ///< no other process looks at a GPU's state
constexpr std::int64_t kWavesForPower = 3;  ///< of a grid that stands for others

L2Spec L2Of(const MachineSpec& machine) {
  L2Spec spec = machine.gpu.l2;
  if (spec.far_latency_cycles < spec.near_latency_cycles) {
    spec.far_latency_cycles = spec.near_latency_cycles;
  }
  if (machine.IsIdeal("l2")) {
    spec.slice_bytes_per_cycle = std::int64_t{1} << 40;
    spec.near_latency_cycles = spec.far_latency_cycles = 0;
    spec.link_bytes_per_cycle = 0;
  }
  return spec;
}

/// The first address behind all tensors, at the begin of a page.
std::int64_t EndOfTensors(const GpuProgram& program) {
  constexpr std::int64_t kPage = 2 << 20;
  std::int64_t end = 0;
  for (const GpuTensor& t : program.tensors) {
    end = std::max(end, t.address + LineRows(t) * LineRowBytes(t));
  }
  return (end + kPage - 1) / kPage * kPage;
}

std::string DoesNotFitSm(const MachineSpec& machine, const GpuKernel& kernel) {
  const SmSpec& sm = machine.gpu.sm;
  return fmt::format(
      "{}: a CTA of {} needs {} warps of {} registers a thread and {} B of shared memory; an SM "
      "has "
      "{} warps, {} registers (sm.register_file) and {} B for a CTA (sm.shared_memory)",
      machine.name, kernel.name, kernel.warps, kernel.registers_per_thread, kernel.shared_bytes,
      sm.max_warps, sm.registers.registers, sm.shared_memory.most_per_cta_bytes);
}

}  // namespace

GpuChip::GpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine,
                 const Program& program, const SimulationOptions& options)
    : Domain(name, kAlone),
      keep_spans_(options.spans),
      zoom_(options.zoom),
      machine_(machine),
      program_(program),
      gpu_(program.gpu),
      tlb_(machine.gpu.sm.tlb),
      states_(program.gpu.launches.size()) {
  dram_ = std::make_unique<Dram>("dram", machine.EffectiveMemory());
  l2_ = std::make_unique<L2Cache>("l2", L2Of(machine), Clock(machine.clock_hz), gpu_,
                                  machine.memory.interleave_bytes);
  l2_->memory.bind(dram_->port);
  GpuHostLinkSpec link = machine.gpu.host_link;
  if (machine.IsIdeal("host_link")) link.bytes_per_s = link.latency_s = link.setup_s = 0;
  host_link_ = std::make_unique<HostLink>("host_link", link, machine.gpu.l2.partitions);
  host_link_->l2.bind(l2_->port);
  if (machine.gpu.neighbour.any()) {
    neighbour_ = std::make_unique<NeighbourTraffic>("neighbour", machine.gpu.neighbour,
                                                    EndOfTensors(gpu_), queue());
    neighbour_->memory.bind(dram_->port);
  }
  const GpuSpec& gpu = machine_.gpu;
  const auto gpcs = static_cast<std::size_t>(gpu.gpcs);
  std::vector<std::size_t> gpc_of(static_cast<std::size_t>(gpu.sms), 0);
  for (std::uint32_t s = 0; s < static_cast<std::uint32_t>(gpu.sms); ++s) {
    gpc_of[s] = GpcOf(gpu, s);
  }
  gpc_ports_.resize(gpcs);
  for (std::uint32_t s = 0; s < static_cast<std::uint32_t>(gpu.sms); ++s) {
    // Half of the GPCs lie at each partition.
    const std::size_t partition = gpu.l2.partitions > 1 ? gpc_of[s] % 2 : 0;
    const double port = machine.IsIdeal("l2") ? 0 : gpu.l2.gpc_bytes_per_cycle;
    sms_.push_back(std::make_unique<Sm>(fmt::format("sm{}", s).c_str(), gpu.sm, partition, s,
                                        gpc_ports_[gpc_of[s]], port, tlb_, queue(), keep_spans_));
    sms_.back()->l2.bind(l2_->port);
  }
  for (const GpuKernel& kernel : gpu_.kernels) {
    if (kernel.host_copy != HostCopy::kNone) {
      occupancy_.push_back({1, "host_link", 0});
      costs_.emplace_back();
      continue;
    }
    const Occupancy occupancy = OccupancyOf(gpu.sm, kernel);
    if (occupancy.ctas == 0) throw UserError(DoesNotFitSm(machine, kernel));
    const std::int64_t slots = gpu.sms;
    const std::int64_t co_resident =
        std::clamp<std::int64_t>((kernel.grid.Ctas() + slots - 1) / slots, 1, occupancy.ctas);
    occupancy_.push_back(occupancy);
    costs_.push_back(RememberedCost(gpu, kernel, co_resident));
  }
  for (std::uint32_t i = 0; i < gpu_.launches.size(); ++i) {
    const std::uint32_t stream = gpu_.launches[i].stream;
    if (streams_.size() <= stream) streams_.resize(stream + 1);
    streams_[stream].launches.push_back(i);
  }
  ChooseWarmUp();
  SetClock(gpu.lock_clock_hz > 0 ? gpu.lock_clock_hz : machine.clock_hz);
}

void GpuChip::SetClock(double hertz) {
  clock_hz_ = hertz;
  clock_ = Clock(hertz);
  l2_->SetClock(clock_);
  tlb_.SetClock(clock_);
  for (const auto& sm : sms_) sm->SetClock(clock_);
}

void GpuChip::Start() { PostFromOutside(0, &CallResume, this, 0); }

void GpuChip::Resume() {
  BeginPass();
  if (neighbour_) neighbour_->Start(queue().now());
}

void GpuChip::BeginPass() {
  pass_begin_ = queue().now();
  operators_.assign(program_.operators.size(), {});
  for (const auto& sm : sms_) sm->Reset(pass_begin_, &operators_);
  l2_->ResetCounters();
  dram_before_ = dram_->Counters();
  link_before_ = host_link_->traffic();
  dram_skipped_ = {};
  skipped_ = 0;
  ctas_.clear();
  issues_.clear();
  zoomed_instructions_ = checked_products_ = 0;
  states_.assign(gpu_.launches.size(), {});
  if (gpu_.launches.empty()) {
    pass_end_ = pass_begin_;
    finished_ = true;
    return;
  }
  launches_left_ = gpu_.launches.size();
  for (Stream& stream : streams_) {
    stream.next = 0;
    stream.under_way = false;
  }
  StartReady();
}

double GpuChip::LaunchSeconds(std::uint32_t launch) const {
  if (machine_.IsIdeal("launch")) return 0;
  const GpuLaunchSpec& spec = machine_.gpu.launch;
  switch (gpu_.mode) {
    case LaunchMode::kGraph:
      return spec.graph_s;
    case LaunchMode::kKernel:
      return 0;
    case LaunchMode::kStream:
      return spec.stream_s;
    case LaunchMode::kEager:
      break;
  }
  return launch < gpu_.dispatch_s.size() ? gpu_.dispatch_s[launch] : spec.stream_s;
}

/// The next launch of each stream goes on its way once those it waits for have ended.
void GpuChip::StartReady() {
  if (warming_) LeaveOut();
  for (Stream& stream : streams_) {
    if (stream.under_way || stream.next == stream.launches.size()) continue;
    const std::uint32_t index = stream.launches[stream.next];
    Tick ready = stream.next == 0 ? pass_begin_ : states_[stream.launches[stream.next - 1]].end;
    bool wait = false;
    for (const std::uint32_t before : gpu_.launches[index].after) {
      wait = wait || !states_[before].done;
      ready = std::max(ready, states_[before].end);
    }
    if (wait) continue;
    LaunchState& state = states_[index];
    state.begin = ready;
    state.start = std::max(queue().now(), ready + static_cast<Tick>(LaunchSeconds(index) * 1e12));
    if (state.start == 0) state.start = 1;
    stream.under_way = true;
    queue().Schedule(state.start, &Call<&GpuChip::StartLaunch>, this, index);
  }
}

/// The pass that warms up runs at cycle zoom too: it leaves the caches as the recorded one does.
bool GpuChip::Zoomed(std::uint32_t launch) const {
  if (gpu_.kernels[gpu_.launches[launch].kernel].host_copy != HostCopy::kNone) return false;
  if (gpu_.kernels[gpu_.launches[launch].kernel].cycle_zoom) return true;
  const std::uint32_t op = gpu_.launches[launch].op;
  if (zoom_.units.empty()) return false;
  return zoom_.operators.empty() || zoom_.operators[op] != 0;
}

void GpuChip::StartLaunch(std::uint32_t launch) {
  const std::uint32_t kernel = gpu_.launches[launch].kernel;
  const std::uint32_t op = gpu_.launches[launch].op;
  if (players_.empty()) {
    for (const auto& sm : sms_) sm->Idle(queue().now(), Cause::kLaunch, op);
  }
  states_[launch].skipped_before = skipped_;
  auto& player = players_[launch];
  if (Zoomed(launch)) {
    auto cycles = std::make_unique<CyclePlayer>(gpu_, launch, machine_.gpu, occupancy_[kernel],
                                                sms_, queue(), clock_, *this);
    CyclePlayer& zoomed = *cycles;
    player = std::move(cycles);
    zoomed.Start(queue().now());
    if (keep_spans_ && !warming_)
      zoomed.KeepIssues(kMostIssues - std::min(kMostIssues, issues_.size()));
    return;
  }
  if (gpu_.kernels[kernel].host_copy != HostCopy::kNone) {
    player = std::make_unique<CopyPlayer>(gpu_, launch, *host_link_, queue(), *this);
    player->Start(queue().now());
    return;
  }
  auto tiles = std::make_unique<KernelPlayer>(gpu_, launch, machine_.gpu, costs_[kernel],
                                              occupancy_[kernel], sms_, queue(), clock_, *this);
  if (warming_ && launch < first_of_tail_ && streams_.size() == 1) {
    states_[launch].times = tiles->Shorten(kWavesForPower);
  }
  player = std::move(tiles);
  player->Start(queue().now());
}

void GpuChip::KernelDone(std::uint32_t launch, Tick end) {
  LaunchState& state = states_[launch];
  state.done = true;
  state.end = end;
  Stream& stream = streams_[gpu_.launches[launch].stream];
  ++stream.next;
  stream.under_way = false;
  --launches_left_;
  state.skipped = skipped_;
  if (const auto* cycles = dynamic_cast<const CyclePlayer*>(players_[launch].get())) {
    const SmCounters counters = cycles->Counters();
    zoomed_instructions_ += counters.instructions;
    zoomed_counters_[launch] = counters;
    checked_products_ += cycles->checked();
    for (IssueRecord issue : cycles->Issues()) {
      issue.begin += skipped_ - pass_begin_;
      issue.issued += skipped_ - pass_begin_;
      issue.pipe_free += skipped_ - pass_begin_;
      issues_.push_back(issue);
    }
  }
  // The player is on the stack: it goes when the next event comes.
  queue().Schedule(
      std::max(end, queue().now()),
      [](void* self, std::uint64_t argument) {
        auto* chip = static_cast<GpuChip*>(self);
        const auto index = static_cast<std::uint32_t>(argument);
        chip->players_.erase(index);
        if (chip->players_.empty()) {
          for (const auto& sm : chip->sms_) {
            sm->Idle(chip->queue().now(), chip->IdleCause(index), chip->gpu_.launches[index].op);
          }
        } else {
          for (auto& [other, player] : chip->players_) player->Dispatch(chip->queue().now());
        }
        if (chip->launches_left_ == 0 && chip->players_.empty()) {
          chip->PassDone();
        } else {
          chip->StartReady();
        }
      },
      this, launch);
}

/// What SMs without work wait for at the end of a launch.
Cause GpuChip::IdleCause(std::uint32_t launch) const {
  const bool copy = gpu_.kernels[gpu_.launches[launch].kernel].host_copy != HostCopy::kNone;
  return copy ? Cause::kCommunication : Cause::kQuantisation;
}

void GpuChip::CtaDone(const CtaRecord& cta) {
  if (!keep_spans_ || warming_ || ctas_.size() >= kMostCtas) return;
  ctas_.push_back(cta);
  ctas_.back().begin += skipped_ - pass_begin_;
  ctas_.back().end += skipped_ - pass_begin_;
}

bool GpuChip::Alone(std::uint32_t launch) const {
  const auto under_way =
      std::count_if(streams_.begin(), streams_.end(), [](const Stream& s) { return s.under_way; });
  return under_way == 1 && players_.size() == 1 && window_launch_ == launch;
}

void GpuChip::BeginWindow(std::uint32_t launch) {
  window_launch_ = launch;
  for (const auto& sm : sms_) sm->BeginWindow();
  states_[launch].window = l2_->counters(launch);
  dram_window_ = dram_->Counters();
}

L2Arrivals GpuChip::ArrivedInWindow(std::uint32_t launch) const {
  const L2Counters& now = l2_->counters(launch);
  const L2Counters& before = states_[launch].window;
  return {now.read_bytes - before.read_bytes, now.miss_bytes - before.miss_bytes,
          now.link_bytes - before.link_bytes, now.dram_read_bytes - before.dram_read_bytes,
          now.dram_write_bytes - before.dram_write_bytes};
}

void GpuChip::SkipWindows(std::int64_t windows, Tick length, std::uint32_t launch) {
  l2_->RepeatCounters(launch, states_[launch].window, windows);
  SkipTime(windows, length, launch);
}

void GpuChip::SkipSteps(std::int64_t windows, Tick length, std::uint32_t launch,
                        const L2Arrivals& followed) {
  l2_->RepeatCounters(launch, states_[launch].window, windows, followed);
  SkipTime(windows, length, launch);
}

void GpuChip::SkipTime(std::int64_t windows, Tick length, std::uint32_t launch) {
  double flops = 0;
  for (const auto& sm : sms_) flops += sm->WindowFlops() / static_cast<double>(sms_.size());
  for (const auto& sm : sms_) sm->SkipWindows(windows, length, flops, gpu_.launches[launch].op);
  const DramCounters now = dram_->Counters();
  const auto times = static_cast<std::uint64_t>(windows);
  dram_skipped_.busy += times * (now.busy - dram_window_.busy);
  dram_skipped_.refresh += times * (now.refresh - dram_window_.refresh);
  dram_skipped_.row_hits += times * (now.row_hits - dram_window_.row_hits);
  dram_skipped_.row_misses += times * (now.row_misses - dram_window_.row_misses);
  skipped_ += times * length;
  RememberPages(launch);
}

Record GpuChip::Finish() {
  if (!finished_) {
    throw InternalError(fmt::format("the simulation is stuck in launch {} of {}",
                                    players_.empty() ? 0 : players_.begin()->first,
                                    gpu_.launches.size()));
  }
  Record record;
  record.total = pass_end_ - pass_begin_;
  record.clock_hz = clock_hz_;
  record.average_power_w =
      AveragePower(machine_.gpu.power, EnergyOf(machine_.gpu.power, CountEnergyEvents()),
                   ToSeconds(record.total), clock_hz_ / machine_.clock_hz);
  record.events = queue().events_run();
  record.critical_kind_units = static_cast<std::uint32_t>(sms_.size());
  AddUnits(&record);
  AddLevels(&record);
  AddOperators(&record);
  AddKernels(&record);
  record.ctas = std::move(ctas_);
  record.issues = std::move(issues_);
  if (zoomed_instructions_ > 0)
    record.zooms.push_back({"sms", zoomed_instructions_, "warp instructions", checked_products_,
                            "results of Tensor Cores within their precision"});
  for (const auto& sm : sms_) {
    std::vector<Span> spans = sm->TakeSpans();
    record.spans.insert(record.spans.end(), spans.begin(), spans.end());
  }
  return record;
}

}  // namespace siliscope
