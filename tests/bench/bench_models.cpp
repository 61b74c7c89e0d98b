// SPDX-License-Identifier: Apache-2.0
// Rates of the hot paths: processing elements stepped, events run, DRAM stretches served, warp
// instructions issued.
#include <benchmark/benchmark.h>

#include <systemc>

#include "models/gpu/cta_cost.h"
#include "models/gpu/occupancy.h"
#include "models/memory/dram_channel.h"
#include "models/npu/systolic_cycle.h"
#include "sim/config/machine_loader.h"
#include "sim/contract/compiler.h"
#include "sim/contract/system_model.h"
#include "sim/core/event_queue.h"

namespace siliscope {
namespace {

void SystolicCycleZoom(benchmark::State& state) {
  SystolicArraySpec spec;
  spec.rows = spec.columns = state.range(0);
  SystolicCycle array(spec);
  constexpr std::int64_t kLength = 1024;
  const std::vector<float> stationary(static_cast<std::size_t>(spec.rows * spec.columns), 1);
  const std::vector<float> streamed(static_cast<std::size_t>(kLength * spec.rows), 1);
  for (auto _ : state) {
    if (array.CanPush()) array.Push(stationary);
    if (array.CanStream(false)) array.Stream(kLength, streamed);
    array.Step();
    array.TakeFinished();
  }
  state.SetItemsProcessed(state.iterations() * spec.rows * spec.columns);
}
BENCHMARK(SystolicCycleZoom)->Arg(32)->Arg(128)->Arg(256);

void Again(void* queue, std::uint64_t step) {
  auto* q = static_cast<EventQueue*>(queue);
  q->Schedule(q->now() + step, &Again, q, step);
}

void EventQueueRate(benchmark::State& state) {
  EventQueue queue;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    queue.Schedule(0, &Again, &queue, static_cast<std::uint64_t>(i % 97 + 3));
  }
  Tick until = 0;
  for (auto _ : state) queue.RunUntil(++until);
  state.SetItemsProcessed(static_cast<std::int64_t>(queue.events_run()));
}
BENCHMARK(EventQueueRate)->Arg(16)->Arg(256)->Arg(4096);

void DramStream(benchmark::State& state) {
  const DramTiming timing = LoadMachine("tpu-v1", {{"memory.kind", "hbm2-2000"}}).memory.timing;
  DramChannel channel(timing);
  std::int64_t at = 0;
  for (auto _ : state) {
    channel.Access(0, at, 512, false);
    at += 512;
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * 512);
}
BENCHMARK(DramStream);

/// Warp instructions a second of an SM at cycle zoom: the kernel that a product takes.
void SmCycleZoom(benchmark::State& state, const char* chip, const char* dtype) {
  const MachineSpec machine = LoadMachine(chip, {});
  const Compiler& compiler = *CompilerRegistry::Instance().Get("compiler", "network")();
  const auto cost = SystemModelRegistry::Instance().Get("kind", "gpu").make_tile_cost(machine);
  OperatorRequest request{"gemm", {{"m", "4096"}, {"n", "4096"}, {"k", "4096"}}, dtype, "", ""};
  const Program program = compiler.CompileOperator(request, machine, *cost);
  const GpuKernel& kernel = program.gpu.kernels.front();
  const std::int64_t resident = OccupancyOf(machine.gpu.sm, kernel).ctas;
  std::uint64_t instructions = 0;
  for (auto _ : state) instructions += MeasureCta(machine.gpu, kernel, resident).instructions;
  state.SetItemsProcessed(static_cast<std::int64_t>(instructions));
}
BENCHMARK_CAPTURE(SmCycleZoom, tensor_cores, "a100-sxm-80gb", "bf16");
BENCHMARK_CAPTURE(SmCycleZoom, warp_groups, "h100-sxm-80gb", "bf16");
BENCHMARK_CAPTURE(SmCycleZoom, pipes, "v100-pcie-32gb", "fp32");

}  // namespace
}  // namespace siliscope

int sc_main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
