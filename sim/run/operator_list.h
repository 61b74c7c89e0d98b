// SPDX-License-Identifier: Apache-2.0
// Operator lists: CSV with the columns id, chip, op, dtype, shape, launch and perhaps measured_us.
// Each row is simulated alone on its chip, in a worker process.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/config/yaml_document.h"
#include "sim/run/csv.h"

namespace siliscope {

/// What came of one row.
struct OperatorRow {
  std::string error;  ///< "" = simulated
  double simulated_us = 0;
  double roofline_us = 0;
  double array_util_pct = 0;
  double dram_bytes = 0;
  double matrix_cycles = 0;  ///< from the first push or matmul to the last result of the arrays
  std::string bound;
  std::string mapping;
};

/// Whether a table is an operator list; `missing` names the first column it lacks.
bool IsOperatorList(const CsvTable& table, std::string* missing);

/// Simulates every row. Each has its own error or result.
std::vector<OperatorRow> SimulateRows(const CsvTable& table, const std::vector<Override>& overrides,
                                      const std::vector<std::string>& ideal,
                                      bool kernel_from_source,
                                      const std::function<void(std::size_t)>& progress);

/// The input's columns and the results beside them.
std::string OperatorResultsCsv(const CsvTable& table, const std::vector<OperatorRow>& rows,
                               bool with_error_pct);

}  // namespace siliscope
