// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/summary_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "sim/core/quantity.h"

namespace siliscope {
namespace {

std::string TimeText(double us) { return Engineering(us * 1e-6, "s"); }

std::string Grouped(double value) {
  std::string digits = fmt::format("{:.0f}", value);
  for (std::ptrdiff_t at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::string CauseList(const Metrics& m, const std::string& kind) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < kCauses; ++c) {
    if (m.cause_pct[c] >= 0.5) order.push_back(c);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return m.cause_pct[a] > m.cause_pct[b]; });
  std::string text;
  for (const std::size_t c : order) {
    text += fmt::format("{}{} {:.0f}%", text.empty() ? "" : ", ",
                        CauseWords(static_cast<Cause>(c), kind), m.cause_pct[c]);
  }
  return text;
}

/// What stands out about one operator.
std::string OperatorNote(const SimulationResult& result, std::size_t index) {
  const OperatorRecord& r = result.record.operators[index];
  const OperatorInfo& op = result.program.operators[index];
  const double total = static_cast<double>(r.exclusive) *
                       std::max(1.0, static_cast<double>(result.record.critical_kind_units));
  const Cause bound = BoundOf(r);
  const double share =
      total > 0 ? 100 * static_cast<double>(r.times[static_cast<std::size_t>(bound)]) / total : 0;
  std::string note = fmt::format("{} {:.0f}% of it", CauseWords(bound, result.machine.kind), share);
  if (bound == Cause::kMemoryBandwidth && op.weight_bytes > 0) {
    note =
        fmt::format("weights {}, ", Engineering(static_cast<double>(op.weight_bytes), "B")) + note;
  }
  if (bound == Cause::kQuantisation) {
    // The shape of its tiles says why.
    for (const NpuCommand& command : result.program.npu.commands) {
      if (command.op != index || command.opcode != NpuOpcode::kMatmul) continue;
      note += fmt::format(": {} of {} rows and {} of {} columns of the array used", command.depth,
                          result.machine.npu.array.rows, command.width,
                          result.machine.npu.array.columns);
      break;
    }
  }
  return note;
}

/// " with array.rows=64, clock=1 GHz": what `--set` has changed.
std::string ChangesText(const std::vector<std::string>& changes) {
  std::string text;
  for (const std::string& change : changes) text += (text.empty() ? " with " : ", ") + change;
  return text;
}

/// The off-chip memory; or, where nothing goes through one, the link that the weights come over.
std::string MemoryLine(const SimulationResult& result, const Metrics& m) {
  const double intensity = m.macs_per_weight_byte;
  if (m.dram_peak_gb_per_s > 0) {
    const char* verdict = intensity <= 0                      ? ""
                          : intensity < m.ridge_macs_per_byte ? " (below: memory sets the limit)"
                          : result.machine.kind == "gpu"      ? " (above: the pipes set the limit)"
                          : result.machine.kind == "cpu"      ? " (above: the ports set the limit)"
                                                         : " (above: the arrays set the limit)";
    return fmt::format(
        "  memory       {:.3g} GB/s of {:.4g}  {:.0f}%   {} MAC/B of weights, ridge {}{}\n",
        m.dram_gb_per_s, m.dram_peak_gb_per_s, 100 * m.dram_gb_per_s / m.dram_peak_gb_per_s,
        Grouped(intensity), Grouped(m.ridge_macs_per_byte), verdict);
  }
  for (const LevelRecord& level : result.record.levels) {
    if (level.name != "host_link" || m.dram_bytes > 0) continue;
    const double seconds = m.time_us * 1e-6;
    return fmt::format(
        "  memory       none off the chip; host link {:.3g} GB/s of {:.4g}   {} MAC/B of weights\n",
        static_cast<double>(level.LimitingBytes()) / seconds / 1e9, level.peak_bytes_per_s / 1e9,
        Grouped(intensity));
  }
  return fmt::format("  memory       {:.3g} GB/s of an ideal memory   {} MAC/B of weights\n",
                     m.dram_gb_per_s, Grouped(intensity));
}

/// What the changes of `--set` did: microseconds of each cause, before and after.
std::string BaselineText(const SimulationResult& result, const Metrics& m,
                         const std::optional<Baseline>& baseline) {
  if (!baseline) return "";
  const bool slower = m.time_us > baseline->time_us;
  const double ratio = slower ? m.time_us / baseline->time_us : baseline->time_us / m.time_us;
  std::string text = fmt::format(
      "  unchanged    {} takes {}: this is {}; peak {:.4g} -> {:.4g} TOPS\n", result.machine.name,
      TimeText(baseline->time_us),
      ratio < 1.005 ? "as fast"
                    : fmt::format("{:.3g} times {}", ratio, slower ? "slower" : "faster"),
      baseline->peak_tops, m.peak_tops);
  std::vector<std::pair<double, std::string>> changes;
  for (std::size_t c = 0; c < kCauses; ++c) {
    const double before = baseline->time_us * baseline->cause_pct[c] / 100;
    const double after = m.time_us * m.cause_pct[c] / 100;
    if (std::abs(after - before) < 0.01 * std::max(baseline->time_us, m.time_us)) continue;
    changes.emplace_back(
        -std::abs(after - before),
        fmt::format("{} {} -> {}", CauseWords(static_cast<Cause>(c), result.machine.kind),
                    TimeText(before), TimeText(after)));
  }
  std::sort(changes.begin(), changes.end());
  for (std::size_t i = 0; i < std::min<std::size_t>(4, changes.size()); ++i) {
    text += fmt::format("               {}\n", changes[i].second);
  }
  return text;
}

std::string RemedyLine(std::vector<Remedy> remedies) {
  std::stable_sort(remedies.begin(), remedies.end(),
                   [](const Remedy& a, const Remedy& b) { return a.factor > b.factor; });
  std::string text;
  for (const Remedy& remedy : remedies) {
    if (remedy.factor < 1.02) continue;
    text += fmt::format("{}{}: {:.3g} times faster", text.empty() ? "" : "    ", remedy.text,
                        remedy.factor);
    if (remedy.factor >= 10) break;
  }
  return text.empty() ? "" : text + "    (simulated)";
}

}  // namespace

