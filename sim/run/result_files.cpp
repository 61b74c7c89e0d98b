// SPDX-License-Identifier: Apache-2.0
#include "sim/run/result_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <systemc>

#include "sim/config/yaml_writer.h"
#include "sim/core/content_hash.h"
#include "sim/core/error.h"
#include "sim/run/csv.h"

namespace siliscope {
namespace {

std::string Microseconds(Tick t) { return NumberText(ToMicroseconds(t)); }
std::string Count(std::int64_t n) { return std::to_string(n); }

std::vector<std::string> CauseColumns() {
  std::vector<std::string> names;
  for (std::size_t c = 0; c < kCauses; ++c) {
    names.push_back(std::string(CauseName(static_cast<Cause>(c))) + "_us");
  }
  return names;
}

std::string Join(const std::vector<std::string>& items, const char* separator) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : separator) + item;
  return text;
}

double MatrixPeak(const SimulationResult& result) {
  double peak = 0;
  for (const UnitRecord& unit : result.record.units) peak += unit.peak_flops_per_s / unit.sharers;
  return peak;
}

}  // namespace

namespace {

/// A text in YAML, quoted.
std::string YamlText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return quoted + "\"";
}

std::string Indented(const std::string& lines) {
  std::string text;
  bool begins = true;
  for (const char c : lines) {
    if (begins) text += "  ";
    text += c;
    begins = c == '\n';
  }
  return text;
}

std::string SystemcVersion() {
  return fmt::format("{}.{}.{}", SC_VERSION_MAJOR, SC_VERSION_MINOR, SC_VERSION_PATCH);
}

}  // namespace

std::string OperatorsCsv(const SimulationResult& result) {
  std::vector<std::string> columns = {"operator",
                                      "name",
                                      "kind",
                                      "onnx_nodes",
                                      "shape",
                                      "mapping",
                                      "begin_us",
                                      "end_us",
                                      "time_us",
                                      "bound",
                                      "nominal_flops",
                                      "executed_flops",
                                      "macs",
                                      "nominal_tops",
                                      "array_util_pct",
                                      "roofline_us",
                                      "weight_bytes",
                                      "input_bytes",
                                      "output_bytes",
                                      "dram_read_bytes",
                                      "dram_write_bytes",
                                      "shared_memory_bytes",
                                      "host_link_bytes",
                                      "scratchpad_bytes"};
  for (const std::string& name : CauseColumns()) columns.push_back(name);
  std::string text = CsvLine(columns);
  const double arrays = std::max(1.0, static_cast<double>(result.record.critical_kind_units));
  const double peak = MatrixPeak(result);
  for (std::size_t i = 0; i < result.program.operators.size(); ++i) {
    const OperatorInfo& op = result.program.operators[i];
    const OperatorRecord& r = result.record.operators[i];
    const double seconds = ToSeconds(r.exclusive);
    const double compulsory =
        static_cast<double>(op.weight_bytes + op.input_bytes + op.output_bytes);
    std::vector<std::string> row = {
        std::to_string(i),
        op.name,
        op.kind,
        Join(op.source_nodes, ";"),
        op.shape,
        op.mapping,
        Microseconds(r.begin),
        Microseconds(r.end),
        Microseconds(r.exclusive),
        std::string(CauseName(BoundOf(r))),
        NumberText(op.nominal_flops),
        NumberText(r.executed_flops),
        NumberText(op.macs),
        NumberText(seconds > 0 ? op.nominal_flops / seconds / 1e12 : 0),
        NumberText(seconds > 0 && peak > 0 ? 100 * r.executed_flops / seconds / peak : 0),
        NumberText(RooflineMicroseconds(result.machine, result.program.dtype, op.nominal_flops,
                                        compulsory)),
        Count(op.weight_bytes),
        Count(op.input_bytes),
        Count(op.output_bytes),
        Count(r.dram_read_bytes),
        Count(r.dram_write_bytes),
        Count(r.shared_bytes),
        Count(r.host_bytes),
        Count(r.scratchpad_bytes)};
    for (const Tick t : r.times) row.push_back(NumberText(ToMicroseconds(t) / arrays));
    text += CsvLine(row);
  }
  return text;
}

