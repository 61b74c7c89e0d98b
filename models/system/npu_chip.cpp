// SPDX-License-Identifier: Apache-2.0
#include "models/system/npu_chip.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "models/memory/zoomed_dram.h"
#include "models/npu/attribution.h"
#include "models/npu/peak.h"
#include "models/npu/zoomed_array.h"
#include "sim/core/error.h"

namespace siliscope {
NpuChip::NpuChip(const sc_core::sc_module_name& name, const MachineSpec& machine,
                 const Program& program, const SimulationOptions& options)
    : Domain(name),
      keep_spans_(options.spans),
      zoom_(options.zoom),
      machine_(machine),
      program_(program),
      graph_(program.npu),
      states_(program.npu) {
  if (machine.IsIdeal("scratchpad")) {
    for (ScratchpadSpec* pad :
         {&machine_.npu.unified, &machine_.npu.input, &machine_.npu.weight, &machine_.npu.output}) {
      pad->bank_width_bytes = 0;
    }
  }
  if (Zoomed("dram")) {
    dram_ = std::make_unique<ZoomedDram>("dram", machine.EffectiveMemory(),
                                         static_cast<Domain&>(*this), zoom_.waveform);
  } else {
    dram_ = std::make_unique<Dram>("dram", machine.EffectiveMemory());
  }
  const NpuSpec& npu = machine_.npu;
  if (npu.shared_memory.size_bytes > 0) {
    shared_ =
        std::make_unique<PipeLink>("shared_memory", npu.shared_memory.bandwidth_bytes_per_s,
                                   npu.shared_memory.latency_s, machine.IsIdeal("shared_memory"));
  }
  if (npu.host_link.bandwidth_bytes_per_s > 0) {
    host_ = std::make_unique<PipeLink>("host_link", npu.host_link.bandwidth_bytes_per_s,
                                       npu.host_link.latency_s, machine.IsIdeal("host_link"));
  }
  for (std::int64_t c = 0; c < npu.cores; ++c) {
    auto core = std::make_unique<NpuCore>(
        ("core" + std::to_string(c)).c_str(), machine_, static_cast<std::uint16_t>(c), program,
        states_, static_cast<Domain&>(*this), static_cast<NpuCore::Chip&>(*this), zoom_);
    core->dma().dram(dram_->port);
    if (shared_) core->dma().shared(shared_->port);
    if (host_) core->dma().host(host_->port);
    cores_.push_back(std::move(core));
  }
}

bool NpuChip::Zoomed(const std::string& unit) const {
  return std::find(zoom_.units.begin(), zoom_.units.end(), unit) != zoom_.units.end();
}

void NpuChip::Start() {
  for (const auto& core : cores_) {
    queue().Schedule(
        0, [](void* self, std::uint64_t) { static_cast<NpuCore*>(self)->Start(); }, core.get(), 0);
  }
}

void NpuChip::CommandDone(std::uint32_t command) {
  ++states_.completed;
  const bool push = program_.npu.commands[command].opcode == NpuOpcode::kPush;
  for (std::uint32_t i = graph_.successor_begin[command]; i < graph_.successor_begin[command + 1];
       ++i) {
    const std::uint32_t successor = graph_.successors[i];
    const NpuCommand& waiting = program_.npu.commands[successor];
    if (!(push && waiting.opcode == NpuOpcode::kMatmul)) states_.blocker[successor] = command;
    if (--states_.pending[successor] == 0) cores_[waiting.core]->Ready(successor);
  }
}

void NpuChip::CheckAllDone() const {
  if (states_.completed == states_.times.size()) return;
  for (std::uint32_t i = 0; i < states_.times.size(); ++i) {
    if (states_.times[i].end != 0 || states_.pending[i] == 0) continue;
    std::string waits;
    for (std::uint32_t d = program_.npu.dependency_begin[i];
         d < program_.npu.dependency_begin[i + 1]; ++d) {
      const std::uint32_t dependency = program_.npu.dependencies[d];
      if (states_.times[dependency].end == 0) waits += fmt::format(" {}", dependency);
    }
    throw InternalError(fmt::format(
        "the simulation is stuck with {} of {} commands complete: command {} ({}) waits for{}",
        states_.completed, states_.times.size(), i,
        cores_[program_.npu.commands[i].core]->QueueName(
            cores_[program_.npu.commands[i].core]->QueueOf(program_.npu.commands[i])),
        waits));
  }
  throw InternalError("the simulation is stuck: a queue never started its head");
}

void NpuChip::AddUnits(Record* record) const {
  const double peak = NpuArrayPeak(machine_, program_.dtype);
  std::vector<UnitSchedule> schedules;
  std::vector<std::uint32_t> base;
  for (const auto& core : cores_) {
    base.push_back(static_cast<std::uint32_t>(record->units.size()));
    for (std::uint32_t q = 0; q < core->queue_count(); ++q) {
      UnitRecord unit;
      unit.name = core->QueueName(q);
      const bool array = q >= 4;
      const bool push = array && q % 2 == 0;
      unit.kind = q < 2    ? "dma"
                  : q == 2 ? "vector_unit"
                  : q == 3 ? "scalar_unit"
                  : push   ? "push_path"
                           : "systolic_array";
      if (array && !push) {
        unit.flops = 2 * core->arrays()[(q - 4) / 2]->macs();
        unit.peak_flops_per_s = peak;
      }
      if (q == 2) unit.flops = core->vector_unit().operations();
      UnitSchedule schedule;
      schedule.unit = static_cast<std::uint32_t>(record->units.size());
      schedule.matrix = array && !push;
      schedules.push_back(std::move(schedule));
      record->units.push_back(std::move(unit));
    }
  }
  const auto& commands = program_.npu.commands;
  record->command_unit.resize(commands.size());
  for (std::uint32_t i = 0; i < commands.size(); ++i) {
    const std::uint32_t unit =
        base[commands[i].core] + cores_[commands[i].core]->QueueOf(commands[i]);
    record->command_unit[i] = unit;
    schedules[unit].commands.push_back(i);
    ++record->units[unit].commands;
    record->units[unit].bytes += commands[i].bytes;
  }
  for (UnitSchedule& schedule : schedules) {
    std::stable_sort(schedule.commands.begin(), schedule.commands.end(),
                     [&](std::uint32_t a, std::uint32_t b) {
                       return states_.times[a].start < states_.times[b].start;
                     });
  }
  AttributeTime(program_, states_, schedules, machine_.npu, keep_spans_, record);
}

void NpuChip::AddLevels(Record* record) const {
  LevelRecord dram;
  dram.name = "dram";
  dram.peak_bytes_per_s = dram_->spec().PeakBytesPerSecond();
  dram.channels = dram_->spec().ideal() ? 1 : static_cast<std::uint64_t>(dram_->spec().channels);
  const DramCounters counters = dram_->Counters();
  dram.busy = counters.busy;
  dram.row_hits = counters.row_hits;
  dram.row_misses = counters.row_misses;
  dram.refresh = counters.refresh;
  record->events += counters.steps;
  LevelRecord shared;
  shared.name = "shared_memory";
  shared.duplex = true;
  LevelRecord host;
  host.name = "host_link";
  host.duplex = true;
  for (const NpuCommand& command : program_.npu.commands) {
    if (command.opcode != NpuOpcode::kLoad && command.opcode != NpuOpcode::kStore) continue;
    LevelRecord& level = command.space == MemorySpace::kDram     ? dram
                         : command.space == MemorySpace::kShared ? shared
                                                                 : host;
    (command.opcode == NpuOpcode::kLoad ? level.read_bytes : level.write_bytes) += command.bytes;
  }
  record->levels.push_back(dram);
  if (shared_) {
    shared.busy = shared_->busy();
    shared.peak_bytes_per_s = shared_->bandwidth_bytes_per_s();
    record->levels.push_back(shared);
  }
  if (host_) {
    host.busy = host_->busy();
    host.peak_bytes_per_s = host_->bandwidth_bytes_per_s();
    record->levels.push_back(host);
  }
  LevelRecord pads;
  pads.name = "scratchpad";
  pads.channels = 0;
  for (const auto& core : cores_) {
    for (const auto& pad : core->scratchpads()) {
      pads.read_bytes += pad->read_bytes();
      pads.write_bytes += pad->write_bytes();
      pads.busy += pad->busy();
      pads.peak_bytes_per_s += pad->bytes_per_s();
      ++pads.channels;
    }
  }
  record->levels.push_back(pads);
}

void NpuChip::AddOperators(Record* record) const {
  const auto& commands = program_.npu.commands;
  for (std::uint32_t i = 0; i < commands.size(); ++i) {
    const NpuCommand& command = commands[i];
    OperatorRecord& op = record->operators[command.op];
    op.begin = std::min(op.begin, states_.times[i].start);
    op.end = std::max(op.end, states_.times[i].end);
    const bool load = command.opcode == NpuOpcode::kLoad;
    if (load || command.opcode == NpuOpcode::kStore) {
      switch (command.space) {
        case MemorySpace::kDram:
          (load ? op.dram_read_bytes : op.dram_write_bytes) += command.bytes;
          break;
        case MemorySpace::kShared:
          op.shared_bytes += command.bytes;
          if (load) op.shared_read_bytes += command.bytes;
          break;
        case MemorySpace::kHost:
          op.host_bytes += command.bytes;
          if (load) op.host_read_bytes += command.bytes;
          break;
      }
    } else if (command.opcode == NpuOpcode::kVector) {
      op.executed_flops += static_cast<double>(command.rows) * static_cast<double>(command.width) *
                           program_.npu.vector_works[command.vector_work].matrix_flops_per_element;
    } else if (command.opcode == NpuOpcode::kMatmul) {
      op.executed_flops += 2.0 * static_cast<double>(command.rows) *
                           static_cast<double>(command.depth) * static_cast<double>(command.width) *
                           static_cast<double>(command.useful);
    }
    op.scratchpad_bytes += command.bytes + command.sum_bytes + command.result_bytes;
  }
}

void NpuChip::AddActiveTimes(Record* record) const {
  // The union of each operator's commands: in order of their start, what sticks out is added.
  std::vector<std::uint32_t> order(states_.times.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return states_.times[a].start < states_.times[b].start;
  });
  std::vector<Tick> until(record->operators.size(), 0);
  for (const std::uint32_t i : order) {
    const std::uint32_t op = program_.npu.commands[i].op;
    const Tick begin = std::max(states_.times[i].start, until[op]);
    if (states_.times[i].end <= begin) continue;
    record->operators[op].active += states_.times[i].end - begin;
    until[op] = states_.times[i].end;
  }
}

