// SPDX-License-Identifier: Apache-2.0
// Whole GPUs on work that takes them seconds: what only large products and long vectors show.
#include <gtest/gtest.h>

#include "tests/unit/simulate.h"

namespace siliscope {
namespace {

const char* const kA100 = "a100-sxm-80gb";

std::string Gemm(int m, int n, int k) {
  return "gemm:m=" + std::to_string(m) + ";n=" + std::to_string(n) + ";k=" + std::to_string(k);
}

TEST(LargeGpu, IdealMemoriesGiveBackWhatWasWaitedFor) {
  // (e) Off-chip memory where data comes from there, L2 where its slices are few.
  const std::vector<Cause> memory = {Cause::kMemoryBandwidth, Cause::kMemoryLatency};
  for (const char* work :
       {"elementwise:rows=8192;cols=8192", "gemm:m=1;n=16384;k=4096", "gemm:m=512;n=4096;k=4096"}) {
    const double given = GivenBack(Request(kA100, work), "dram", memory);
    EXPECT_GT(given, 0.5) << work;
    EXPECT_LT(given, 1.1) << work;
  }
  const double given =
      GivenBack(Request(kA100, Gemm(2048, 4096, 2048), {{"l2.slices", "16"}}), "l2", memory);
  EXPECT_GT(given, 0.5);
  EXPECT_LT(given, 1.1);
}

TEST(LargeGpu, IdealPowerGivesBackWhatTheClockHadLost) {
  // (e) The share of the clock that the limit takes is the share of the time that goes away.
  const SimulationRequest request = Request("a100-pcie-40gb", Gemm(8192, 8192, 4096));
  SimulationRequest ideal = request;
  ideal.ideal = {"power"};
  const double whole = Microseconds(request);
  const double sag = InChild([&] {
    const SimulationResult r = Simulate(request);
    return 1 - r.record.clock_hz / r.machine.clock_hz;
  });
  EXPECT_GT(sag, 0.1);
  EXPECT_GT(whole - Microseconds(ideal), 0.5 * sag * whole);
  EXPECT_LT(whole - Microseconds(ideal), 1.1 * sag * whole);
}

TEST(LargeGpu, SparseOperandsHalveTheWorkNotTheWaiting) {
  // 2:4 sparsity doubles the peak (A100 whitepaper: 624 against 312 TFLOP/s); small products wait
  // for other things. Measured on A100: 1.5 to 1.8 times on large ones (Mishra et al. 2021).
  const auto gain = [](const char* dense, const char* sparse) {
    return Microseconds(Request(kA100, dense)) / Microseconds(Request(kA100, sparse));
  };
  EXPECT_NEAR(gain("gemm:m=4096;n=4096;k=8192", "gemm:m=4096;n=4096;k=8192;sparsity=2:4"), 1.8,
              0.15);
  EXPECT_LT(gain("gemm:m=256;n=256;k=256", "gemm:m=256;n=256;k=256;sparsity=2:4"), 1.2);
  EXPECT_THROW(CompileRequest(Request("v100-sxm2-16gb", "gemm:m=256;n=256;k=256;sparsity=2:4"),
                              LoadMachine("v100-sxm2-16gb", {})),
               UserError);
}

TEST(LargeGpu, WalkingTilesInBandsSparesTheMemory) {
  // CTAs that run at a time should share rows and columns of the operands (CUTLASS, "threadblock
  // rasterization"): bands of 8 tile rows against whole columns of them.
  const SimulationRequest request = Request(kA100, Gemm(16384, 8192, 2048));
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  const auto read = [&] {
    return InChild([&] {
      const auto model =
          SystemModelRegistry::Instance().Get("kind", machine.kind).make_model(machine);
      return static_cast<double>(model->Run(program, {}).levels.front().read_bytes);
    });
  };
  const double bands = read();
  program.gpu.kernels.front().grid.swizzle = 1;
  EXPECT_GT(read(), 1.5 * bands);
}

TEST(LargeGpu, StreamKHasNoPartialWave) {
  // Osama et al., PPoPP 2023, Figure 2: 64 tiles on 108 SMs leave 44 idle; shared out by steps, all
  // work. Where waves are whole there is nothing to gain, and the same products are made.
  const auto time = [](int m, int n, int k, const char* stream_k) {
    return Microseconds(Request(kA100, Gemm(m, n, k),
                                {{"kernel_library.stream_k", stream_k},
                                 {"kernel_library.large_tile_rows", "0"},
                                 {"lock_clock", "1410 MHz"}}));
  };
  EXPECT_LT(time(2048, 2048, 4096, "true"), 0.85 * time(2048, 2048, 4096, "false"));
  EXPECT_NEAR(time(13824, 256, 8192, "true") / time(13824, 256, 8192, "false"), 1, 0.01);
  const SimulationResult result = Simulate(
      Request(kA100, Gemm(2048, 2048, 4096),
              {{"kernel_library.stream_k", "true"}, {"kernel_library.large_tile_rows", "0"}}));
  CheckRecord(result);
  ASSERT_NE(result.program.gpu.kernels.front().name.find("streamk"), std::string::npos);
  double flops = 0;
  for (const UnitRecord& unit : result.record.units) flops += unit.flops;
  EXPECT_NEAR(flops / (2.0 * 2048 * 2048 * 4096), 1, 1e-9);
}

TEST(LargeGpu, SkippedWindowsChangeNothing) {
  // A grid of very many equal CTAs is not played to its end. What a further stretch of work takes
  // stays the same (the L2 keeps a constant part of the results), and its bytes are counted.
  const double one = Microseconds(Request(kA100, "elementwise:rows=8192;cols=16384"));
  const double two = Microseconds(Request(kA100, "elementwise:rows=16384;cols=16384"));
  const double four = Microseconds(Request(kA100, "elementwise:rows=32768;cols=16384"));
  EXPECT_NEAR((four - two) / (two - one), 2, 0.06);
  const SimulationResult whole = Simulate(Request(kA100, "elementwise:rows=16384;cols=16384"));
  CheckRecord(whole);
  for (const LevelRecord& level : whole.record.levels) {
    if (level.name != "l2") continue;
    EXPECT_NEAR(static_cast<double>(level.read_bytes), 2.0 * 2 * 16384 * 16384,
                0.02 * level.read_bytes);
  }
}

TEST(LargeGpu, TensorCoresOutrunPipes) {
  // 312 against 19.5 TFLOP/s; at this size most of the factor of 16 is left.
  SimulationRequest tensor = Request(kA100, Gemm(4096, 4096, 4096));
  SimulationRequest pipes = tensor;
  std::get<WorkloadRequest>(pipes.work).dtype = "fp32";
  EXPECT_GT(Microseconds(pipes), 9 * Microseconds(tensor));
}

TEST(LargeGpu, TheClockSagsAtThePowerLimit) {
  // The A100 PCIe's 250 W hold large products well below 1410 MHz; a locked clock does not sag.
  const SimulationRequest request = Request("a100-pcie-40gb", Gemm(8192, 8192, 4096));
  const SimulationRequest locked =
      Request("a100-pcie-40gb", Gemm(8192, 8192, 4096), {{"lock_clock", "1410 MHz"}});
  EXPECT_GT(Microseconds(request), 1.15 * Microseconds(locked));
  EXPECT_LT(Microseconds(Request("a100-pcie-40gb", Gemm(256, 256, 256))),
            1.01 * Microseconds(Request("a100-pcie-40gb", Gemm(256, 256, 256),
                                        {{"lock_clock", "1410 MHz"}})));
}

}  // namespace
}  // namespace siliscope
