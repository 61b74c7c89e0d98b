// SPDX-License-Identifier: Apache-2.0
#include "models/npu/vector_unit.h"

#include <algorithm>
#include <cmath>

namespace siliscope {

double VectorCycles(const VectorUnitSpec& spec, const VectorWork& work, std::int64_t rows,
                    std::int64_t columns) {
  const auto up = [](std::int64_t a, std::int64_t b) {
    const std::int64_t whole = (a + b - 1) / b;
    return static_cast<double>(whole);
  };
  const double positions = up(rows, spec.sublanes) * up(columns, spec.lanes);
  double cycles_per_position = 0;
  for (const auto& [name, times] : work.functions) {
    const auto it = spec.function_cycles.find(name);
    cycles_per_position += (it == spec.function_cycles.end() ? 1.0 : it->second) * times;
  }
  double cycles = positions * cycles_per_position / static_cast<double>(spec.alus);
  if (work.reductions > 0) {
    // Inside a lane the reduction is one of the functions; across lanes it is a tree, once a row.
    const double steps = std::ceil(
        std::log2(static_cast<double>(std::max<std::int64_t>(2, std::min(columns, spec.lanes)))));
    cycles += work.reductions * up(rows, spec.sublanes) * steps / static_cast<double>(spec.alus);
  }
  if (work.transpose) {
    cycles = std::max(cycles, static_cast<double>(rows) * up(columns, spec.lanes) /
                                  static_cast<double>(spec.transpose_rows_per_cycle));
  }
  const double elements = positions * static_cast<double>(spec.lanes * spec.sublanes);
  if (spec.load_bytes_per_cycle > 0) {
    cycles = std::max(cycles, elements * work.load_bytes_per_element /
                                  static_cast<double>(spec.load_bytes_per_cycle));
  }
  if (spec.store_bytes_per_cycle > 0) {
    cycles = std::max(cycles, elements * work.store_bytes_per_element /
                                  static_cast<double>(spec.store_bytes_per_cycle));
  }
  return std::ceil(cycles);
}

VectorUnit::VectorUnit(const sc_core::sc_module_name& name, const VectorUnitSpec& spec, Clock clock,
                       bool ideal)
    : sc_core::sc_module(name), spec_(spec), clock_(clock), ideal_(ideal) {}

VectorUnit::Times VectorUnit::Execute(Tick now, const VectorWork& work, std::int64_t rows,
                                      std::int64_t columns) {
  const double elements = static_cast<double>(rows) * static_cast<double>(columns);
  for (const auto& [name, times] : work.functions) operations_ += elements * times;
  if (ideal_) return {now, now, now, 0};
  Tick duration = clock_.Cycles(VectorCycles(spec_, work, rows, columns));
  const Tick ports_end =
      operands->Access(now, static_cast<std::int64_t>(elements * work.load_bytes_per_element),
                       static_cast<std::int64_t>(elements * work.store_bytes_per_element));
  const Tick unstalled = duration;
  if (ports_end > now + duration) duration = ports_end - now;
  const Tick start = busy_.Reserve(now, duration);
  const Tick end = start + duration;
  const double stalled = static_cast<double>(duration - unstalled);
  const Tick complete = end + clock_.Cycles(static_cast<std::uint64_t>(spec_.latency_cycles));
  return {start, end, complete, duration > 0 ? stalled / static_cast<double>(duration) : 0};
}

}  // namespace siliscope
