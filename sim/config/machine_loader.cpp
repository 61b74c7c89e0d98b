// SPDX-License-Identifier: Apache-2.0
#include "sim/config/machine_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <regex>
#include <sstream>

#include "sim/config/config_folder.h"
#include "sim/config/cpu_fields.h"
#include "sim/config/gpu_fields.h"
#include "sim/config/npu_fields.h"
#include "sim/config/yaml_reader.h"
#include "sim/config/yaml_writer.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {
namespace {

DramTiming LoadDramTiming(const std::string& kind, const std::string& place) {
  const std::vector<std::string> kinds = NamesIn("configs/memory");
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) {
    std::vector<std::string> allowed = kinds;
    allowed.emplace_back("ideal");
    throw UserError(place + ": memory.kind: \"" + kind + "\" is not a kind of memory" +
                    Suggestion(kind, allowed));
  }
  return ReadDramTiming(YamlDocument::FromFile(RootFolder() + "/configs/memory/" + kind + ".yaml"));
}

void ReadMemory(YamlReader& reader, const YamlDocument& document, DramSpec& memory) {
  const YAML::Node kind = document.root()["memory"]["kind"];
  if (kind.IsDefined() && kind.IsScalar() && kind.Scalar() != "ideal") {
    memory.timing = LoadDramTiming(kind.Scalar(), document.Place(kind, "memory.kind"));
  }
  VisitMemory(reader, memory);
}

/// The file of `systolic-RxC` for an R and C that has none of its own: that of systolic-128x128.
bool ParsePlainArray(const std::string& name, std::string* rows, std::string* columns) {
  static const std::regex kPlain("systolic-([1-9][0-9]{0,3})x([1-9][0-9]{0,3})");
  std::smatch match;
  if (!std::regex_match(name, match, kPlain)) return false;
  *rows = match[1];
  *columns = match[2];
  return true;
}

/// What the file leaves out is that of configs/defaults for its kind of chip, with its source.
void CompleteByKind(YamlDocument* document) {
  const YAML::Node kind = document->root()["kind"];
  if (!kind.IsDefined() || !kind.IsScalar()) return;
  const std::vector<std::string> kinds = NamesIn("configs/defaults");
  if (std::find(kinds.begin(), kinds.end(), kind.Scalar()) == kinds.end()) return;
  const std::string file = RootFolder() + "/configs/defaults/" + kind.Scalar() + ".yaml";
  document->Complete(YamlDocument::FromFile(file),
                     {"tensor_core", "host_link", "l2", "l3", "numa", "matrix_unit"});
}

}  // namespace

std::vector<std::string> ListMachines() { return NamesIn("configs/chips"); }

MachineSpec LoadMachine(const std::string& name_or_file, const std::vector<Override>& overrides) {
  if (LooksLikeFile(name_or_file)) {
    return ParseMachine(YamlDocument::FromFile(name_or_file), overrides);
  }
  const std::vector<std::string> names = ListMachines();
  std::string file = name_or_file;
  std::vector<Override> all;
  std::string rows, columns;
  if (std::find(names.begin(), names.end(), name_or_file) == names.end()) {
    const std::vector<std::string> clusters = NamesIn("configs/systems");
    if (std::find(clusters.begin(), clusters.end(), name_or_file) != clusters.end()) {
      throw UserError(name_or_file + ": a system of several chips; here a chip is expected" +
                      Suggestion(name_or_file, names));
    }
    if (!ParsePlainArray(name_or_file, &rows, &columns)) {
      throw UserError("unknown system \"" + name_or_file.substr(0, 80) + "\"" +
                      Suggestion(name_or_file, names));
    }
    file = "systolic-128x128";
    all = {{"name", name_or_file}, {"array.rows", rows}, {"array.columns", columns}};
  }
  all.insert(all.end(), overrides.begin(), overrides.end());
  return ParseMachine(YamlDocument::FromFile(RootFolder() + "/configs/chips/" + file + ".yaml"),
                      all);
}

