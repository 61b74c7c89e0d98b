// SPDX-License-Identifier: Apache-2.0
#include "sim/run/would_help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "sim/run/metrics.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

struct Variant {
  std::string text;
  std::vector<Override> overrides;
  std::int64_t batch_factor = 1;
};

std::vector<Variant> VariantsOf(const MachineSpec& machine) {
  const SystolicArraySpec& array = machine.npu.array;
  std::vector<Variant> variants;
  if (array.rows >= 8 && array.columns >= 8 && array.rows % 2 == 0 && array.columns % 2 == 0) {
    variants.push_back({fmt::format("array {}x{} x{}", array.rows / 2, array.columns / 2, array.count * 4),
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

}  // namespace

std::vector<Remedy> SimulateRemedies(const SimulationRequest& request) {
  const auto* workload = std::get_if<WorkloadRequest>(&request.work);
  if (workload == nullptr) return {};
  const MachineSpec machine = MachineOf(request);
  const std::int64_t batch = std::max<std::int64_t>(
      1, workload->batch > 0 ? workload->batch : CompileRequest(request, machine).batch);
  const std::vector<Variant> variants = VariantsOf(machine);
  const auto jobs = RunJobs(
      variants.size(),
      [&](std::size_t i) {
        SimulationRequest changed = request;
        changed.options = {};
        for (const Override& o : variants[i].overrides) changed.overrides.push_back(o);
        auto& work = std::get<WorkloadRequest>(changed.work);
        if (variants[i].batch_factor > 1) work.batch = batch * variants[i].batch_factor;
        const SimulationResult result = Simulate(changed);
        return fmt::format("{}", ComputeMetrics(result).samples_per_s);
      },
      [](std::size_t) {});
  std::vector<Remedy> remedies;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    if (jobs[i].exit_code != 0) continue;  // does not fit, or can't be rewritten: no remedy
    Remedy remedy{variants[i].text, std::strtod(jobs[i].output.c_str(), nullptr), {}};
    for (const auto& [key, value] : variants[i].overrides) {
      remedy.options.push_back(fmt::format("--set '{}={}'", key, value));
    }
    if (variants[i].batch_factor > 1) {
      remedy.text = "batch " + std::to_string(batch * variants[i].batch_factor);
      remedy.options.push_back("--batch " + std::to_string(batch * variants[i].batch_factor));
    }
    remedies.push_back(std::move(remedy));
  }
  return remedies;
}

}  // namespace siliscope
