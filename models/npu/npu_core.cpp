// SPDX-License-Identifier: Apache-2.0
#include "models/npu/npu_core.h"

#include <algorithm>
#include <cmath>

#include "models/npu/zoomed_array.h"

namespace siliscope {
namespace {

Tick Seconds(double s) { return static_cast<Tick>(std::llround(s * 1e12)); }

}  // namespace

CommandGraph::CommandGraph(const NpuProgram& program) {
  const std::size_t count = program.commands.size();
  successor_begin.assign(count + 1, 0);
  for (const std::uint32_t d : program.dependencies) ++successor_begin[d + 1];
  for (std::size_t i = 0; i < count; ++i) successor_begin[i + 1] += successor_begin[i];
  successors.resize(program.dependencies.size());
  std::vector<std::uint32_t> fill(successor_begin.begin(), successor_begin.end() - 1);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::uint32_t d = program.dependency_begin[i]; d < program.dependency_begin[i + 1]; ++d) {
      successors[fill[program.dependencies[d]]++] = static_cast<std::uint32_t>(i);
    }
  }
}

CommandStates::CommandStates(const NpuProgram& program)
    : times(program.commands.size()),
      pending(program.commands.size()),
      blocker(program.commands.size(), kNone),
      issue_blocker(program.commands.size(), kNone) {
  for (std::size_t i = 0; i < pending.size(); ++i) {
    pending[i] = program.dependency_begin[i + 1] - program.dependency_begin[i];
  }
}

NpuCore::NpuCore(const sc_core::sc_module_name& name, const MachineSpec& machine,
                 std::uint16_t index, const Program& program, CommandStates& states, Domain& domain,
                 Chip& chip, const ZoomRequest& zoom)
    : sc_core::sc_module(name),
      spec_(machine.npu),
      program_(program),
      states_(states),
      events_(domain.queue()),
      chip_(chip),
      clock_(machine.clock_hz),
      index_(index),
      ideal_synchronise_(machine.IsIdeal("synchronisation")),
      ideal_launch_(machine.IsIdeal("launch")) {
  const auto& commands = program.npu.commands;
  for (std::uint32_t i = 0; i < commands.size(); ++i) {
    if (commands[i].core == index) own_.push_back(i);
  }
  queues_.resize(kArrays + 2 * static_cast<std::size_t>(spec_.array.count));
  BuildScratchpads();
  BuildArrays(domain, zoom);
  vector_ =
      std::make_unique<VectorUnit>("vector_unit", spec_.vector, clock_, machine.IsIdeal("vector"));
  vector_->operands(OutputPad().port);
  DmaSpec dma = spec_.dma;
  if (machine.IsIdeal("dma")) dma.latency_s = 0, dma.bytes_per_cycle = 0, dma.engines = 256;
  dma_ = std::make_unique<DmaEngine>("dma", dma, clock_, events_,
                                     static_cast<DmaEngine::Listener&>(*this),
                                     spec_.weight_fifo_tiles > 0);
  dma_->inputs(InputPad().port);
  dma_->weights(WeightPad().port);
  dma_->outputs(OutputPad().port);
}

void NpuCore::BuildArrays(Domain& domain, const ZoomRequest& zoom) {
  double highest_rate = 1;
  for (const std::uint32_t c : own_) {
    highest_rate = std::max(highest_rate, static_cast<double>(program_.npu.commands[c].rate));
  }
  auto& listener = static_cast<SystolicArray::Listener&>(*this);
  for (std::int64_t a = 0; a < spec_.array.count; ++a) {
    const std::string name = "array" + std::to_string(a);
    const auto priority = static_cast<std::uint16_t>(1 + index_ * spec_.array.count + a);
    const std::string unit = "core" + std::to_string(index_) + "." + name;
    if (std::find(zoom.units.begin(), zoom.units.end(), unit) != zoom.units.end()) {
      arrays_.push_back(std::make_unique<ZoomedArray>(name.c_str(), static_cast<std::uint32_t>(a),
                                                      spec_.array, clock_, listener, priority,
                                                      domain, highest_rate, zoom));
    } else {
      arrays_.push_back(
          std::make_unique<SystolicArray>(name.c_str(), spec_.array, clock_, listener, priority));
    }
    arrays_.back()->streamed(InputPad().port);
    arrays_.back()->stationary(WeightPad().port);
    arrays_.back()->results(OutputPad().port);
  }
}

