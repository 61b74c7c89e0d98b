// SPDX-License-Identifier: Apache-2.0
#include "sim/config/yaml_writer.h"

#include <fmt/format.h>

#include "sim/config/cpu_fields.h"
#include "sim/config/gpu_fields.h"
#include "sim/config/npu_fields.h"

namespace siliscope {
namespace {

class YamlWriter : public FieldVisitor {
 public:
  void Integer(const char* key, std::int64_t& field, Range, Need, const char*) override {
    Line(key, std::to_string(field));
  }
  void Real(const char* key, double& field, Dimension dimension, Range, Need,
            const char*) override {
    Line(key, Quantity(field, dimension));
  }
  void Bytes(const char* key, std::int64_t& field, Range range, Need, const char*) override {
    if (static_cast<double>(field) >= range.low) Line(key, std::to_string(field) + " B");
  }
  void Flag(const char* key, bool& field, Need, const char*) override {
    Line(key, field ? "true" : "false");
  }
  void Text(const char* key, std::string& field, Need, const char*) override {
    if (!field.empty()) Line(key, Quoted(field));
  }
  void Choice(const char* key, int& field, const std::vector<std::string>& names, Need,
              const char*) override {
    Line(key, names[static_cast<std::size_t>(field)]);
  }
  void Table(const char* key, std::map<std::string, double>& field, Dimension dimension, Need,
             const char*) override {
    if (field.empty()) return;
    Line(key, "");
    for (const auto& [name, value] : field) Line("  " + name, Quantity(value, dimension));
  }
  void TextTable(const char* key, std::map<std::string, std::string>& field, Need,
                 const char*) override {
    if (field.empty()) return;
    Line(key, "");
    for (const auto& [name, value] : field) Line("  " + name, Quoted(value));
  }
  bool BeginSection(const char* key, Need, const char*) override {
    Line(key, "");
    indent_ += 2;
    return true;
  }
  void EndSection() override { indent_ -= 2; }

  const std::string& text() const { return text_; }

 private:
  static std::string Quoted(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c == '\n' ? ' ' : c;
    }
    return quoted + "\"";
  }
  static std::string Quantity(double value, Dimension dimension) {
    if (dimension == Dimension::kTransferRate) return fmt::format("{} MT/s", value / 1e6);
    if (dimension == Dimension::kOperationRate) return fmt::format("{} TOP/s", value / 1e12);
    const std::string_view unit = BaseUnit(dimension);
    return fmt::format("{}{}{}", value, unit.empty() ? "" : " ", unit);
  }
  void Line(const std::string& key, const std::string& value) {
    text_ += std::string(static_cast<std::size_t>(indent_), ' ') + key +
             (value.empty() ? ":\n" : ": " + value + "\n");
  }

  std::string text_;
  int indent_ = 0;
};

/// Leaves out the optional sections a chip does not have.
class MachineWriter : public YamlWriter {
 public:
  explicit MachineWriter(const MachineSpec& spec) : spec_(spec) {}
  bool BeginSection(const char* key, Need need, const char* meaning) override {
    const std::string name = key;
    const NpuSpec& npu = spec_.npu;
    const bool absent =
        (name == "unified_buffer" && npu.unified.size_bytes == 0) ||
        (name == "input_buffer" && npu.input.size_bytes == 0) ||
        (name == "weight_buffer" && npu.weight.size_bytes == 0) ||
        (name == "output_buffer" && npu.output.size_bytes == 0) ||
        (name == "accumulators" && npu.accumulators.rows == 0) ||
        (name == "weight_fifo" && npu.weight_fifo_tiles == 0) ||
        (name == "shared_memory" && spec_.kind == "npu" && npu.shared_memory.size_bytes == 0) ||
        (name == "host_link" && npu.host_link.bandwidth_bytes_per_s == 0) ||
        (name == "tensor_core" && spec_.gpu.tensor_core.generation == 0);
    return !absent && YamlWriter::BeginSection(key, need, meaning);
  }

 private:
  const MachineSpec& spec_;
};

}  // namespace

std::string WriteMachineYaml(const MachineSpec& spec) {
  MachineSpec copy = spec;
  MachineWriter writer(spec);
  VisitMachine(writer, copy);
  if (spec.kind == "gpu") {
    VisitGpu(writer, copy.gpu);
  } else if (spec.kind == "cpu") {
    VisitCpu(writer, copy.cpu);
  } else {
    VisitNpu(writer, copy.npu);
  }
  writer.BeginSection("memory", Need::kRequired, "");
  VisitMemory(writer, copy.memory);
  writer.EndSection();
  return writer.text();
}

std::string WriteSmYaml(const GpuSpec& spec) {
  GpuSpec copy = spec;
  YamlWriter writer;
  VisitSm(writer, copy.sm);
  VisitTensorCore(writer, copy.tensor_core);
  return writer.text();
}

std::string WriteDramTimingYaml(const DramTiming& timing) {
  DramTiming copy = timing;
  YamlWriter writer;
  VisitDramTiming(writer, copy);
  return writer.text();
}

}  // namespace siliscope
