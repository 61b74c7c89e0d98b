// SPDX-License-Identifier: Apache-2.0
#include "sim/run/would_help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace siliscope {
namespace {

/// Of the time, that a change could save at most; a larger batch takes long to simulate.
constexpr double kLeastSavedPct = 5, kLeastSavedByBatchPct = 15;

struct Variant {
  std::string text;
  std::vector<Override> overrides;
  std::int64_t batch_factor = 1;
  std::vector<Cause> shortens{};  ///< none named: it may shorten any
};

/// What more SMs share among them.
const std::vector<Cause> kWorkOfSms = {Cause::kCompute,      Cause::kOperand,
                                       Cause::kDependency,   Cause::kFillDrain,
                                       Cause::kQuantisation, Cause::kSynchronisation};
const std::vector<Cause> kMemory = {Cause::kMemoryBandwidth, Cause::kMemoryLatency};
const std::vector<Cause> kOnceABatch = {Cause::kLaunch, Cause::kQuantisation, Cause::kFillDrain};

std::vector<Variant> GpuVariants(const MachineSpec& machine) {
  return {
      {"memory x2", {{"memory.channels", std::to_string(machine.memory.channels * 2)}}, 1, kMemory},
      {"SMs x2",
       {{"sms", std::to_string(machine.gpu.sms * 2)},
        {"gpcs", std::to_string(machine.gpu.gpcs * 2)}},
       1,
       kWorkOfSms},
      {"launch x0.5",
       {{"launch.graph", fmt::format("{} us", machine.gpu.launch.graph_s * 0.5e6)}},
       1,
       {Cause::kLaunch}},
      {"batch x4", {}, 4, kOnceABatch}};
}

std::vector<Variant> CpuVariants(const MachineSpec& machine) {
  std::vector<Variant> variants = {
      {"window x2",
       {{"core.reorder_window", std::to_string(machine.cpu.core.reorder_window * 2)},
        {"core.scheduler", std::to_string(machine.cpu.core.scheduler * 2)}},
       1,
       {Cause::kMemoryLatency, Cause::kDependency}}};
  if (machine.cpu.l2.size_bytes > 0) {
    variants.push_back(
        {"l2 x2", {{"l2.size", std::to_string(machine.cpu.l2.size_bytes * 2) + " B"}}, 1, kMemory});
  }
  return variants;
}

std::vector<Variant> VariantsOf(const MachineSpec& machine) {
  const SystolicArraySpec& array = machine.npu.array;
  std::vector<Variant> variants;
  if (machine.kind == "gpu") return GpuVariants(machine);
  if (machine.kind == "cpu") return CpuVariants(machine);
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

Remedy RemedyOf(const Variant& variant, double factor, std::int64_t batch) {
  Remedy remedy{variant.text, factor, {}};
  for (const auto& [key, value] : variant.overrides) {
    remedy.options.push_back(fmt::format("--set '{}={}'", key, value));
  }
  if (variant.batch_factor > 1) {
    remedy.text = "batch " + std::to_string(batch * variant.batch_factor);
    remedy.options.push_back("--batch " + std::to_string(batch * variant.batch_factor));
  }
  return remedy;
}

/// Where each weight is used for long enough, more samples don't save memory either.
bool CanHelp(const Variant& variant, const Metrics& metrics) {
  if (variant.shortens.empty()) return true;
  double share = 0;
  for (const Cause cause : variant.shortens) {
    share += metrics.cause_pct[static_cast<std::size_t>(cause)];
  }
  if (variant.batch_factor == 1) return share / 2 >= kLeastSavedPct;  // twice of a resource
  if (metrics.macs_per_weight_byte < metrics.ridge_macs_per_byte) {
    for (const Cause cause : kMemory) share += metrics.cause_pct[static_cast<std::size_t>(cause)];
  }
  return share * (1 - 1.0 / static_cast<double>(variant.batch_factor)) >= kLeastSavedByBatchPct;
}

/// The request of a variant, or of the chip as it is where `variant` is none.
SimulationRequest RequestOf(const SimulationRequest& request, const Variant* variant,
                            std::int64_t batch) {
  SimulationRequest changed = request;
  changed.options = {};
  if (variant == nullptr) {
    changed.overrides.clear();
    changed.ideal.clear();
    return changed;
  }
  for (const Override& o : variant->overrides) changed.overrides.push_back(o);
  if (variant->batch_factor > 1) {
    std::get<WorkloadRequest>(changed.work).batch = batch * variant->batch_factor;
  }
  return changed;
}

}  // namespace

Advisor::Advisor(const SimulationRequest& request)
    : machine_(MachineOf(request)),
      changed_(!request.overrides.empty() || !request.ideal.empty()),
      job_([request, this](const std::string& input) { return SimulateVariants(request, input); }) {
}

/// In the process of its own: `input` is the batch and the variants' indices, the answer a line of
/// numbers for each, empty where it can't run.
std::string Advisor::SimulateVariants(const SimulationRequest& request,
                                      const std::string& input) const {
  std::istringstream in(input);
  std::int64_t batch = 1;
  in >> batch;
  std::vector<std::size_t> chosen;
  for (std::size_t index = 0; in >> index;) chosen.push_back(index);
  const std::vector<Variant> variants = VariantsOf(machine_);
  const auto jobs = RunJobs(
      chosen.size(),
      [&](std::size_t i) {
        const Variant* variant = chosen[i] < variants.size() ? &variants[chosen[i]] : nullptr;
        return Numbers(ComputeMetrics(Simulate(RequestOf(request, variant, batch))));
      },
      [](std::size_t) {});
  std::string text;
  for (const JobResult& job : jobs) text += (job.exit_code == 0 ? job.output : "") + "\n";
  return text;
}

Advice Advisor::Advise(std::int64_t batch, const Metrics& metrics) {
  const std::vector<Variant> variants = VariantsOf(machine_);
  std::vector<std::size_t> chosen;
  std::string input = std::to_string(batch);
  for (std::size_t i = 0; i < variants.size() + (changed_ ? 1 : 0); ++i) {
    if (i < variants.size() && !CanHelp(variants[i], metrics)) continue;
    chosen.push_back(i);
    input += fmt::format(" {}", i);
  }
  Advice advice;
  if (chosen.empty()) return advice;
  std::istringstream answer(job_.Run(input).output);
  std::string numbers;
  for (const std::size_t i : chosen) {
    if (!std::getline(answer, numbers) || numbers.empty()) continue;  // can't run: no remedy
    if (i == variants.size()) {
      advice.baseline = ReadBaseline(numbers);
    } else {
      const double samples_per_s = std::strtod(numbers.c_str(), nullptr);
      const double own = metrics.samples_per_s;
      advice.remedies.push_back(RemedyOf(variants[i], own > 0 ? samples_per_s / own : 0, batch));
    }
  }
  return advice;
}

}  // namespace siliscope
