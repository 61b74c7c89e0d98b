// SPDX-License-Identifier: Apache-2.0
// siliscope ops: operators one by one. siliscope validate: the same, against measurements.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "sim/cli/commands.h"
#include "sim/cli/option_text.h"
#include "sim/cli/progress.h"
#include "sim/core/error.h"
#include "sim/run/operator_list.h"
#include "sim/run/output_folder.h"

namespace siliscope {
namespace {

/// Errors of the rows of one chip, operator and data type.
struct Group {
  std::vector<double> errors, roofline_errors;
};

double Percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double at = share * static_cast<double>(values.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const double part = at - static_cast<double>(low);
  return values[low] + (low + 1 < values.size() ? part * (values[low + 1] - values[low]) : 0);
}

double MeanAbsolute(const std::vector<double>& errors) {
  double sum = 0;
  for (const double e : errors) sum += std::fabs(e);
  return errors.empty() ? 0 : sum / static_cast<double>(errors.size());
}

std::vector<std::string> GroupLine(const std::string& table, const std::string& chip,
                                   const std::string& op, const std::string& dtype,
                                   const Group& group) {
  double bias = 0;
  std::vector<double> absolute;
  for (const double e : group.errors) {
    bias += e / static_cast<double>(group.errors.size());
    absolute.push_back(std::fabs(e));
  }
  return {table,
          chip,
          op,
          dtype,
          std::to_string(group.errors.size()),
          NumberText(MeanAbsolute(group.errors)),
          NumberText(Percentile(absolute, 0.5)),
          NumberText(Percentile(absolute, 0.9)),
          NumberText(bias),
          NumberText(MeanAbsolute(group.roofline_errors))};
}

class Validation {
 public:
  explicit Validation(const ValidateOptions& options) : options_(options), out_(options.out) {
    summary_ = CsvLine({"table", "chip", "op", "dtype", "rows", "mape_pct", "median_ape_pct",
                        "p90_ape_pct", "bias_pct", "roofline_mape_pct"});
  }

  int Run() {
    for (const std::string& file : options_.files) AddFile(file);
    if (total_ == 0 && failed_ == 0) throw UserError("no file with measured operators was given");
    out_.Write("summary.csv", summary_);
    out_.Write("run.yaml", "siliscope: " SILISCOPE_VERSION "\ncommand: " + CommandText() +
                               "\nkernel_from: " + options_.kernel_from + "\n");
    out_.Commit();
    fmt::print("{} rows compared, {} failed; kernels: {}; written: {}/ summary.csv rows.csv\n",
               total_, failed_,
               options_.kernel_from == "source" ? "as the source names them" : "our own choice",
               out_.path());
    return static_cast<int>(failed_ > 0 ? ExitCode::kSomeRowsFailed : ExitCode::kDone);
  }

 private:
  void AddFile(const std::string& file) {
    CsvTable table;
    try {
      table = ReadCsv(file);
    } catch (const UserError& e) {
      if (options_.files.size() == 1) throw;
      fmt::print("skipped {}\n", e.what());
      return;
    }
    std::string missing;
    if (!IsOperatorList(table, &missing) || table.Column("measured_us") < 0) {
      const std::string column = missing.empty() ? "measured_us" : missing;
      if (options_.files.size() == 1) {
        throw UserError(file + ": not a table of measured operators: the column " + column +
                        " is missing");
      }
      fmt::print("skipped {}: not a table of measured operators (the column {} is missing)\n", file,
                 column);
      return;
    }
    Progress progress(file, table.rows.size());
    auto rows =
        SimulateRows(table, ParseOverrides(options_.set), {}, options_.kernel_from == "source",
                     [&](std::size_t done) { progress.Done(done); });
    const auto column = static_cast<std::size_t>(table.Column("measured_us"));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::string& measured = table.rows[i][column];
      if (rows[i].error.empty() && std::strtod(measured.c_str(), nullptr) <= 0) {
        rows[i].error = "measured_us: \"" + measured + "\" is not a time";
      }
    }
    const std::string name = std::filesystem::path(file).stem().string();
    out_.Write(options_.files.size() == 1 ? "rows.csv" : "rows_" + name + ".csv",
               OperatorResultsCsv(table, rows, true));
    Summarise(name, table, rows);
  }

  void Summarise(const std::string& name, const CsvTable& table,
                 const std::vector<OperatorRow>& rows) {
    std::map<std::vector<std::string>, Group> groups;
    const auto at = [&](std::size_t row, const char* column) {
      return table.rows[row][static_cast<std::size_t>(table.Column(column))];
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double measured = std::strtod(at(i, "measured_us").c_str(), nullptr);
      if (!rows[i].error.empty()) {
        ++failed_;
        if (shown_++ < 3) fmt::print("row {}: {}\n", at(i, "id"), rows[i].error);
        continue;
      }
      Group& group = groups[{at(i, "chip"), at(i, "op"), at(i, "dtype")}];
      group.errors.push_back(100 * (rows[i].simulated_us / measured - 1));
      group.roofline_errors.push_back(100 * (rows[i].roofline_us / measured - 1));
      ++total_;
    }
    for (const auto& [key, group] : groups) {
      const std::vector<std::string> line = GroupLine(name, key[0], key[1], key[2], group);
      summary_ += CsvLine(line);
      fmt::print(
          "{} {} {} {}: {} rows, mean absolute error {:.1f}%, median {:.1f}%, p90 {:.1f}%, "
          "bias {:+.1f}%   (ideal roofline {:.1f}%)\n",
          name, key[0], key[1], key[2], group.errors.size(), std::strtod(line[5].c_str(), nullptr),
          std::strtod(line[6].c_str(), nullptr), std::strtod(line[7].c_str(), nullptr),
          std::strtod(line[8].c_str(), nullptr), std::strtod(line[9].c_str(), nullptr));
    }
  }

  const ValidateOptions& options_;
  OutputFolder out_;
  std::string summary_;
  std::size_t total_ = 0, failed_ = 0, shown_ = 0;
};

}  // namespace

int Ops(const OpsOptions& o) {
  const CsvTable table = ReadCsv(o.list);
  std::string missing;
  if (!IsOperatorList(table, &missing)) {
    throw UserError(o.list + ":1: not an operator list: the column " + missing + " is missing");
  }
  Progress progress("operators", table.rows.size());
  const auto rows = SimulateRows(table, ParseOverrides(o.set), o.ideal, o.kernel_from == "source",
                                 [&](std::size_t done) { progress.Done(done); });
  WriteFileWhole(o.out, OperatorResultsCsv(table, rows, false));
  std::size_t failed = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].error.empty()) continue;
    if (++failed <= 3) fmt::print("{}: row {}: {}\n", o.list, i + 1, rows[i].error);
  }
  fmt::print("{} operators simulated, {} failed; written: {}\n", rows.size() - failed, failed,
             o.out);
  return static_cast<int>(failed > 0 ? ExitCode::kSomeRowsFailed : ExitCode::kDone);
}

int Validate(const ValidateOptions& o) { return Validation(o).Run(); }

}  // namespace siliscope