void NpuCore::BuildScratchpads() {
  const auto add = [&](const char* name, const ScratchpadSpec& spec) {
    scratchpads_.push_back(std::make_unique<Scratchpad>(name, spec, clock_));
  };
  if (spec_.unified.size_bytes > 0) {
    add("unified_buffer", spec_.unified);
  } else {
    add("input_buffer", spec_.input);
    add("weight_buffer", spec_.weight);
    add("output_buffer", spec_.output);
  }
}

std::uint32_t NpuCore::QueueOf(const NpuCommand& command) const {
  switch (command.opcode) {
    case NpuOpcode::kLoad:
      return kLoadQueue;
    case NpuOpcode::kStore:
      return kStoreQueue;
    case NpuOpcode::kVector:
      return kVectorQueue;
    case NpuOpcode::kPush:
      return kArrays + 2U * command.array;
    case NpuOpcode::kMatmul:
      return kArrays + 2U * command.array + 1;
    case NpuOpcode::kLaunch:
    case NpuOpcode::kSynchronise:
      break;
  }
  return kScalarQueue;
}

std::string NpuCore::QueueName(std::uint32_t queue) const {
  static const char* const kNames[] = {"dma_load", "dma_store", "vector_unit", "scalar_unit"};
  const std::string core = "core" + std::to_string(index_) + ".";
  if (queue < kArrays) return core + kNames[queue];
  const std::string array = "array" + std::to_string((queue - kArrays) / 2);
  return core + array + ((queue - kArrays) % 2 == 0 ? ".push" : "");
}

void NpuCore::Start() { Issue(); }

void NpuCore::Issue() {
  while (next_ < own_.size()) {
    const std::uint32_t command = own_[next_];
    const std::uint32_t queue = QueueOf(program_.npu.commands[command]);
    if (static_cast<std::int64_t>(queues_[queue].waiting.size()) >= spec_.queues.depth) {
      issue_blocker_ = queues_[queue].waiting.front();
      return;
    }
    scalar_free_ = std::max(scalar_free_, events_.now()) +
                   clock_.Cycles(static_cast<std::uint64_t>(spec_.queues.issue_cycles));
    states_.times[command].ready = scalar_free_;
    states_.issue_blocker[command] = issue_blocker_;
    queues_[queue].waiting.push_back(command);
    ++next_;
    if (queues_[queue].waiting.size() == 1) TryStart(queue);
  }
}

void NpuCore::Ready(std::uint32_t command) {
  const std::uint32_t queue = QueueOf(program_.npu.commands[command]);
  if (!queues_[queue].waiting.empty() && queues_[queue].waiting.front() == command) {
    TryStart(queue);
  }
}

void NpuCore::TryStart(std::uint32_t queue) {
  Queue& q = queues_[queue];
  bool started = false;
  while (!q.waiting.empty()) {
    const std::uint32_t command = q.waiting.front();
    if (states_.pending[command] != 0) break;
    if (!StartHead(queue, command)) break;
    q.waiting.pop_front();
    started = true;
  }
  if (started) Issue();
}

bool NpuCore::RetryLater(std::uint32_t queue, Tick when) {
  Queue& q = queues_[queue];
  if (q.retry_at > when || q.retry_at <= events_.now()) {
    q.retry_at = when;
    events_.Schedule(when, &Call<&NpuCore::TryStart>, this, queue, PriorityOf(queue));
  }
  return false;
}

