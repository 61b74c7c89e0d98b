// SPDX-License-Identifier: Apache-2.0
// Whole chips on small work: effects must come from simulated queues, pipes and buffers.
#include <gtest/gtest.h>

#include "sim/run/metrics.h"
#include "tests/unit/simulate.h"

namespace siliscope {
namespace {

const char* const kGemm = "gemm:m=512;n=2048;k=2048";

TEST(Chip, LabelsDoNotMatter) {
  // (a) A program with its labels removed takes exactly the same time.
  const SimulationRequest request = Request("tpu-v4", "resnet18");
  const double labelled = Microseconds(request);
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  for (OperatorInfo& op : program.operators) {
    op = OperatorInfo{};
  }
  program.workload.clear();
  program.tensors.clear();
  const auto model = SystemModelRegistry::Instance().Get("kind", machine.kind).make_model(machine);
  EXPECT_DOUBLE_EQ(ToMicroseconds(model->Run(program, {}).total), labelled);
}

TEST(Chip, PerturbedStructureMovesTimesTheDocumentedWay) {
  // (b) Less of anything is never faster; the thing that binds makes it slower.
  const double base = Microseconds(Request("tpu-v1", "mlp0"));
  EXPECT_GT(Microseconds(Request("tpu-v1", "mlp0", {{"weight_fifo.tiles", "1"}})), 1.08 * base);
  EXPECT_GT(Microseconds(Request("tpu-v1", "cnn0", {{"array.weight_double_buffer", "false"}})),
            1.05 * Microseconds(Request("tpu-v1", "cnn0")));
  EXPECT_LT(Microseconds(Request("tpu-v1", "mlp0", {{"memory.channels", "8"}})), base / 2);
  const double gemm = Microseconds(Request("systolic-128x128", kGemm));
  EXPECT_GT(Microseconds(Request("systolic-128x128", kGemm, {{"unified_buffer.banks", "1"}})),
            1.02 * gemm);
  EXPECT_GT(Microseconds(Request("systolic-128x128", kGemm, {{"queues.issue", "400"}})), gemm);
  EXPECT_GT(
      Microseconds(Request("systolic-128x128", kGemm, {{"array.overlap_fill_drain", "false"}})),
      1.5 * gemm);
}

TEST(Chip, TwoBuffersHideCopies) {
  const char* const streamed = "gemm:m=256;n=8192;k=4096";
  const std::vector<Override> small = {{"unified_buffer.size", "4 MiB"}};
  std::vector<Override> one = small;
  one.emplace_back("mapping.buffers", "1");
  EXPECT_GT(Microseconds(Request("systolic-128x128", streamed, one)),
            1.15 * Microseconds(Request("systolic-128x128", streamed, small)));
}

TEST(Chip, CoresShareTheMemory) {
  // (c) Two cores with products of their own slow each other down; with four times the memory they
  // don't.
  const char* const one = "gemm:m=8;n=8192;k=8192";
  const char* const two = "gemm:batch=2;m=8;n=8192;k=8192";
  const Override single = {"cores", "1"}, wide = {"memory.channels", "256"};
  EXPECT_GT(Microseconds(Request("tpu-v4", two)),
            1.3 * Microseconds(Request("tpu-v4", one, {single})));
  EXPECT_LT(Microseconds(Request("tpu-v4", two, {wide})),
            1.15 * Microseconds(Request("tpu-v4", one, {single, wide})));
}

TEST(Chip, CoresShareColumnsWhereThatCopiesLess) {
  // Each weight comes once, to the core that needs it.
  const SimulationResult result = Simulate(Request("tpu-v4", "gemm:m=8;n=8192;k=8192"));
  for (const LevelRecord& level : result.record.levels) {
    if (level.name != "dram") continue;
    EXPECT_LT(level.read_bytes, 1.02 * 8192 * 8192 * 2);
  }
}

/// (e) The time that goes away with a resource made ideal is what was charged to its cause.
/// `request` may have other things changed already.
void ExpectIdealMatchesCharge(const SimulationRequest& request,
                              const std::vector<std::string>& resources,
                              const std::vector<Cause>& causes) {
  SimulationRequest without = request;
  without.ideal.insert(without.ideal.end(), resources.begin(), resources.end());
  const double base = Microseconds(request), ideal = Microseconds(without);
  const Metrics metrics = ComputeMetrics(Simulate(request));
  double charged = 0;
  for (const Cause cause : causes) {
    charged += metrics.cause_pct[static_cast<std::size_t>(cause)] / 100 * base;
  }
  EXPECT_GE(base - ideal, 0.5 * charged) << request.system << " " << resources[0];
  EXPECT_LE(base - ideal, 1.1 * charged + 0.002 * base) << request.system << " " << resources[0];
  EXPECT_GT(charged, 0.04 * base) << "little was charged, so little is tested";
}

TEST(Chip, IdealMemoryTakesAwayWhatMemoryWasCharged) {
  // Weight tiles that come late are pushed late: the pushes that can be seen are due to memory too.
  ExpectIdealMatchesCharge(Request("tpu-v1", "mlp0"), {"dram"},
                           {Cause::kMemoryBandwidth, Cause::kMemoryLatency, Cause::kFillDrain});
}
// Copies go through memory and DMA engines, so both are made ideal.
TEST(Chip, IdealMemoryTakesAwayWhatMemoryWasChargedWithoutAFifo) {
  ExpectIdealMatchesCharge(Request("tpu-v6e", "gemm:m=1024;n=8192;k=8192"), {"dram", "dma"},
                           {Cause::kMemoryBandwidth, Cause::kMemoryLatency});
}
TEST(Chip, IdealHostLinkTakesAwayWhatTheHostWasCharged) {
  ExpectIdealMatchesCharge(Request("tpu-v1", "mlp1"), {"host_link"}, {Cause::kCommunication});
}
TEST(Chip, IdealLaunchTakesAwayWhatLaunchWasCharged) {
  ExpectIdealMatchesCharge(Request("edge-tpu", "mobilenet_v2"), {"launch"}, {Cause::kLaunch});
}
TEST(Chip, IdealSynchronisationTakesAwayWhatItWasCharged) {
  ExpectIdealMatchesCharge(Request("tpu-v1", "cnn0"), {"synchronisation"},
                           {Cause::kSynchronisation});
}

TEST(Chip, IdealVectorUnitTakesAwayWhatItWasCharged) {
  ExpectIdealMatchesCharge(Request("tpu-v4", "mobilenet_v2"), {"vector"}, {Cause::kDependency});
}
TEST(Chip, IdealScratchpadTakesAwayWhatPortsWereCharged) {
  ExpectIdealMatchesCharge(Request("tpu-v6e", "resnet50", {{"unified_buffer.banks", "4"}}),
                           {"scratchpad"}, {Cause::kOperand});
}
// Activations that don't fit the scratchpads go to the shared memory.
TEST(Chip, IdealSharedMemoryTakesAwayWhatItWasCharged) {
  ExpectIdealMatchesCharge(
      Request("tpu-v4", "resnet50",
              {{"unified_buffer.size", "2 MiB"}, {"shared_memory.bandwidth", "400 GB/s"}},
              {"dram", "dma"}),
      {"shared_memory"}, {Cause::kMemoryBandwidth, Cause::kMemoryLatency});
}
TEST(Chip, IdealMemoryTakesAwayWhatAFullQueueHeldUp) {
  ExpectIdealMatchesCharge(Request("tpu-v5e", "vgg16"), {"dram", "dma"},
                           {Cause::kMemoryBandwidth, Cause::kMemoryLatency});
}

TEST(Chip, TimesSumToTheWholeOnEveryUnit) {
  for (const char* system : {"tpu-v4"}) {
    const SimulationResult result = Simulate(Request(system, "mobilenet_v2"));
    CheckRecord(result);  // throws where a unit's causes do not sum to the total
    Tick operators = 0;
    for (const OperatorRecord& op : result.record.operators) operators += op.exclusive;
    EXPECT_NEAR(static_cast<double>(operators), static_cast<double>(result.record.total),
                0.02 * static_cast<double>(result.record.total));
  }
}

TEST(Chip, TheSameInputGivesTheSameTime) {
  const SimulationRequest request = Request("tpu-v4", "mobilenet_v2");
  EXPECT_DOUBLE_EQ(Microseconds(request), Microseconds(request));
}

TEST(Chip, BytesThroughMemoryAreAtLeastTheWeights) {
  const SimulationResult result = Simulate(Request("tpu-v4", "resnet18"));
  std::int64_t read = 0;
  for (const LevelRecord& level : result.record.levels) {
    if (level.name == "dram") read = level.read_bytes;
  }
  EXPECT_GE(read, result.program.weight_bytes);
}

TEST(Chip, SixteenBitOperandsHalveAndQuarterTheRate) {
  // TPU v1: half speed with one 16-bit operand, a quarter with two (ISCA 2017, section 2).
  const auto cycles = [](const std::string& dtype) {
    SimulationRequest request =
        Request("tpu-v1", "cnn0", {}, {"dram", "host_link", "synchronisation"});
    std::get<WorkloadRequest>(request.work).dtype = dtype;
    return Microseconds(request);
  };
  const double eight = cycles("int8");
  EXPECT_NEAR(cycles("int8xint16") / eight, 2, 0.1);
  EXPECT_NEAR(cycles("int16") / eight, 4, 0.2);
}

TEST(Chip, DepthwiseUsesTheArrayWorseThanDense) {
  const auto utilization = [](const std::string& group) {
    SimulationRequest request =
        Request("systolic-128x128",
                "conv2d:n=1;c=128;h=28;w=28;out_c=128;kh=3;kw=3;pad_h=1;pad_w=1;group=" + group);
    const double us = Microseconds(request);
    const Program program = CompileRequest(request, MachineOf(request));
    return program.NominalFlops() / us;
  };
  EXPECT_GT(utilization("1"), 8 * utilization("128"));
}

}  // namespace
}  // namespace siliscope