std::string SimulationRate(const SimulationResult& result) {
  const double seconds = std::max(result.simulate_seconds, 1e-9);
  return Engineering(static_cast<double>(result.record.events) / seconds, "events/s");
}

std::string SummaryText(const SimulationResult& result, const Metrics& m, const Advice& advice,
                        const std::vector<std::string>& changes, const std::string& folder,
                        const std::string& more_files) {
  const Program& program = result.program;
  std::string text =
      fmt::format("{}, batch {}, {}, on {}{} (1 chip)   simulated in {} at {}\n", program.workload,
                  program.batch, program.dtype, result.machine.name, ChangesText(changes),
                  Engineering(result.simulate_seconds, "s"), SimulationRate(result));
  for (const std::string& note : program.notes) text += "  note         " + note + "\n";
  text += fmt::format("  time         {:<12} {} samples/s\n", TimeText(m.time_us),
                      Grouped(m.samples_per_s));
  text += fmt::format("  compute      {:.3g} TOPS of {:.4g}  {:.0f}%   {}\n", m.nominal_tops,
                      m.peak_tops, m.compute_util_pct, CauseList(m, result.machine.kind));
  if (const double ran = result.record.clock_hz; ran > 0 && ran < 0.995 * result.machine.clock_hz) {
    text += fmt::format("  clock        {:.0f} of {:.0f} MHz: {}\n", ran / 1e6,
                        result.machine.clock_hz / 1e6,
                        result.machine.kind == "cpu" ? std::string("wide vectors multiply")
                        : result.machine.gpu.lock_clock_hz > 0
                            ? std::string("locked")
                            : fmt::format("the power limit of {:.0f} W", result.machine.tdp_w));
  }
  if (const double watts = result.record.average_power_w; watts > 0) {
    text += fmt::format("  power        {:.0f} W of {:.0f} W\n", watts, result.machine.tdp_w);
  }
  text += MemoryLine(result, m);
  int rank = 0;
  for (const std::size_t i : OperatorsByTime(result.record)) {
    if (++rank > 3) break;
    const double us = ToMicroseconds(result.record.operators[i].exclusive);
    text += fmt::format("  {:<12} {}  {:<34} {:>9} {:>3.0f}%  {}\n", rank == 1 ? "operators" : "",
                        rank, program.operators[i].name.substr(0, 34), TimeText(us),
                        m.time_us > 0 ? 100 * us / m.time_us : 0, OperatorNote(result, i));
  }
  for (const ZoomRecord& zoom : result.record.zooms) {
    text += fmt::format("  at cycle zoom {}: {} stepped", zoom.unit,
                        Engineering(static_cast<double>(zoom.stepped), zoom.steps));
    if (zoom.checked > 0) {
      text += fmt::format(", {} {}", Grouped(static_cast<double>(zoom.checked)), zoom.check);
    }
    text += "\n";
  }
  text += BaselineText(result, m, advice.baseline);
  const std::string help = RemedyLine(advice.remedies);
  if (!help.empty()) text += "  would help   " + help + "\n";
  text += fmt::format(
      "  written      {}/ summary.json operators.csv units.csv memory.csv "
      "tensors.csv links.csv roofline.csv run.yaml{}{}\n",
      folder, result.machine.kind == "gpu" ? " kernels.csv" : "", more_files);
  return text;
}

}  // namespace siliscope
