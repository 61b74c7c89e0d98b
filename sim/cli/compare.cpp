// SPDX-License-Identifier: Apache-2.0
// siliscope compare: networks on systems, one table in the same units.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "sim/cli/commands.h"
#include "sim/cli/option_text.h"
#include "sim/cli/progress.h"
#include "sim/core/error.h"
#include "sim/core/quantity.h"
#include "sim/run/csv.h"
#include "sim/run/metrics.h"
#include "sim/run/output_folder.h"
#include "sim/run/result_files.h"
#include "sim/run/worker_pool.h"

namespace siliscope {
namespace {

struct Point {
  std::string system, workload, folder;
  nlohmann::ordered_json summary;
  std::string error;
};

std::string FolderOf(const std::string& system, const std::string& workload) {
  const auto stem = [](const std::string& name) {
    return std::filesystem::path(name).stem().string();
  };
  return stem(system) + "--" + stem(workload);
}

std::string SimulatePoint(const CompareOptions& o, const Point& point, const OutputFolder& out) {
  SimulationRequest request;
  request.system = point.system;
  request.overrides = ParseOverrides(o.set);
  WorkloadRequest work = ResolveWorkload(o.workload);
  work.workload = point.workload;
  request.work = work;
  const SimulationResult result = Simulate(request);
  CheckRecord(result);
  const nlohmann::ordered_json summary = SummaryJson(result, ComputeMetrics(result));
  WriteResultFiles(out, point.folder, result, summary, CommandText());
  return summary.dump();
}

std::string ComparisonCsv(const std::vector<Point>& points) {
  std::vector<std::string> columns = {"workload",
                                      "system",
                                      "batch",
                                      "dtype",
                                      "time_us",
                                      "samples_per_s",
                                      "nominal_tops",
                                      "peak_tops",
                                      "compute_util_pct",
                                      "array_active_pct",
                                      "bound",
                                      "dram_gb_per_s",
                                      "dram_peak_gb_per_s",
                                      "tdp_w",
                                      "samples_per_s_per_peak_tops",
                                      "samples_per_s_per_gb_per_s",
                                      "samples_per_s_per_watt"};
  for (std::size_t c = 0; c < kCauses; ++c) {
    columns.push_back(std::string(CauseName(static_cast<Cause>(c))) + "_pct");
  }
  columns.emplace_back("error");
  std::string text = CsvLine(columns);
  for (const Point& p : points) {
    std::vector<std::string> row = {p.workload, p.system};
    if (!p.error.empty()) {
      row.resize(columns.size() - 1);
      row.push_back(p.error);
      text += CsvLine(row);
      continue;
    }
    const auto& s = p.summary;
    const auto number = [&](const char* key) { return s.at(key).get<double>(); };
    const auto per = [&](const char* key) {
      return number(key) > 0 ? NumberText(number("samples_per_s") / number(key)) : std::string();
    };
    row.push_back(NumberText(number("batch")));
    row.push_back(s.at("dtype").get<std::string>());
    for (const char* key : {"time_us", "samples_per_s", "nominal_tops", "peak_tops",
                            "compute_util_pct", "array_active_pct"}) {
      row.push_back(NumberText(number(key)));
    }
    row.push_back(s.at("bound").get<std::string>());
    for (const char* key : {"dram_gb_per_s", "dram_peak_gb_per_s", "tdp_w"}) {
      row.push_back(NumberText(number(key)));
    }
    for (const char* key : {"peak_tops", "dram_peak_gb_per_s", "tdp_w"}) row.push_back(per(key));
    for (const auto& [name, value] : s.at("array_time_pct").items()) {
      row.push_back(NumberText(value.get<double>()));
    }
    row.emplace_back();
    text += CsvLine(row);
  }
  return text;
}

/// The largest part of the arrays' time, in words.
std::string BoundWords(const nlohmann::ordered_json& summary) {
  const auto& shares = summary.at("array_time_pct");
  for (std::size_t c = 0; c < kCauses; ++c) {
    const std::string name(CauseName(static_cast<Cause>(c)));
    if (summary.at("bound") != name) continue;
    return fmt::format("{} {:.0f}%",
                       CauseWords(static_cast<Cause>(c), summary.at("kind").get<std::string>()),
                       shares.at(name).get<double>());
  }
  return "";
}

void PrintTable(const std::vector<Point>& points) {
  fmt::print("{:<18} {:<14} {:>5} {:<6} {:>10} {:>11} {:>8} {:>6} {:>7} {:>11}  {}\n", "workload",
             "system", "batch", "dtype", "time", "samples/s", "TOPS", "util", "GB/s", "samples/s/W",
             "most of the arrays' time");
  for (const Point& p : points) {
    if (!p.error.empty()) {
      fmt::print("{:<18} {:<14} failed: {}\n", p.workload, p.system, p.error);
      continue;
    }
    const auto& s = p.summary;
    const double tdp = s.at("tdp_w").get<double>(), rate = s.at("samples_per_s").get<double>();
    fmt::print(
        "{:<18} {:<14} {:>5} {:<6} {:>10} {:>11.5g} {:>8.4g} {:>5.1f}% {:>7.4g} {:>11}  {}\n",
        std::filesystem::path(p.workload).stem().string(), s.at("system").get<std::string>(),
        s.at("batch").get<std::int64_t>(), s.at("dtype").get<std::string>(),
        Engineering(s.at("time_us").get<double>() * 1e-6, "s"), rate,
        s.at("nominal_tops").get<double>(), s.at("compute_util_pct").get<double>(),
        s.at("dram_gb_per_s").get<double>(), tdp > 0 ? fmt::format("{:.4g}", rate / tdp) : "-",
        BoundWords(s));
  }
}

/// The geometric mean of samples a second over the workloads, for systems where all ran.
void PrintMeans(const std::vector<Point>& points, const std::vector<std::string>& systems,
                std::size_t workloads) {
  if (workloads < 2) return;
  for (const std::string& system : systems) {
    double sum = 0;
    std::size_t count = 0;
    for (const Point& p : points) {
      if (p.system != system || !p.error.empty()) continue;
      sum += std::log(p.summary.at("samples_per_s").get<double>());
      ++count;
    }
    if (count == workloads) {
      fmt::print("{:<18} {:<14} {:>33} {:>11.5g}\n", "geometric mean", system, "",
                 std::exp(sum / static_cast<double>(count)));
    }
  }
}

}  // namespace

int Compare(const CompareOptions& o) {
  const std::vector<std::string> systems = SplitList(o.systems), workloads = SplitList(o.workloads);
  if (systems.empty() || workloads.empty()) throw UserError("compare needs systems and workloads");
  std::vector<Point> points;
  for (const std::string& workload : workloads) {
    for (const std::string& system : systems) {
      std::string folder = FolderOf(system, workload);
      const auto taken = [&](const Point& p) { return p.folder == folder; };
      for (int again = 2; std::any_of(points.begin(), points.end(), taken); ++again) {
        folder = FolderOf(system, workload) + "-" + std::to_string(again);
      }
      points.push_back({system, workload, folder, {}, ""});
    }
  }
  OutputFolder out(o.out);
  std::vector<JobResult> jobs;
  {
    Progress progress("simulations", points.size());
    jobs = RunJobs(
        points.size(), [&](std::size_t i) { return SimulatePoint(o, points[i], out); },
        [&](std::size_t done) { progress.Done(done); });
  }
  int code = 0;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (jobs[i].exit_code != 0) {
      points[i].error = jobs[i].output;
      code = points.size() == 1 ? jobs[i].exit_code : static_cast<int>(ExitCode::kSomeRowsFailed);
    } else {
      points[i].summary = nlohmann::ordered_json::parse(jobs[i].output);
      all.push_back(points[i].summary);
    }
  }
  if (all.empty()) {  // nothing ran: the first mistake speaks for all
    throw Error(static_cast<ExitCode>(jobs.front().exit_code), points.front().error);
  }
  out.Write("comparison.csv", ComparisonCsv(points));
  out.Write("summary.json", all.dump(2) + "\n");
  out.Commit();
  PrintTable(points);
  PrintMeans(points, systems, workloads.size());
  fmt::print(
      "TOPS: 10^12 operations a second, a multiply-accumulate counts as two. util: TOPS / "
      "published "
      "peak.\nGB/s: off-chip memory. samples/s/W: per watt of thermal design power. {}\n",
      o.workload.request.dtype.empty() ? "Each chip runs in its own data type; --dtype sets one."
                                       : "");
  fmt::print("written: {}/ comparison.csv summary.json, and a folder for each run\n", out.path());
  return code;
}

}  // namespace siliscope