std::string UnitsCsv(const SimulationResult& result) {
  std::vector<std::string> columns = {"unit",     "kind", "commands", "flops", "peak_flops_per_s",
                                      "util_pct", "bytes"};
  for (const std::string& name : CauseColumns()) columns.push_back(name);
  std::string text = CsvLine(columns);
  const double seconds = ToSeconds(result.record.total);
  for (const UnitRecord& unit : result.record.units) {
    const double possible = unit.peak_flops_per_s * seconds;
    std::vector<std::string> row = {unit.name,
                                    unit.kind,
                                    std::to_string(unit.commands),
                                    NumberText(unit.flops),
                                    NumberText(unit.peak_flops_per_s),
                                    NumberText(possible > 0 ? 100 * unit.flops / possible : 0),
                                    Count(unit.bytes)};
    for (const Tick t : unit.times) row.push_back(Microseconds(t));
    text += CsvLine(row);
  }
  return text;
}

std::string MemoryCsv(const SimulationResult& result) {
  std::string text =
      CsvLine({"level", "channels", "read_bytes", "write_bytes", "peak_gb_per_s", "gb_per_s",
               "util_pct", "busy_pct", "refresh_pct", "row_hits", "row_misses"});
  const double seconds = ToSeconds(result.record.total);
  for (const LevelRecord& level : result.record.levels) {
    const double bytes = static_cast<double>(level.read_bytes + level.write_bytes);
    const double channel_time =
        seconds * static_cast<double>(std::max<std::uint64_t>(1, level.channels));
    const double rate = seconds > 0 ? bytes / seconds : 0;
    const double limiting = static_cast<double>(level.LimitingBytes());
    const double limit = level.peak_bytes_per_s;
    text += CsvLine(
        {level.name, std::to_string(level.channels), Count(level.read_bytes),
         Count(level.write_bytes), NumberText(level.peak_bytes_per_s / 1e9), NumberText(rate / 1e9),
         NumberText(limit > 0 && seconds > 0 ? 100 * limiting / seconds / limit : 0),
         NumberText(channel_time > 0 ? 100 * ToSeconds(level.busy) / channel_time : 0),
         NumberText(channel_time > 0 ? 100 * ToSeconds(level.refresh) / channel_time : 0),
         std::to_string(level.row_hits), std::to_string(level.row_misses)});
  }
  return text;
}

std::string TensorsCsv(const SimulationResult& result) {
  std::string text =
      CsvLine({"tensor", "role", "place", "bytes", "first_operator", "last_operator"});
  for (const TensorPlacement& t : result.program.tensors) {
    text += CsvLine({t.name, t.role, t.place, Count(t.bytes), std::to_string(t.first_operator),
                     std::to_string(t.last_operator)});
  }
  return text;
}

std::string LinksCsv(const SimulationResult& result) {
  std::string text = CsvLine({"link", "inward_bytes", "outward_bytes", "peak_gb_per_s", "busy_us"});
  for (const LevelRecord& level : result.record.levels) {
    if (level.name != "host_link") continue;
    text += CsvLine({level.name, Count(level.read_bytes), Count(level.write_bytes),
                     NumberText(level.peak_bytes_per_s / 1e9), Microseconds(level.busy)});
  }
  return text;
}

namespace {

/// The data types that a machine has a compute roof for.
std::vector<std::string> ComputeTypes(const MachineSpec& machine) {
  std::vector<std::string> types;
  for (const auto& [type, rate] : machine.npu.array.macs_per_element) types.push_back(type);
  if (machine.kind == "cpu") types = {"fp32", "fp64"};
  if (machine.kind == "gpu") {
    types = {"fp32", "fp64"};
    for (const auto& [type, rate] : machine.gpu.tensor_core.macs_per_cycle) {
      if (type != "fp64") types.push_back(type);
    }
  }
  return types;
}

}  // namespace