void NpuChip::AddZooms(Record* record) const {
  for (const auto& core : cores_) {
    for (const auto& array : core->arrays()) {
      const auto* zoomed = dynamic_cast<const ZoomedArray*>(array.get());
      if (zoomed == nullptr) continue;
      const std::string unit = std::string(zoomed->name()).substr(std::string(name()).size() + 1);
      record->zooms.push_back({unit, zoomed->element_cycles(), "element cycles",
                               zoomed->tiles_checked(),
                               "tiles, each result equal to the product of its operands"});
    }
  }
  if (Zoomed("dram"))
    record->zooms.push_back({"dram", dram_->Counters().steps, "command slots", 0, ""});
  if (record->zooms.empty()) return;
  const auto& commands = program_.npu.commands;
  record->command_zoomed.assign(commands.size(), 0);
  for (std::size_t i = 0; i < commands.size(); ++i) {
    const NpuCommand& c = commands[i];
    const bool of_operator = zoom_.operators.empty() || zoom_.operators[c.op] != 0;
    const bool on_array = c.opcode == NpuOpcode::kPush || c.opcode == NpuOpcode::kMatmul;
    const bool copy = c.opcode == NpuOpcode::kLoad || c.opcode == NpuOpcode::kStore;
    const bool zoomed = on_array
                            ? of_operator && Zoomed(fmt::format("core{}.array{}", c.core, c.array))
                            : copy && c.space == MemorySpace::kDram && Zoomed("dram");
    record->command_zoomed[i] = zoomed ? 1 : 0;
  }
}

Record NpuChip::Finish() {
  CheckAllDone();
  Record record;
  record.clock_hz = machine_.clock_hz;
  record.events = queue().events_run();
  record.operators.resize(program_.operators.size());
  for (const CommandTimes& t : states_.times) record.total = std::max(record.total, t.end);
  AddLevels(&record);
  AddUnits(&record);
  AddOperators(&record);
  AddActiveTimes(&record);
  AddZooms(&record);
  const auto arrays = static_cast<Tick>(machine_.npu.cores * machine_.npu.array.count);
  record.critical_kind_units = static_cast<std::uint32_t>(arrays);
  for (OperatorRecord& op : record.operators) {
    Tick sum = 0;
    for (const Tick t : op.times) sum += t;
    op.exclusive = (sum + arrays / 2) / arrays;
    if (op.begin == kNever) op.begin = 0;
  }
  record.commands = std::move(states_.times);
  return record;
}

}  // namespace siliscope
