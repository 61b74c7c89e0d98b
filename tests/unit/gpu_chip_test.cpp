// SPDX-License-Identifier: Apache-2.0
// Whole GPUs on small work: effects must come from simulated pipes, rings, caches and channels.
#include <gtest/gtest.h>

#include "sim/run/metrics.h"
#include "tests/unit/simulate.h"

namespace siliscope {
namespace {

const char* const kA100 = "a100-sxm-80gb";
const char* const kH100 = "h100-sxm-80gb";

std::string Gemm(int m, int n, int k) {
  return "gemm:m=" + std::to_string(m) + ";n=" + std::to_string(n) + ";k=" + std::to_string(k);
}

TEST(Gpu, PublishedPeaksAreMet) {
  // Each at its own clock, within 1% (the vendor's white papers and data sheets).
  int chips = 0;
  for (const std::string& name : ListMachines()) {
    const MachineSpec machine = LoadMachine(name, {});
    if (machine.kind != "gpu") continue;
    ++chips;
    EXPECT_FALSE(machine.peaks.empty()) << name;
    for (const auto& [type, peak] : machine.peaks) {
      const double computed =
          ComputedPeakOperations(machine, type) * peak.clock_hz / machine.clock_hz;
      EXPECT_NEAR(computed / peak.operations_per_s, 1, 0.01) << name << " " << type;
    }
  }
  EXPECT_EQ(chips, 11);
}

TEST(Gpu, LabelsDoNotMatter) {
  // (a) A program with its labels removed takes exactly the same time.
  const SimulationRequest request = Request(kA100, "resnet18");
  const double labelled = Microseconds(request);
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  for (OperatorInfo& op : program.operators) op = OperatorInfo{};
  program.workload.clear();
  for (GpuKernel& kernel : program.gpu.kernels) kernel.name = kernel.tile = "";
  for (GpuTensor& tensor : program.gpu.tensors) tensor.name.clear();
  const auto model = SystemModelRegistry::Instance().Get("kind", machine.kind).make_model(machine);
  EXPECT_DOUBLE_EQ(ToMicroseconds(model->Run(program, {}).total), labelled);
}

TEST(Gpu, PerturbedStructureMovesTimesTheDocumentedWay) {
  // (b) What binds makes it slower, in proportion; what does not bind hardly matters.
  const char* stream = "elementwise:rows=4096;cols=8192";
  const double base = Microseconds(Request(kA100, stream));
  EXPECT_NEAR(Microseconds(Request(kA100, stream, {{"memory.channels", "40"}})) / base, 2, 0.25);
  const double gemm = Microseconds(Request(kA100, Gemm(2048, 4096, 2048)));
  EXPECT_GT(Microseconds(Request(kA100, Gemm(2048, 4096, 2048), {{"sms", "54"}, {"gpcs", "4"}})),
            1.5 * gemm);
  EXPECT_GT(Microseconds(Request(kA100, Gemm(2048, 4096, 2048), {{"l2.slices", "16"}})),
            1.5 * gemm);
  EXPECT_GT(
      Microseconds(Request(kA100, Gemm(2048, 4096, 2048), {{"sm.shared_memory.banks", "16"}})),
      1.2 * gemm);
  // Writes that are gathered in seventh parts turn the channels around seven times as often.
  EXPECT_GT(Microseconds(Request(kA100, stream, {{"memory.write_batch", "1 KiB"}})), 1.25 * base);
}

TEST(Gpu, NeighboursTakeTheirShareOfTheMemory) {
  // (c) What streams has to leave bandwidth to them, what computes has not; nothing hangs.
  const char* stream = "elementwise:rows=4096;cols=8192";
  const std::vector<Override> beside = {{"neighbour.read", "400 GB/s"}};
  const double share = 400.0 / 2039;
  const double slower =
      Microseconds(Request(kA100, stream, beside)) / Microseconds(Request(kA100, stream));
  EXPECT_GT(slower, 1 / (1 - 0.5 * share));
  EXPECT_LT(slower, 1 / (1 - 2 * share));
  EXPECT_GT(Microseconds(Request(kA100, stream, {{"neighbour.read", "90 TB/s"}})),
            Microseconds(Request(kA100, stream, beside)));
  const std::string gemm = Gemm(2048, 2048, 2048);
  EXPECT_LT(Microseconds(Request(kA100, gemm, beside)) / Microseconds(Request(kA100, gemm)), 1.05);
}

TEST(Gpu, LongLoopsTakeTheTimeOfTheirSteps) {
  // Steps that repeat each other are skipped; their time, bytes and products count all the same.
  const std::vector<Override> locked = {{"lock_clock", "1410 MHz"}};
  const auto run = [&](int k) { return Microseconds(Request(kA100, Gemm(13824, 256, k), locked)); };
  const double first = run(4096);
  for (const int k : {8192, 16384}) {
    // A step of 64 in k of a tile of 256 x 128 takes the Tensor Cores 2048 cycles.
    const double pipes_us = (k - 4096) / 64 * 2048 / 1410.0;
    EXPECT_GT(run(k) - first, pipes_us);
    EXPECT_LT(run(k) - first, 1.05 * pipes_us);
  }
}

TEST(Gpu, SkippedStepsMoveTheirBytesAndNoOthers) {
  const auto bytes = [](int m, int n, bool written) {
    return InChild([&] {
      const SimulationResult result = Simulate(Request(kA100, Gemm(m, n, 16384)));
      double sum = 0;
      for (const OperatorRecord& op : result.record.operators) {
        sum += static_cast<double>(written ? op.dram_write_bytes : op.dram_read_bytes);
      }
      return sum;
    });
  };
  EXPECT_EQ(bytes(13824, 256, true), 2.0 * 13824 * 256);  // the result once, of 16 bits
  EXPECT_NEAR(bytes(13824, 256, false) / (2.0 * (13824 + 256) * 16384), 1, 0.01);
}

TEST(Gpu, MultiprocessorsWithoutWorkDoNotCompute) {
  // Fewer tiles than there are SMs, most of whose steps are skipped.
  const double idle = InChild([] {
    const SimulationResult result = Simulate(Request(kA100, Gemm(1024, 1024, 16384)));
    double most = -1;  // no SM is idle
    for (const UnitRecord& unit : result.record.units) {
      if (unit.flops > 0 || unit.kind != "sm") continue;
      most = std::max(most, ToMicroseconds(unit.times[static_cast<std::size_t>(Cause::kCompute)]));
    }
    return most;
  });
  EXPECT_GE(idle, 0);
  EXPECT_LT(idle, 5);
}

TEST(Gpu, WavesAreWhole) {
  // One tile more than there are SMs takes a second wave (NVIDIA, "Matrix Multiplication Background
  // User's Guide", wave quantisation).
  const MachineSpec machine = LoadMachine(kA100, {});
  const std::string more = "gemm:m=14080;n=256;k=8192";  // 55 x 2 = 110 tiles: two waves on 108 SMs
  const std::string full = "gemm:m=13824;n=256;k=8192";  // 54 x 2 = 108 tiles: one wave
  ASSERT_EQ(machine.gpu.sms, 108);
  const std::vector<Override> locked = {{"lock_clock", "1410 MHz"}};
  const double full_us = Microseconds(Request(kA100, full, locked));
  // 128 steps of 64 in k, 2048 cycles each, and what comes before and after.
  EXPECT_GT(full_us, 128 * 2048 / 1410.0);
  EXPECT_LT(full_us, 1.15 * 128 * 2048 / 1410.0);
  EXPECT_GT(Microseconds(Request(kA100, more, locked)), 1.3 * full_us);
}

double ProgramMicroseconds(const MachineSpec& machine, const Program& program) {
  return InChild([&] {
    const auto model =
        SystemModelRegistry::Instance().Get("kind", machine.kind).make_model(machine);
    return ToMicroseconds(model->Run(program, {}).total);
  });
}

TEST(Gpu, MulticastSparesTheL2) {
  // Hopper's clusters fetch an operand that their CTAs share once. Where the way from L2 is narrow,
  // the same kernel without clusters is slower.
  const SimulationRequest request =
      Request(kH100, Gemm(4096, 4096, 4096), {{"l2.gpc_port", "200 B/cycle"}});
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  GpuKernel& kernel = program.gpu.kernels.front();
  ASSERT_GT(kernel.cluster_rows * kernel.cluster_columns, 1);
  const double with = ProgramMicroseconds(machine, program);
  kernel.cluster_rows = kernel.cluster_columns = 1;
  for (OperandStream& s : kernel.streams) {
    s.shared_by_cluster_rows = s.shared_by_cluster_columns = false;
  }
  EXPECT_GT(ProgramMicroseconds(machine, program), 1.3 * with);
}

TEST(Gpu, AProductThatLacksAnInstructionIsFound) {
  // At cycle zoom, results of Tensor Cores are those of the instructions that were executed.
  const SimulationRequest request = Request(kA100, Gemm(256, 256, 256));
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  SimulationOptions options;
  options.zoom.units = {"sms"};
  // The results that were compared, or -1 where one of them is wrong.
  const auto compared = [&] {
    return InChild([&] {
      const auto model =
          SystemModelRegistry::Instance().Get("kind", machine.kind).make_model(machine);
      try {
        return static_cast<double>(model->Run(program, options).zooms.at(0).checked);
      } catch (const std::exception& error) {
        EXPECT_NE(std::string(error.what()).find("multiplied 192 elements"), std::string::npos);
        return -1.0;
      }
    });
  };
  GpuKernel& kernel = program.gpu.kernels.front();
  EXPECT_EQ(compared(), static_cast<double>(kernel.grid.Ctas()));
  for (WarpInstruction& in : kernel.roles.front().program.instructions) {
    if (in.op != WarpOpcode::kMma) continue;
    in.op = WarpOpcode::kInteger;
    break;
  }
  EXPECT_EQ(compared(), -1);
}

TEST(Gpu, IdealResourcesGiveBackWhatWasCharged) {
  // (e) At least half, and not more than 1.1 times.
  const auto charged = [](const SimulationRequest& request, Cause cause) {
    const SimulationResult result = Simulate(request);
    const Metrics m = ComputeMetrics(result);
    return m.time_us * m.cause_pct[static_cast<std::size_t>(cause)] / 100;
  };
  const SimulationRequest small = Request(kA100, "mobilenet_v2");
  const double gone =
      Microseconds(small) - Microseconds(Request(kA100, "mobilenet_v2", {}, {"launch"}));
  const double launch = charged(small, Cause::kLaunch);
  EXPECT_GT(gone, 0.5 * launch);
  EXPECT_LT(gone, 1.1 * launch);
}

TEST(Gpu, CopiesRunAtWhatPacketsLeaveOfTheLink) {
  // PCIe 4.0 x16: 31.5 GB/s each way, of which 128 of 156 bytes of a packet are data. Measured on
  // A100: about 25 GB/s from pinned memory (NVIDIA bandwidthTest).
  const double large = Microseconds(Request(kA100, "host_copy:bytes=268435456"));
  EXPECT_NEAR(268435456 / large / 1e3, 31.51 * 128 / 156, 0.02 * 25.9);
  // A small one is all latency and set-up.
  const double small = Microseconds(Request(kA100, "host_copy:bytes=4096"));
  EXPECT_GT(small, 2);
  EXPECT_LT(small, 6);
  const double given =
      GivenBack(Request(kA100, "host_copy:bytes=16777216"), "host_link", {Cause::kCommunication});
  EXPECT_GT(given, 0.5);
  EXPECT_LT(given, 1.1);
}

TEST(Gpu, CopiesShareTheLinkOneWayButNotBothWays) {
  // (c) Each direction of the link is its own; two copies the same way halve it.
  const SimulationRequest request = Request(kA100, "host_copy:bytes=67108864");
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  const double alone = ProgramMicroseconds(machine, program);
  program.gpu.launches.push_back(program.gpu.launches.front());
  program.gpu.launches.back().stream = 1;
  EXPECT_NEAR(ProgramMicroseconds(machine, program) / alone, 2, 0.1);
  program.gpu.kernels.push_back(program.gpu.kernels.front());
  program.gpu.kernels.back().host_copy = HostCopy::kFromChip;
  program.gpu.launches.back().kernel = 1;
  EXPECT_NEAR(ProgramMicroseconds(machine, program) / alone, 1, 0.1);
}

TEST(Gpu, SumsOfAClusterNeedNoRoundTripThroughMemory) {
  // Hopper whitepaper, "Distributed shared memory": CTAs of a cluster read each other's shared
  // memory. A split product is added up there instead of by a second kernel; the network's latency
  // is seen, but only once.
  const auto time = [](std::vector<Override> overrides) {
    return Microseconds(Request(kH100, Gemm(256, 256, 8192), std::move(overrides)));
  };
  const Override cluster = {"kernel_library.cluster_split", "true"};
  const double with = time({cluster});
  EXPECT_LT(with, time({}));
  const double slow = time({cluster, {"sm.peer_latency", "1180"}});
  EXPECT_GT(slow - with, 0.5 * 1000 / 1755.0);
  EXPECT_LT(slow - with, 3 * 1000 / 1755.0);
}

TEST(Gpu, AtomicsOnOneAddressFollowEachOther) {
  // One operation a cycle on an address, whoever asks; on addresses of their own threads wait for
  // the latency alone.
  const auto time = [](const char* chip, const char* addresses, int ctas) {
    return Microseconds(Request(chip, std::string("atomic:rounds=64;threads=256;ctas=") +
                                          std::to_string(ctas) + ";addresses=" + addresses));
  };
  EXPECT_NEAR(time("v100-pcie-32gb", "own", 80), time("v100-pcie-32gb", "own", 1), 1);
  EXPECT_NEAR(time("v100-pcie-32gb", "one", 80) * 1380 / (80 * 256 * 64), 1, 0.05);
  // An address has one home, also where the L2 has two partitions.
  EXPECT_NEAR(time(kA100, "one", 80) * 1410 / (80 * 256 * 64), 1, 0.05);
}

TEST(Gpu, TwoKernelsOfOneStreamRunInOrderTwoStreamsShare) {
  // (c) Programs that share the chip slow each other down, but less than one after the other where
  // each leaves SMs idle.
  const SimulationRequest request = Request(kA100, Gemm(512, 1024, 4096));
  const MachineSpec machine = MachineOf(request);
  Program program = CompileRequest(request, machine);
  const auto time = [&](const Program& p) { return ProgramMicroseconds(machine, p); };
  program.gpu.launches.resize(1);
  const double alone = time(program);
  program.gpu.launches.push_back(program.gpu.launches.front());
  const double in_order = time(program);
  program.gpu.launches.back().stream = 1;
  const double together = time(program);
  EXPECT_NEAR(in_order, 2 * alone, 0.1 * alone);
  EXPECT_GT(together, 1.05 * alone);
  EXPECT_LT(together, 0.98 * in_order);
}

}  // namespace
}  // namespace siliscope