bool IsMemoryDocument(const YamlDocument& document) {
  return document.root().IsMap() && !document.root()["kind"].IsDefined() &&
         document.root()["burst_length"].IsDefined();
}

DramTiming ReadDramTiming(const YamlDocument& document) {
  YamlReader reader(document, nullptr);
  std::string name;
  reader.Text("name", name, Need::kRequired, "");
  DramTiming timing;
  VisitDramTiming(reader, timing);
  reader.Finish();
  return timing;
}

MachineSpec ParseMachine(YamlDocument document, const std::vector<Override>& overrides) {
  for (const Override& change : overrides) document.Set(change);
  CompleteByKind(&document);
  MachineSpec spec;
  YamlReader reader(document, &spec.sources);
  VisitMachine(reader, spec);
  if (spec.kind.empty()) reader.CheckMissing();
  if (spec.kind == "npu") {
    VisitNpu(reader, spec.npu);
  } else if (spec.kind == "gpu") {
    VisitGpu(reader, spec.gpu);
  } else if (spec.kind == "cpu") {
    VisitCpu(reader, spec.cpu);
  } else {
    throw UserError(document.Place(document.root()["kind"], "kind") + ": kind: \"" + spec.kind +
                    "\" is not a kind of chip" + Suggestion(spec.kind, {"cpu", "gpu", "npu"}));
  }
  if (reader.BeginSection("memory", Need::kRequired, "off-chip memory")) {
    ReadMemory(reader, document, spec.memory);
    reader.EndSection();
  }
  reader.Finish();
  CheckMachine(spec, document.name());
  spec.resolved_yaml = WriteMachineYaml(spec);
  return spec;
}

namespace {

using Fail = std::function<void(const std::string&)>;

void CheckDataTypes(const std::map<std::string, double>& rates, const std::string& key,
                    const Fail& fail) {
  DataType parsed{};
  for (const auto& [type, rate] : rates) {
    const std::size_t x = type.find('x');
    for (const std::string& part :
         {type.substr(0, x), x == std::string::npos ? type.substr(0, x) : type.substr(x + 1)}) {
      if (!ParseDataType(part, &parsed)) {
        fail(fmt::format("{}.{}: not a data type{}", key, type, Suggestion(part, DataTypeNames())));
      }
    }
  }
}

void CheckGpu(const MachineSpec& spec, const Fail& fail) {
  const GpuSpec& gpu = spec.gpu;
  CheckDataTypes(gpu.tensor_core.macs_per_cycle, "tensor_core.macs_per_cycle", fail);
  if (gpu.gpcs > gpu.sms) fail("gpcs: more clusters than SMs");
  if (gpu.sm.max_warps % gpu.sm.subcores != 0) {
    fail("sm.max_warps: must be a multiple of sm.subcores");
  }
  if (gpu.l2.slices % gpu.l2.partitions != 0) {
    fail("l2.slices: must be a multiple of l2.partitions");
  }
  if (gpu.tensor_core.generation >= 4 && !gpu.sm.tensor_memory_access) {
    fail("tensor_core.generation: 4 needs sm.tensor_memory_access");
  }
  if (gpu.sm.shared_memory.most_per_cta_bytes > gpu.sm.shared_memory.size_bytes) {
    fail("sm.shared_memory.most_per_cta: is above the size");
  }
  if (gpu.sm.l1.unified && gpu.sm.shared_memory.size_bytes > gpu.sm.l1.size_bytes) {
    fail("sm.shared_memory.size: is above sm.l1.size, which holds both");
  }
  if (gpu.lock_clock_hz > spec.clock_hz) {
    fail(fmt::format("lock_clock: {:.0f} MHz is above the chip's clock, {:.0f} MHz",
                     gpu.lock_clock_hz / 1e6, spec.clock_hz / 1e6));
  }
}

void CheckClass(const std::string& name, const std::string& key, const Fail& fail) {
  const std::vector<std::string> names(kMicroOpClassNames.begin(), kMicroOpClassNames.end());
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    fail(fmt::format("{}: \"{}\" is not a class of micro-operations{}", key, name,
                     Suggestion(name, names)));
  }
}

