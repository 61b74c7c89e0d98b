// SPDX-License-Identifier: Apache-2.0
#include "sim/run/operator_list.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "sim/config/cluster_loader.h"
#include "sim/config/host_loader.h"
#include "sim/core/error.h"
#include "sim/core/key_value_list.h"
#include "sim/core/nearest_name.h"
#include "sim/run/cluster_simulation.h"
#include "sim/run/metrics.h"
#include "sim/run/simulation.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

constexpr const char* kNeeded[] = {"id", "chip", "op", "dtype", "shape", "launch"};

/// Cycles between the first command of an array and its last result.
double MatrixCycles(const SimulationResult& result) {
  Tick begin = kNever, end = 0;
  const auto& commands = result.program.npu.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    if (commands[i].opcode != NpuOpcode::kPush && commands[i].opcode != NpuOpcode::kMatmul)
      continue;
    begin = std::min(begin, result.record.commands[i].start);
    end = std::max(end, result.record.commands[i].end);
  }
  if (begin > end) return 0;
  return static_cast<double>(Clock(result.machine.clock_hz).CyclesIn(end - begin));
}

/// A collective on a system.
std::string SimulateCollectiveRow(const std::string& system, const std::string& op,
                                  const std::string& shape,
                                  const std::vector<Override>& overrides) {
  ClusterRequest request;
  request.system = system;
  request.overrides = overrides;
  request.collective = ParseCollective(op, ParseKeyValueList(shape));
  const ClusterResult result = SimulateCluster(request);
  const LinkProgram& p = result.program;
  return NumberText(ToMicroseconds(result.record.total)) + "\t" +
         NumberText(CollectiveRooflineMicroseconds(result)) + "\t0\t0\t0\tcommunication\t" +
         p.algorithm + ", " + p.protocol_name + ", " + std::to_string(p.channels) + " channels";
}

std::string SimulateRow(const CsvTable& table, std::size_t row,
                        const std::vector<Override>& overrides,
                        const std::vector<std::string>& ideal, bool kernel_from_source) {
  const auto value = [&](const char* column) {
    return table.rows[row][static_cast<std::size_t>(table.Column(column))];
  };
  static const std::vector<std::string> kLaunches = {"graph", "kernel", "stream", "eager"};
  if (std::find(kLaunches.begin(), kLaunches.end(), value("launch")) == kLaunches.end()) {
    throw UserError("launch: \"" + value("launch") + "\" is not a way to launch" +
                    Suggestion(value("launch"), kLaunches));
  }
  if (IsCluster(value("chip"))) {
    return SimulateCollectiveRow(value("chip"), value("op"), value("shape"), overrides);
  }
  SimulationRequest request;
  request.system = value("chip");
  request.overrides = overrides;
  request.ideal = ideal;
  request.work = OperatorRequest{value("op"), ParseKeyValueList(value("shape")), value("dtype"),
                                 value("launch"), ""};
  const int source = table.Column("source");
  const std::string words = source < 0 ? "" : table.rows[row][static_cast<std::size_t>(source)];
  if (kernel_from_source) std::get<OperatorRequest>(request.work).kernel = words;
  if (value("launch") == "eager") request.host = HostOfMeasurement(words).name;
  const SimulationResult result = Simulate(request);
  CheckRecord(result);
  const Metrics metrics = ComputeMetrics(result);
  const OperatorInfo& op = result.program.operators.front();
  const double compulsory = static_cast<double>(op.weight_bytes + op.input_bytes + op.output_bytes);
  std::string mapping = op.mapping;
  std::replace(mapping.begin(), mapping.end(), '\t', ' ');
  return NumberText(metrics.time_us) + "\t" +
         NumberText(RooflineMicroseconds(result.machine, result.program.dtype, op.nominal_flops,
                                         compulsory)) +
         "\t" + NumberText(metrics.cause_pct[0]) + "\t" + NumberText(metrics.dram_bytes) + "\t" +
         NumberText(MatrixCycles(result)) + "\t" + std::string(CauseName(metrics.bound)) + "\t" +
         mapping;
}

OperatorRow ParseRow(const JobResult& job) {
  OperatorRow row;
  if (job.exit_code != 0) {
    row.error = job.output.empty() ? "failed" : job.output;
    return row;
  }
  std::vector<std::string> fields(1);
  for (const char c : job.output) {
    if (c == '\t') {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  fields.resize(7);
  const auto number = [&](std::size_t i) { return std::strtod(fields[i].c_str(), nullptr); };
  row.simulated_us = number(0);
  row.roofline_us = number(1);
  row.array_util_pct = number(2);
  row.dram_bytes = number(3);
  row.matrix_cycles = number(4);
  row.bound = fields[5];
  row.mapping = fields[6];
  return row;
}

}  // namespace

bool IsOperatorList(const CsvTable& table, std::string* missing) {
  for (const char* column : kNeeded) {
    if (table.Column(column) < 0) {
      *missing = column;
      return false;
    }
  }
  return true;
}

std::vector<OperatorRow> SimulateRows(const CsvTable& table, const std::vector<Override>& overrides,
                                      const std::vector<std::string>& ideal,
                                      bool kernel_from_source,
                                      const std::function<void(std::size_t)>& progress) {
  const std::vector<JobResult> jobs = RunJobs(
      table.rows.size(),
      [&](std::size_t i) { return SimulateRow(table, i, overrides, ideal, kernel_from_source); },
      progress);
  std::vector<OperatorRow> rows;
  for (const JobResult& job : jobs) rows.push_back(ParseRow(job));
  return rows;
}

std::string OperatorResultsCsv(const CsvTable& table, const std::vector<OperatorRow>& rows,
                               bool with_error_pct) {
  std::vector<std::string> columns = table.columns;
  for (const char* name : {"simulated_us", "bound", "roofline_us", "array_util_pct", "dram_bytes",
                           "matrix_cycles", "mapping"}) {
    columns.emplace_back(name);
  }
  if (with_error_pct) columns.emplace_back("error_pct");
  columns.emplace_back("error");
  std::string text = CsvLine(columns);
  const int measured = table.Column("measured_us");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const OperatorRow& r = rows[i];
    std::vector<std::string> line = table.rows[i];
    const bool good = r.error.empty();
    const auto add = [&](double value) { line.push_back(good ? NumberText(value) : ""); };
    add(r.simulated_us);
    line.push_back(r.bound);
    add(r.roofline_us);
    add(r.array_util_pct);
    add(r.dram_bytes);
    add(r.matrix_cycles);
    line.push_back(r.mapping);
    if (with_error_pct) {
      const double m =
          std::strtod(table.rows[i][static_cast<std::size_t>(measured)].c_str(), nullptr);
      add(m > 0 ? 100 * (r.simulated_us / m - 1) : 0);
    }
    line.push_back(r.error);
    text += CsvLine(line);
  }
  return text;
}

}  // namespace siliscope
