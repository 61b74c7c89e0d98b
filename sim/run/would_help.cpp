// SPDX-License-Identifier: Apache-2.0
#include "sim/run/would_help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "sim/run/metrics.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

struct Variant {
  std::string text;
  std::vector<Override> overrides;
  std::int64_t batch_factor = 1;
};

std::vector<Variant> GpuVariants(const MachineSpec& machine) {
  return {
      {"memory x2", {{"memory.channels", std::to_string(machine.memory.channels * 2)}}},
      {"SMs x2",
       {{"sms", std::to_string(machine.gpu.sms * 2)},
        {"gpcs", std::to_string(machine.gpu.gpcs * 2)}}},
      {"launch x0.5", {{"launch.graph", fmt::format("{} us", machine.gpu.launch.graph_s * 0.5e6)}}},
      {"batch x4", {}, 4}};
}

std::vector<Variant> VariantsOf(const MachineSpec& machine) {
  const SystolicArraySpec& array = machine.npu.array;
  std::vector<Variant> variants;
  if (machine.kind == "gpu") return GpuVariants(machine);
  if (array.rows >= 8 && array.columns >= 8 && array.rows % 2 == 0 && array.columns % 2 == 0) {
    variants.push_back(
        {fmt::format("array {}x{} x{}", array.rows / 2, array.columns / 2, array.count * 4),
         {{"array.rows", std::to_string(array.rows / 2)},
          {"array.columns", std::to_string(array.columns / 2)},
          {"array.count", std::to_string(array.count * 4)}}});
  }
  if (!machine.memory.ideal()) {
    variants.push_back(
        {"memory x2", {{"memory.channels", std::to_string(machine.memory.channels * 2)}}});
  }
  if (machine.npu.host_link.bandwidth_bytes_per_s > 0) {
    variants.push_back(
        {"host link x2",
         {{"host_link.bandwidth",
           fmt::format("{} GB/s", machine.npu.host_link.bandwidth_bytes_per_s * 2 / 1e9)}}});
  }
  variants.push_back(
      {"vector unit x2", {{"vector_unit.alus", std::to_string(machine.npu.vector.alus * 2)}}});
  variants.push_back({"batch x4", {}, 4});
  return variants;
}

/// What a worker hands back: samples a second, time, peak, shares of causes.
std::string Numbers(const Metrics& m) {
  std::string text = fmt::format("{} {} {}", m.samples_per_s, m.time_us, m.peak_tops);
  for (const double share : m.cause_pct) text += fmt::format(" {}", share);
  return text;
}

Baseline ReadBaseline(const std::string& numbers) {
  std::istringstream in(numbers);
  Baseline baseline;
  double samples_per_s = 0;
  in >> samples_per_s >> baseline.time_us >> baseline.peak_tops;
  for (double& share : baseline.cause_pct) in >> share;
  return baseline;
}

Remedy RemedyOf(const Variant& variant, double samples_per_s, std::int64_t batch) {
  Remedy remedy{variant.text, samples_per_s, {}};
  for (const auto& [key, value] : variant.overrides) {
    remedy.options.push_back(fmt::format("--set '{}={}'", key, value));
  }
  if (variant.batch_factor > 1) {
    remedy.text = "batch " + std::to_string(batch * variant.batch_factor);
    remedy.options.push_back("--batch " + std::to_string(batch * variant.batch_factor));
  }
  return remedy;
}

}  // namespace

Advice SimulateAdvice(const SimulationRequest& request) {
  const MachineSpec machine = MachineOf(request);
  const auto* workload = std::get_if<WorkloadRequest>(&request.work);
  if (workload == nullptr) return {};
  const std::int64_t batch = std::max<std::int64_t>(
      1, workload->batch > 0 ? workload->batch : CompileRequest(request, machine).batch);
  const std::vector<Variant> variants = VariantsOf(machine);
  const bool changed = !request.overrides.empty() || !request.ideal.empty();
  const auto jobs = RunJobs(
      variants.size() + (changed ? 1 : 0),
      [&](std::size_t i) {
        SimulationRequest variant = request;
        variant.options = {};
        if (i == variants.size()) {
          variant.overrides.clear();
          variant.ideal.clear();
          return Numbers(ComputeMetrics(Simulate(variant)));
        }
        for (const Override& o : variants[i].overrides) variant.overrides.push_back(o);
        auto& work = std::get<WorkloadRequest>(variant.work);
        if (variants[i].batch_factor > 1) work.batch = batch * variants[i].batch_factor;
        return Numbers(ComputeMetrics(Simulate(variant)));
      },
      [](std::size_t) {});
  Advice advice;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    if (jobs[i].exit_code != 0) continue;  // does not fit, or can't be rewritten: no remedy
    const double samples_per_s = std::strtod(jobs[i].output.c_str(), nullptr);
    advice.remedies.push_back(RemedyOf(variants[i], samples_per_s, batch));
  }
  if (changed && jobs.back().exit_code == 0) advice.baseline = ReadBaseline(jobs.back().output);
  return advice;
}

}  // namespace siliscope
