// SPDX-License-Identifier: Apache-2.0
#include "sim/run/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/core/error.h"

namespace siliscope {

const std::vector<MetricMeaning>& MetricMeanings() {
  static const std::vector<MetricMeaning> kMeanings = {
      {"time_us", "simulated time from the start of the program to its last result, microseconds"},
      {"samples_per_s", "batch / time: images, sequences or rows a second"},
      {"nominal_tops", "nominal operations (2 a multiply-accumulate) / time, 10^12 a second"},
      {"peak_tops", "published dense peak of the chip in the data type that ran, 10^12 a second"},
      {"compute_util_pct", "nominal_tops / peak_tops, percent"},
      {"array_active_pct",
       "share of time in which rows stream through the arrays, tile edges "
       "included, percent"},
      {"dram_gb_per_s", "bytes through the off-chip memory / time, 10^9 a second"},
      {"macs_per_weight_byte",
       "multiply-accumulates / bytes of weights: how often a weight is used"},
      {"ridge_macs_per_byte",
       "peak multiply-accumulates a second / peak bytes a second of memory: "
       "below it a network is bound by memory"},
      {"roofline_us",
       "max(nominal operations / published peak, compulsory bytes / memory peak), "
       "microseconds: no mapping, no latency, perfect overlap"},
      {"bound", "what most of the time went to: compute, or the largest cause of waiting"},
      {"array_util_pct",
       "multiply-accumulates that counted / those the arrays could have done in "
       "the operator's time, percent"},
      {"exclusive",
       "time_us of an operator: the time that passed on the arrays, busy or waiting, "
       "while it was this operator's turn; sums to the whole"},
      {"executed_flops", "2 x multiply-accumulates that the arrays did on elements that count"},
      {"intensity_flop_per_byte", "executed operations / bytes moved at a level of the memory"},
      {"mape_pct", "mean absolute percentage error of simulated against measured time"},
      {"bias_pct", "mean of simulated / measured - 1, percent: positive is too slow"}};
  return kMeanings;
}

double RooflineMicroseconds(const MachineSpec& machine, const std::string& dtype, double flops,
                            double compulsory_bytes) {
  const double peak = PeakOperations(machine, dtype);
  const double memory = machine.memory.PeakBytesPerSecond();
  const double compute_us = peak > 0 ? flops / peak * 1e6 : 0;
  const double memory_us = memory > 0 ? compulsory_bytes / memory * 1e6 : 0;
  return std::max(compute_us, memory_us);
}

std::vector<std::size_t> OperatorsByTime(const Record& record) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < record.operators.size(); ++i) {
    if (record.operators[i].exclusive > 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return record.operators[a].exclusive > record.operators[b].exclusive;
  });
  return order;
}

Cause BoundOf(const OperatorRecord& op) {
  Tick most = 0;
  Cause bound = Cause::kIdle;
  for (std::size_t c = 0; c < kCauses; ++c) {
    if (op.times[c] > most) {
      most = op.times[c];
      bound = static_cast<Cause>(c);
    }
  }
  return bound;
}

Metrics ComputeMetrics(const SimulationResult& result) {
  const Program& program = result.program;
  const Record& record = result.record;
  Metrics m;
  const double seconds = ToSeconds(record.total);
  m.time_us = ToMicroseconds(record.total);
  m.samples_per_s = seconds > 0 ? static_cast<double>(program.batch) / seconds : 0;
  const double flops = program.NominalFlops();
  m.nominal_tops = seconds > 0 ? flops / seconds / 1e12 : 0;
  m.peak_tops = PeakOperations(result.machine, program.dtype) / 1e12;
  m.compute_util_pct = m.peak_tops > 0 ? 100 * m.nominal_tops / m.peak_tops : 0;
  CauseTimes sum{};
  Tick all = 0;
  for (const UnitRecord& unit : record.units) {
    if (!unit.critical()) continue;
    for (std::size_t c = 0; c < kCauses; ++c) sum[c] += unit.times[c], all += unit.times[c];
  }
  std::size_t largest = 0;
  for (std::size_t c = 0; c < kCauses; ++c) {
    m.cause_pct[c] = all > 0 ? 100 * static_cast<double>(sum[c]) / static_cast<double>(all) : 0;
    if (sum[c] > sum[largest]) largest = c;
  }
  m.bound = static_cast<Cause>(largest);
  m.array_active_pct = m.cause_pct[static_cast<std::size_t>(Cause::kCompute)] +
                       m.cause_pct[static_cast<std::size_t>(Cause::kQuantisation)];
  double macs = 0;
  for (const OperatorInfo& op : program.operators) macs += op.macs;
  for (const LevelRecord& level : record.levels) {
    if (level.name != "dram") continue;
    m.dram_bytes = static_cast<double>(level.read_bytes + level.write_bytes);
    m.dram_gb_per_s = seconds > 0 ? m.dram_bytes / seconds / 1e9 : 0;
    m.dram_peak_gb_per_s = level.peak_bytes_per_s / 1e9;
  }
  m.macs_per_weight_byte =
      program.weight_bytes > 0 ? macs / static_cast<double>(program.weight_bytes) : 0;
  const double memory_peak = result.machine.memory.PeakBytesPerSecond();
  m.ridge_macs_per_byte = memory_peak > 0 ? m.peak_tops * 1e12 / 2 / memory_peak : 0;
  m.roofline_us = RooflineMicroseconds(result.machine, program.dtype, flops,
                                       static_cast<double>(program.compulsory_bytes));
  return m;
}