bool NpuCore::StartHead(std::uint32_t queue, std::uint32_t index) {
  const NpuCommand& command = program_.npu.commands[index];
  CommandTimes& times = states_.times[index];
  const Tick now = events_.now();
  if (times.ready > now) return RetryLater(queue, times.ready);  // not issued yet
  switch (command.opcode) {
    case NpuOpcode::kLoad:
    case NpuOpcode::kStore:
      if (!dma_->Free(command)) return false;
      times.start = now;
      times.first = now;
      dma_->Begin(index, command);
      return true;
    case NpuOpcode::kPush:
      return StartPush(queue, index);
    case NpuOpcode::kMatmul:
      return StartMatmul(queue, index);
    case NpuOpcode::kVector: {
      if (vector_->free_at() > now) return RetryLater(queue, vector_->free_at());
      const VectorUnit::Times t = vector_->Execute(
          now, program_.npu.vector_works[command.vector_work], command.rows, command.width);
      times.start = t.start;
      times.first = t.busy_end;
      times.port_share = static_cast<float>(t.port_share);
      CompleteAt(index, t.complete);
      return true;
    }
    case NpuOpcode::kLaunch:
    case NpuOpcode::kSynchronise: {
      const bool launch = command.opcode == NpuOpcode::kLaunch;
      const bool ideal = launch ? ideal_launch_ : ideal_synchronise_;
      times.start = now;
      times.first = now;
      CompleteAt(index, now + (ideal ? 0
                                     : Seconds(launch ? spec_.mapping.launch_s
                                                      : spec_.mapping.synchronise_s)));
      return true;
    }
  }
  return false;
}

bool NpuCore::StartPush(std::uint32_t queue, std::uint32_t index) {
  const NpuCommand& command = program_.npu.commands[index];
  SystolicArray& array = *arrays_[command.array];
  if (!array.MayPush()) return false;
  const Tick now = events_.now();
  const Tick edge = clock_.Cycles(clock_.EdgeFrom(now));
  if (edge > now) return RetryLater(queue, edge);
  const std::uint32_t blocker = states_.blocker[index];
  const Tick loaded = blocker == kNone ? 0 : states_.times[blocker].end;
  array.Push(now, std::max(states_.times[index].ready, loaded), index, command);
  return true;
}

bool NpuCore::StartMatmul(std::uint32_t queue, std::uint32_t index) {
  const NpuCommand& command = program_.npu.commands[index];
  SystolicArray& array = *arrays_[command.array];
  const Tick now = events_.now();
  const Tick edge = clock_.Cycles(clock_.EdgeFrom(now));
  const Tick earliest = edge > now ? edge : array.EarliestMatmul(now, command);
  if (earliest == kNever) return false;
  if (earliest > now) return RetryLater(queue, earliest);
  array.Matmul(now, index, command);
  const std::uint32_t push_queue = kArrays + 2U * command.array;
  if (!queues_[push_queue].waiting.empty()) TryStart(push_queue);
  return true;
}

void NpuCore::Pushed(std::uint32_t command, Tick start, Tick end) {
  states_.times[command].start = start;
  states_.times[command].first = start;
  CompleteAt(command, end);
}

void NpuCore::Streamed(std::uint32_t command, Tick start, Tick stream_end, Tick complete) {
  states_.times[command].start = start;
  states_.times[command].first = stream_end;
  CompleteAt(command, complete);
}

void NpuCore::EntranceFree(std::uint32_t array) { TryStart(kArrays + 2U * array + 1); }

void NpuCore::CompleteAt(std::uint32_t command, Tick when) {
  const std::uint32_t queue = QueueOf(program_.npu.commands[command]);
  events_.Schedule(when, &Call<&NpuCore::Complete>, this, command, PriorityOf(queue));
}

void NpuCore::Complete(std::uint32_t command) {
  states_.times[command].end = events_.now();
  chip_.CommandDone(command);
}

void NpuCore::CopyStarted(std::uint32_t command, Tick first_data) {
  states_.times[command].first = first_data;
}

void NpuCore::CopyDone(std::uint32_t command, double port_share) {
  states_.times[command].port_share = static_cast<float>(port_share);
  Complete(command);
}

void NpuCore::EngineFree() {
  TryStart(kLoadQueue);
  TryStart(kStoreQueue);
}

}  // namespace siliscope
