// SPDX-License-Identifier: Apache-2.0
// Comma-separated values: quoted where needed (RFC 4180).
#pragma once

#include <string>
#include <vector>

namespace siliscope {

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<int> lines;  ///< where each row begins in its file

  /// Index of a column, or -1.
  int Column(const std::string& name) const;
};

/// Throws UserError where the file can't be read, is larger than 256 MiB, or a row has another
/// number of values than the header.
CsvTable ReadCsv(const std::string& path);

/// A value as it stands in a file, quoted where needed.
std::string CsvValue(const std::string& value);
std::string CsvLine(const std::vector<std::string>& values);

/// Numbers in files: up to 9 significant digits, the same on every machine.
std::string NumberText(double value);

}  // namespace siliscope
