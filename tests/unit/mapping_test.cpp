// SPDX-License-Identifier: Apache-2.0
// The mapping search: what it finds is as fast as the best of what it could have chosen.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/simulate.h"

namespace siliscope {
namespace {

std::int64_t DramWrites(const Program& program) {
  std::int64_t bytes = 0;
  for (const NpuCommand& c : program.npu.commands) {
    if (c.opcode == NpuOpcode::kStore) bytes += c.bytes;
  }
  return bytes;
}

TEST(Mapping, SearchedDataflowIsAsFastAsTheBestOfThem) {
  for (const char* work : {"gemm:m=64;n=2048;k=2048", "gemm:m=4096;n=96;k=512",
                           "gemm:m=48;n=48;k=8192", "gemm:m=16;n=4000;k=96"}) {
    const auto with = [&](const char* dataflow) {
      return Microseconds(Request("systolic-64x64", work, {{"array.dataflow", dataflow}}));
    };
    const double best =
        std::min({with("weight_stationary"), with("output_stationary"), with("input_stationary")});
    EXPECT_LT(with("searched"), 1.05 * best) << work;
  }
}

TEST(Mapping, DepthwiseAndDenseLayersTakeDifferentDataflows) {
  const auto with = [](const char* dataflow) {
    return Microseconds(
        Request("systolic-64x64", "mobilenet_v2",
                {{"array.dataflow", dataflow}, {"mapping.output_block_rows", "1024"}}));
  };
  const double searched = with("searched");
  EXPECT_LT(searched, 0.97 * with("weight_stationary"));
  EXPECT_LT(searched, 0.97 * with("output_stationary"));
}

/// Few accumulators and little bandwidth: sums that spill cost less than weights that come again.
std::vector<Override> FewAccumulators(const char* order) {
  return {{"mapping.output_block_rows", "64"},
          {"accumulators.rows", "256"},
          {"unified_buffer.size", "8 MiB"},
          {"memory.channels", "2"},
          {"mapping.loop_order", order}};
}

TEST(Mapping, PartialSumsSpillWhereThatIsFaster) {
  const char* const work = "gemm:m=16384;n=256;k=16384";
  const double kept = Microseconds(Request("systolic-64x64", work, FewAccumulators("mnk")));
  const double spilled = Microseconds(Request("systolic-64x64", work, FewAccumulators("kmn")));
  const SimulationRequest searched = Request("systolic-64x64", work, FewAccumulators("searched"));
  EXPECT_LT(spilled, 0.6 * kept);
  EXPECT_LT(Microseconds(searched), 1.02 * spilled);
  // Written and read again: four bytes a sum for every stretch of k but the last.
  const Program program = CompileRequest(searched, MachineOf(searched));
  EXPECT_NE(program.operators[0].mapping.find("sums spilled"), std::string::npos);
  EXPECT_EQ(DramWrites(program), 16384LL * 256 * (2 + 3 * 4));
}

TEST(Mapping, BlocksCanBeFixed) {
  const SimulationRequest request = Request("systolic-64x64", "gemm:m=512;n=512;k=512",
                                            {{"mapping.block_m", "128"},
                                             {"mapping.block_n", "256"},
                                             {"mapping.block_k", "64"},
                                             {"mapping.loop_order", "nmk"},
                                             {"mapping.output_block_rows", "64"}});
  const Program program = CompileRequest(request, MachineOf(request));
  EXPECT_NE(program.operators[0].mapping.find("blocks 128x256x64 n outer"), std::string::npos)
      << program.operators[0].mapping;
  std::int64_t read = 0;
  for (const NpuCommand& c : program.npu.commands) {
    if (c.opcode == NpuOpcode::kLoad) read += c.bytes;
  }
  EXPECT_EQ(read, 2 * 512 * 512 * (2 + 4));  // rows once for each of 2 n blocks, columns of 4 m
}

}  // namespace
}  // namespace siliscope