std::string RooflineCsv(const SimulationResult& result) {
  std::string text =
      CsvLine({"kind", "name", "level", "dtype", "flop", "bytes", "intensity_flop_per_byte",
               "performance_flop_per_s", "roof_flop_per_s", "bandwidth_bytes_per_s"});
  const std::string& dtype = result.program.dtype;
  for (const std::string& type : ComputeTypes(result.machine)) {
    text += CsvLine({"roof", "compute " + type, "", type, "", "", "", "",
                     NumberText(ComputedPeakOperations(result.machine, type)), ""});
  }
  for (const LevelRecord& level : result.record.levels) {
    if (level.peak_bytes_per_s <= 0) continue;
    text += CsvLine({"roof", level.name, level.name, "", "", "", "", "", "",
                     NumberText(level.peak_bytes_per_s)});
  }
  for (std::size_t i = 0; i < result.program.operators.size(); ++i) {
    const OperatorRecord& r = result.record.operators[i];
    // Its turn on the arrays; or the time in which its own commands ran, where copies that ran
    // ahead make that longer: so no point lies above a roof.
    const double seconds = ToSeconds(std::max(r.exclusive, r.active));
    const bool matrices = r.executed_flops > 0;
    const double flop = matrices ? r.executed_flops : r.pipe_operations;
    const std::string type = matrices ? dtype : "fp32";
    const double peak = ComputedPeakOperations(result.machine, type);
    if (flop <= 0 || seconds <= 0) continue;
    const std::pair<const char*, std::int64_t> levels[] = {
        {"dram", r.dram_read_bytes + r.dram_write_bytes},
        {"l2", r.l2_bytes},
        {"shared_memory", std::max(r.shared_read_bytes, r.shared_bytes - r.shared_read_bytes)},
        {"host_link", std::max(r.host_read_bytes, r.host_bytes - r.host_read_bytes)},
        {"scratchpad", r.scratchpad_bytes}};
    for (const auto& [level, bytes] : levels) {
      if (bytes <= 0) continue;
      const double intensity = flop / static_cast<double>(bytes);
      double roof = peak, bandwidth = 0;
      for (const LevelRecord& l : result.record.levels) {
        if (l.name == level) bandwidth = l.peak_bytes_per_s;
      }
      if (bandwidth > 0) roof = std::min(roof, intensity * bandwidth);
      const bool ideal = result.machine.IsIdeal(level);
      if (!ideal && flop / seconds > roof * 1.001) {
        throw InternalError(result.program.operators[i].name + " lies above the roof of " + level);
      }
      text += CsvLine({"operator", result.program.operators[i].name, level, type, NumberText(flop),
                       Count(bytes), NumberText(intensity), NumberText(flop / seconds),
                       NumberText(roof), NumberText(bandwidth)});
    }
  }
  return text;
}

std::string RunYaml(const SimulationResult& result, const std::string& command) {
  std::string text = "siliscope: " SILISCOPE_VERSION "\nsystemc: " + SystemcVersion() +
                     "\ncommand: " + YamlText(command) +
                     "\nworkload: " + YamlText(result.program.workload) +
                     "\nworkload_hash: " + YamlText(result.program.network_hash) +
                     "\nsystem_hash: " + YamlText(ContentHash(result.machine.resolved_yaml)) +
                     "\nbatch: " + std::to_string(result.program.batch) +
                     "\ndtype: " + result.program.dtype + "\nideal: [";
  for (std::size_t i = 0; i < result.machine.ideal.size(); ++i) {
    text += (i == 0 ? "" : ", ") + result.machine.ideal[i];
  }
  text += "]\nsystem:\n";
  text += Indented(result.machine.resolved_yaml);
  if (!result.machine.memory.ideal()) {
    text += "memory_timing:\n" + Indented(WriteDramTimingYaml(result.machine.memory.timing));
  }
  return text;
}

void WriteResultFiles(const OutputFolder& out, const std::string& folder,
                      const SimulationResult& result, const nlohmann::ordered_json& summary,
                      const std::string& command) {
  const std::string in = folder.empty() ? "" : folder + "/";
  out.Write(in + "summary.json", summary.dump(2) + "\n");
  out.Write(in + "operators.csv", OperatorsCsv(result));
  out.Write(in + "units.csv", UnitsCsv(result));
  out.Write(in + "memory.csv", MemoryCsv(result));
  out.Write(in + "tensors.csv", TensorsCsv(result));
  out.Write(in + "links.csv", LinksCsv(result));
  out.Write(in + "roofline.csv", RooflineCsv(result));
  if (result.machine.kind == "gpu") out.Write(in + "kernels.csv", KernelsCsv(result));
  out.Write(in + "run.yaml", RunYaml(result, command));
}

}  // namespace siliscope
