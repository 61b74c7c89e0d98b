// SPDX-License-Identifier: Apache-2.0
#include "models/gpu/cost_store.h"

#include <gtest/gtest.h>

#include "sim/core/disk_store.h"

namespace siliscope {
namespace {

TEST(CostStore, CostsReadBackExactly) {
  CtaCost cost;
  cost.start_cycles = 342;
  cost.instructions = 123456789012;
  cost.passes = {{1.0 / 3, 7, 81.5, 2e-17, 0.25, 1e300, 0, 5, {1, 2, 3, 4}},
                 {0.1, 0.15, 0, 0.2, 1, 0.3, 0.4, 0.5, {}}};
  cost.counters.slots[3] = ~std::uint64_t{0};
  cost.counters.macs = 1e12 / 7;
  const std::string text = WriteCtaCost(cost);
  const auto back = ReadCtaCost(text);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(WriteCtaCost(*back), text);
  EXPECT_EQ(back->passes[0].alone_cycles, cost.passes[0].alone_cycles);
  EXPECT_EQ(back->passes[1].drain_interval_cycles, 0.5);
  EXPECT_EQ(back->passes[0].traffic.shared_write_bytes, 4);
  EXPECT_EQ(back->counters.slots[3], ~std::uint64_t{0});
  EXPECT_EQ(back->counters.macs, cost.counters.macs);
}

TEST(CostStore, KeysTellWhatCostsDependOn) {
  const GpuSpec gpu;
  GpuKernel kernel;
  kernel.passes.resize(2);
  const std::string key = CtaCostKey(gpu, kernel, 2);
  GpuSpec far = gpu;
  ++far.l2.near_latency_cycles;
  EXPECT_NE(CtaCostKey(far, kernel, 2), key);
  EXPECT_NE(CtaCostKey(gpu, kernel, 3), key);
  GpuKernel other = kernel;
  other.passes[0].joins = false;
  EXPECT_NE(CtaCostKey(gpu, other, 2), key);
  other = kernel;
  other.passes[1].loads = {0};
  EXPECT_NE(CtaCostKey(gpu, other, 2), key);
}

TEST(CostStore, OtherTextsAreNoCosts) {
  const std::string text = WriteCtaCost(CtaCost{});
  EXPECT_TRUE(ReadCtaCost(text).has_value());
  EXPECT_FALSE(ReadCtaCost(text + " 1").has_value());
  EXPECT_FALSE(ReadCtaCost(text.substr(0, text.size() - 2)).has_value());
  for (const char* wrong : {"", "x", "-1", "99999999999999999999", "2 1 2", "65 1"}) {
    EXPECT_FALSE(ReadCtaCost(wrong).has_value()) << wrong;
  }
}

TEST(DiskStore, KeepsTextsOfItsVersion) {
  const std::string path = testing::TempDir() + "disk_store_test.sqlite";
  std::remove(path.c_str());
  {
    DiskStore store(path, "one");
    EXPECT_FALSE(store.Find("key").has_value());
    store.Keep("key", "text");
    store.Keep("key", "newer text");
    EXPECT_EQ(store.Find("key").value_or(""), "newer text");
    EXPECT_EQ(store.Count(), 1);
  }
  {
    DiskStore store(path, "two");
    EXPECT_FALSE(store.Find("key").has_value());
    store.Keep("other", "text");
    EXPECT_EQ(store.Count(), 1) << "texts of another version are dropped";
    store.Clear();
    EXPECT_EQ(store.Count(), 0);
  }
  std::remove(path.c_str());
  DiskStore none("", "one");
  none.Keep("key", "text");
  EXPECT_FALSE(none.Find("key").has_value());
}

}  // namespace
}  // namespace siliscope