void CheckCaches(const CpuSpec& cpu, const Fail& fail) {
  const std::pair<const char*, const CpuCacheSpec&> levels[] = {
      {"l1", cpu.l1}, {"l2", cpu.l2}, {"l3", cpu.l3}};
  for (const auto& [name, cache] : levels) {
    const std::int64_t way = cache.ways * cpu.line_bytes;
    if (cache.size_bytes % way != 0) {
      fail(fmt::format("{}.size: {} B is no multiple of ways x line, {} B", name, cache.size_bytes,
                       way));
    }
  }
  if (cpu.l1.size_bytes == 0) fail("l1.size: a core needs a data cache");
}

void CheckLibrary(const CpuLibrarySpec& library, const Fail& fail) {
  const std::pair<const char*, const std::map<std::string, double>&> tables[] = {
      {"block_rows", library.block_rows},
      {"block_depth", library.block_depth},
      {"tile_rows", library.tile_rows},
      {"tile_columns", library.tile_columns},
      {"column_unroll", library.column_unroll}};
  for (const auto& [name, table] : tables) {
    CheckDataTypes(table, std::string("matrix_library.") + name, fail);
    for (const auto& [type, value] : table) {
      if (value < 1 || value > 1e6 || value != std::floor(value)) {
        fail(fmt::format("matrix_library.{}.{}: a whole number from 1 to 1000000", name, type));
      }
    }
  }
}

