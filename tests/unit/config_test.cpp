// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/config/machine_loader.h"
#include "sim/config/schema_writer.h"
#include "sim/core/error.h"
#include "sim/run/simulation.h"

namespace siliscope {
namespace {

std::string Message(const std::string& text, const std::vector<Override>& overrides = {}) {
  try {
    ParseMachine(YamlDocument::FromText(text, "my.yaml"), overrides);
  } catch (const UserError& e) {
    return e.what();
  }
  return "";
}

const char* const kGood = R"(name: mine
kind: npu
clock: 700 MHz
default_dtype: int8
array: {rows: 8, columns: 8, macs_per_element: {int8: 1}}
unified_buffer: {size: 1 MiB, bank_width: 64 B}
vector_unit: {lanes: 8}
memory: {kind: ddr3-2133, channels: 2}
)";

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  text.replace(text.find(from), from.size(), to);
  return text;
}

TEST(MachineLoader, ReadsAGoodFile) {
  const MachineSpec spec = ParseMachine(YamlDocument::FromText(kGood, "my.yaml"), {});
  EXPECT_DOUBLE_EQ(spec.clock_hz, 7e8);
  EXPECT_EQ(spec.npu.array.rows, 8);
  EXPECT_NEAR(spec.memory.PeakBytesPerSecond(), 34.1e9, 1e8);  // two channels of DDR3-2133
}

TEST(MachineLoader, NamesPlaceFaultAndRemedy) {
  EXPECT_EQ(Message(Replace(kGood, "columns", "colums")),
            "my.yaml:5:18: array.colums: unknown key; did you mean \"columns\"?");
  EXPECT_EQ(Message(Replace(kGood, "lanes: 8", "lanes: 8, sublans: 2")),
            "my.yaml:7:25: vector_unit.sublans: unknown key; did you mean \"sublanes\"?");
  EXPECT_EQ(Message(Replace(kGood, "700 MHz", "700 MB")),
            "my.yaml:3:8: clock: \"700 MB\" is not a frequency such as 700 MHz or 1.41 GHz");
  EXPECT_EQ(Message(Replace(kGood, "1 MiB", "-1 MiB")),
            "my.yaml:6:24: unified_buffer.size: -1 MiB is out of range; allowed: 1 to 1e+15 B");
  EXPECT_EQ(Message(Replace(kGood, "rows: 8,", "rows: 8, rows: 9,")),
            "my.yaml:5:18: rows: the key stands here a second time; each key once");
  EXPECT_NE(Message(Replace(kGood, "ddr3-2133", "ddr3-2134")).find("did you mean \"ddr3-2133\"?"),
            std::string::npos);
  EXPECT_NE(Message(Replace(kGood, "kind: npu", "kind: nqu")).find("did you mean \"npu\"?"),
            std::string::npos);
}

TEST(MachineLoader, ChangesValuesFromTheCommandLine) {
  const MachineSpec spec = ParseMachine(YamlDocument::FromText(kGood, "my.yaml"),
                                        {{"array.rows", "16"}, {"mapping.buffers", "1"}});
  EXPECT_EQ(spec.npu.array.rows, 16);
  EXPECT_EQ(spec.npu.mapping.buffers, 1);
  EXPECT_EQ(
      Message(kGood, {{"array.row", "16"}}).rfind("--set array.row: array.row: unknown key", 0),
      0U);
}

TEST(MachineLoader, RefreshOfSingleBanksNeedsADeviceThatHasIt) {
  const auto load = [](const std::vector<Override>& overrides) {
    return LoadMachine("v100-pcie-32gb", overrides);
  };
  EXPECT_NO_THROW(load({}));
  EXPECT_THROW(load({{"memory.bank_interleave", "0 B"}}), UserError);
  EXPECT_THROW(load({{"memory.kind", "ddr4-3200"}}), UserError);
}

TEST(MachineLoader, SurvivesHostileText) {
  for (const std::string& text :
       {std::string("a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["), std::string("\xff\xfe"),
        std::string("&a [*a]"), std::string("? {a: b}\n: c"), std::string(5000, '['),
        std::string("name: {value: x, value: y}"), std::string("- 1"), std::string("")}) {
    EXPECT_THROW(ParseMachine(YamlDocument::FromText(text, "bad.yaml"), {}), UserError) << text;
  }
}

TEST(MachineLoader, ResolvedConfigurationReadsBackTheSame) {
  for (const std::string& name : ListMachines()) {
    const MachineSpec spec = LoadMachine(name, {});
    const MachineSpec again =
        ParseMachine(YamlDocument::FromText(spec.resolved_yaml, "resolved.yaml"), {});
    EXPECT_EQ(again.resolved_yaml, spec.resolved_yaml) << name;
  }
}

TEST(Chips, ComputedPeaksEqualPublishedOnes) {
  for (const std::string& name : ListMachines()) {
    const MachineSpec spec = LoadMachine(name, {});
    for (const auto& [dtype, peak] : spec.peaks) {
      const double computed = ComputedPeakOperations(spec, dtype) * peak.clock_hz / spec.clock_hz;
      // 1%, or the last digit of what was published ("4 TOPS").
      const double digit = peak.operations_per_s < 1e13 ? 0.5e12 : 0;
      EXPECT_NEAR(computed, peak.operations_per_s, std::max(digit, 0.01 * peak.operations_per_s))
          << name << " " << dtype;
    }
  }
}

TEST(Chips, EverySectionOfAProductNamesItsSource) {
  for (const std::string& name : ListMachines()) {
    const YamlDocument document =
        YamlDocument::FromFile(RootFolder() + "/configs/chips/" + name + ".yaml");
    EXPECT_TRUE(document.root()["source"].IsDefined()) << name;
    EXPECT_TRUE(document.root()["confidence"].IsDefined()) << name;
  }
}

TEST(Schema, CoversEveryKey) {
  const auto schema = ChipSchema();
  const auto& npu = schema["else"]["else"];
  const auto& cpu = schema["else"]["then"];
  const auto& gpu = schema["then"];
  EXPECT_TRUE(npu["properties"]["array"]["properties"].contains("rows"));
  EXPECT_EQ(npu["properties"]["array"]["additionalProperties"], false);
  EXPECT_TRUE(gpu["properties"]["sm"]["properties"].contains("max_warps"));
  EXPECT_FALSE(gpu["properties"].contains("array"));
  EXPECT_TRUE(cpu["properties"]["core"]["properties"].contains("reorder_window"));
  EXPECT_GT(ChipKeys().size(), 120U);
}

}  // namespace
}  // namespace siliscope