void CheckRecord(const SimulationResult& result) {
  const Record& record = result.record;
  for (const UnitRecord& unit : record.units) {
    Tick sum = 0;
    for (const Tick t : unit.times) sum += t;
    if (sum != record.total) {
      throw InternalError(
          fmt::format("the times of {} sum to {} ps of {} ps", unit.name, sum, record.total));
    }
    if (unit.critical() &&
        unit.flops > unit.peak_flops_per_s * ToSeconds(record.total) * 1.0001 + 1) {
      throw InternalError(unit.name + " did more operations than its peak allows");
    }
  }
  for (const LevelRecord& level : record.levels) {
    const double bytes = static_cast<double>(level.LimitingBytes());
    const bool ideal = result.machine.IsIdeal(level.name);
    if (!ideal && level.peak_bytes_per_s > 0 &&
        bytes > level.peak_bytes_per_s * ToSeconds(record.total) * 1.0001 + 4096) {
      throw InternalError(level.name + " moved more bytes than its peak allows");
    }
  }
}

nlohmann::ordered_json SummaryJson(const SimulationResult& result, const Metrics& m) {
  const Program& program = result.program;
  nlohmann::ordered_json json;
  json["workload"] = program.workload;
  json["system"] = result.machine.name;
  json["kind"] = result.machine.kind;
  json["batch"] = program.batch;
  json["dtype"] = program.dtype;
  json["chips"] = 1;
  json["time_us"] = m.time_us;
  json["samples_per_s"] = m.samples_per_s;
  json["nominal_flops"] = program.NominalFlops();
  json["nominal_tops"] = m.nominal_tops;
  json["peak_tops"] = m.peak_tops;
  json["compute_util_pct"] = m.compute_util_pct;
  json["array_active_pct"] = m.array_active_pct;
  for (std::size_t c = 0; c < kCauses; ++c) {
    const auto cause = static_cast<Cause>(c);
    const std::string name(CauseName(cause));
    json["array_time_pct"][name] = m.cause_pct[c];
    json["cause_words"][name] = CauseWords(cause, result.machine.kind);
  }
  json["bound"] = CauseName(m.bound);
  json["dram_bytes"] = m.dram_bytes;
  json["dram_gb_per_s"] = m.dram_gb_per_s;
  json["dram_peak_gb_per_s"] = m.dram_peak_gb_per_s;
  json["weight_bytes"] = program.weight_bytes;
  json["memory_bytes"] = program.memory_bytes;
  json["macs_per_weight_byte"] = m.macs_per_weight_byte;
  json["ridge_macs_per_byte"] = m.ridge_macs_per_byte;
  json["roofline_us"] = m.roofline_us;
  json["tdp_w"] = result.machine.tdp_w;
  json["power_w"] = result.record.average_power_w;
  const double ran = result.record.clock_hz;  // a chip whose clock never sags doesn't say
  json["clock_mhz"] = (ran > 0 ? ran : result.machine.clock_hz) / 1e6;
  json["events"] = result.record.events;
  json["notes"] = program.notes;
  return json;
}

}  // namespace siliscope