void CheckCpu(const CpuSpec& cpu, const Fail& fail) {
  std::string taken;
  for (const auto& [port, classes] : cpu.core.ports) {
    std::istringstream words(classes);
    for (std::string word; words >> word; taken += " " + word + " ") {
      CheckClass(word, "core.ports." + port, fail);
    }
  }
  for (const char* name : kMicroOpClassNames) {
    const bool needed = name != std::string("matrix") || cpu.matrix.rows > 0;
    if (needed && taken.find(" " + std::string(name) + " ") == std::string::npos) {
      fail(fmt::format("core.ports: no port takes {}", name));
    }
  }
  for (const auto* table : {&cpu.core.latency, &cpu.core.interval}) {
    for (const auto& [name, cycles] : *table) {
      const char* key = table == &cpu.core.latency ? "core.latency." : "core.interval.";
      CheckClass(name, key + name, fail);
      if (cycles < 1 || cycles > 100'000) fail(key + name + ": from 1 to 100000 cycles");
    }
  }
  CheckDataTypes(cpu.core.macs_per_lane, "core.macs_per_lane", fail);
  CheckDataTypes(cpu.matrix.dtypes, "matrix_unit.dtypes", fail);
  if (cpu.core.ports.size() > 32) fail("core.ports: more than 32");
  CheckLibrary(cpu.library, fail);
  CheckCaches(cpu, fail);
}

void CheckNuma(const MachineSpec& spec, const Fail& fail) {
  const CpuSpec& cpu = spec.cpu;
  const std::int64_t nodes = cpu.numa.nodes;
  if (nodes == 1) return;
  if (cpu.cores % nodes != 0 || cpu.Clusters() % nodes != 0) {
    fail(fmt::format("numa.nodes: {} cores in {} clusters are not divided by {} nodes", cpu.cores,
                     cpu.Clusters(), nodes));
  }
  if (!spec.memory.ideal() && spec.memory.channels % nodes != 0) {
    fail(fmt::format("numa.nodes: {} channels of memory are not divided by {} nodes",
                     spec.memory.channels, nodes));
  }
}

void CheckNpu(const MachineSpec& spec, const Fail& fail) {
  const NpuSpec& npu = spec.npu;
  const bool separate =
      npu.input.size_bytes > 0 && npu.weight.size_bytes > 0 && npu.output.size_bytes > 0;
  if (npu.unified.size_bytes == 0 && !separate) {
    fail(
        "unified_buffer: this key is missing (or give input_buffer, weight_buffer and "
        "output_buffer)");
  }
  if (npu.unified.size_bytes > 0 &&
      (npu.input.size_bytes > 0 || npu.weight.size_bytes > 0 || npu.output.size_bytes > 0)) {
    fail(
        "unified_buffer: stands beside input_buffer, weight_buffer or output_buffer; give one "
        "kind");
  }
  if (npu.weight_fifo_tiles > 0 && npu.array.dataflow != Dataflow::kWeightStationary) {
    fail("array.dataflow: a weight FIFO feeds a weight_stationary array only");
  }
  const auto& rates = npu.array.macs_per_element;
  if (rates.empty()) fail("array.macs_per_element: names no data type");
  if (rates.find(std::string(DataTypeName(spec.default_dtype))) == rates.end()) {
    fail("default_dtype: array.macs_per_element has no rate for " +
         std::string(DataTypeName(spec.default_dtype)));
  }
  CheckDataTypes(rates, "array.macs_per_element", fail);
  for (const auto& [function, cycles] : npu.vector.function_cycles) {
    const std::vector<std::string> functions = VectorFunctionNames();
    if (std::find(functions.begin(), functions.end(), function) == functions.end()) {
      fail("vector_unit.function_cycles." + function + ": not a function of the vector unit" +
           Suggestion(function, functions));
    }
  }
}

void CheckBankRefresh(const DramSpec& memory, const Fail& fail) {
  if (memory.mapping.first_ready && memory.mapping.bank_interleave_bytes == 0) {
    fail("memory.first_ready: needs memory.bank_interleave, so that banks act apart");
  }
  if (memory.ideal() || !memory.mapping.bank_refresh) return;
  if (memory.mapping.bank_interleave_bytes == 0) {
    fail("memory.bank_refresh: needs memory.bank_interleave, so that banks act apart");
  }
  const DramTiming& t = memory.timing;
  const auto banks = static_cast<double>(t.banks * memory.mapping.ranks);
  if (t.trfcsb_ns <= 0) {
    fail("memory.bank_refresh: " + memory.kind + " has no refresh of one bank (trfcsb_ns)");
  }
  if (t.trefi_ns < t.trfcsb_ns + t.trp_ns || t.trefi_ns < banks) {
    fail("memory.bank_refresh: trefi_ns is too short for a refresh of every bank");
  }
}

}  // namespace

void CheckMachine(const MachineSpec& spec, const std::string& place) {
  const Fail fail = [&](const std::string& what) { throw UserError(place + ": " + what); };
  if (spec.kind == "gpu") {
    CheckGpu(spec, fail);
  } else if (spec.kind == "cpu") {
    CheckCpu(spec.cpu, fail);
    CheckNuma(spec, fail);
  } else {
    CheckNpu(spec, fail);
  }
  if (!spec.memory.ideal() &&
      (spec.memory.ideal_bandwidth_bytes_per_s > 0 || spec.memory.ideal_latency_s > 0)) {
    fail("memory: bandwidth and latency are of an ideal memory; a kind has its own timings");
  }
  for (const auto& [from, to] : spec.converted_dtypes) {
    DataType type{};
    if (!ParseDataType(from, &type) || !ParseDataType(to, &type)) {
      fail("runs_as." + from + ": not a data type" + Suggestion(from, DataTypeNames()));
    }
  }
  if (!spec.memory.ideal() && spec.memory.timing.banks % spec.memory.timing.bank_groups != 0) {
    fail("memory: banks must be a multiple of bank_groups");
  }
  CheckBankRefresh(spec.memory, fail);
}

}  // namespace siliscope
