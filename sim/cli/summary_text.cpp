// SPDX-License-Identifier: Apache-2.0
#include "sim/cli/summary_text.h"

#include <fmt/format.h>

#include <algorithm>
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

/// Words for a cause as the summary says it.
std::string CauseWords(Cause cause) {
  switch (cause) {
    case Cause::kCompute:
      return "array active";
    case Cause::kQuantisation:
      return "tile edges";
    case Cause::kMemoryBandwidth:
      return "waiting for memory bandwidth";
    case Cause::kMemoryLatency:
      return "waiting for memory latency";
    case Cause::kDependency:
      return "waiting for the vector unit";
    case Cause::kFillDrain:
      return "fill, drain and weight push";
    case Cause::kCommunication:
      return "waiting for the host";
    default: {
      std::string words(CauseName(cause));
      std::replace(words.begin(), words.end(), '_', ' ');
      return words;
    }
  }
}

std::string CauseList(const Metrics& m) {
  std::vector<std::size_t> order;
  for (std::size_t c = 0; c < kCauses; ++c) {
    if (m.cause_pct[c] >= 0.5) order.push_back(c);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return m.cause_pct[a] > m.cause_pct[b]; });
  std::string text;
  for (const std::size_t c : order) {
    text += fmt::format("{}{} {:.0f}%", text.empty() ? "" : ", ", CauseWords(static_cast<Cause>(c)),
                        m.cause_pct[c]);
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
  std::string note = fmt::format("{} {:.0f}% of it", CauseWords(bound), share);
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

std::string RemedyLine(std::vector<Remedy> remedies) {
  std::stable_sort(remedies.begin(), remedies.end(),
                   [](const Remedy& a, const Remedy& b) { return a.factor > b.factor; });
  std::string text;
  for (const Remedy& remedy : remedies) {
    if (remedy.factor < 1.015) continue;
    text += fmt::format("{}{}: {:.2g} times faster", text.empty() ? "" : "    ", remedy.text,
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

std::string SummaryText(const SimulationResult& result, const Metrics& m,
                        const std::vector<Remedy>& remedies, const std::string& folder,
                        bool with_trace, bool with_waveform) {
  const Program& program = result.program;
  std::string text =
      fmt::format("{}, batch {}, {}, on {} (1 chip)   simulated in {} at {}\n", program.workload,
                  program.batch, program.dtype, result.machine.name,
                  Engineering(result.simulate_seconds, "s"), SimulationRate(result));
  for (const std::string& note : program.notes) text += "  note         " + note + "\n";
  text += fmt::format("  time         {:<12} {} samples/s\n", TimeText(m.time_us),
                      Grouped(m.samples_per_s));
  text += fmt::format("  compute      {:.3g} TOPS of {:.4g}  {:.0f}%   {}\n", m.nominal_tops,
                      m.peak_tops, m.compute_util_pct, CauseList(m));
  if (m.dram_peak_gb_per_s > 0) {
    text += fmt::format(
        "  memory       {:.3g} GB/s of {:.4g}  {:.0f}%   {} MAC/B of weights, ridge {}\n",
        m.dram_gb_per_s, m.dram_peak_gb_per_s, 100 * m.dram_gb_per_s / m.dram_peak_gb_per_s,
        Grouped(m.macs_per_weight_byte), Grouped(m.ridge_macs_per_byte));
  } else {
    text += fmt::format("  memory       {:.3g} GB/s of an ideal memory   {} MAC/B of weights\n",
                        m.dram_gb_per_s, Grouped(m.macs_per_weight_byte));
  }
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
                        Engineering(static_cast<double>(zoom.cycles), (zoom.unit == "dram" ? "command slots" : "element cycles")));
    if (zoom.tiles_checked > 0) {
      text += fmt::format(", {} tiles, each result equal to the product of its operands",
                          Grouped(static_cast<double>(zoom.tiles_checked)));
    }
    text += "\n";
  }
  const std::string help = RemedyLine(remedies);
  if (!help.empty()) text += "  would help   " + help + "\n";
  text += fmt::format(
      "  written      {}/ summary.json operators.csv units.csv memory.csv "
      "tensors.csv links.csv roofline.csv run.yaml{}{}\n",
      folder, with_trace ? " trace.json" : "", with_waveform ? " waveform.vcd" : "");
  return text;
}

}  // namespace siliscope
