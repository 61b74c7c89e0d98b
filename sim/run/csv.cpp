// SPDX-License-Identifier: Apache-2.0
#include "sim/run/csv.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "sim/core/error.h"

namespace siliscope {
namespace {

/// Splits text into records; quotes may span lines.
std::vector<std::vector<std::string>> ParseRecords(const std::string& text,
                                                   std::vector<int>* lines) {
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> record;
  std::string value;
  bool quoted = false, any = false;
  int line = 1, begin = 1;
  const auto end_record = [&] {
    if (any || !value.empty() || !record.empty()) {
      record.push_back(value);
      records.push_back(record);
      lines->push_back(begin);
    }
    record.clear();
    value.clear();
    any = false;
    begin = line;
  };
  const bool marked = text.compare(0, 3, "\xEF\xBB\xBF") == 0;  // a byte order mark says nothing
  for (std::size_t i = marked ? 3 : 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') ++line;
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        value += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        value += c;
      }
    } else if (c == '"' && value.empty()) {
      quoted = any = true;
    } else if (c == ',') {
      record.push_back(value);
      value.clear();
      any = true;
    } else if (c == '\n') {
      end_record();
    } else if (c != '\r') {
      value += c;
    }
  }
  end_record();
  return records;
}

}  // namespace

int CsvTable::Column(const std::string& name) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == name) return static_cast<int>(i);
  }
  return -1;
}

CsvTable ReadCsv(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw UserError(path + ": no such file");
  if (!S_ISREG(status.st_mode)) throw UserError(path + ": not a file");
  if (status.st_size > (256 << 20)) throw UserError(path + ": larger than 256 MiB");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(path + ": can't be read");
  std::stringstream text;
  text << file.rdbuf();
  CsvTable table;
  std::vector<int> lines;
  auto records = ParseRecords(text.str(), &lines);
  if (records.empty()) throw UserError(path + ": the file is empty");
  table.columns = records.front();
  for (std::size_t i = 1; i < records.size(); ++i) {
    if (records[i].size() != table.columns.size()) {
      throw UserError(fmt::format("{}:{}: {} values, the header has {} columns", path, lines[i],
                                  records[i].size(), table.columns.size()));
    }
    table.rows.push_back(std::move(records[i]));
    table.lines.push_back(lines[i]);
  }
  return table;
}

std::string CsvValue(const std::string& value) {
  if (value.find_first_of(",\"\n\r") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string CsvLine(const std::vector<std::string>& values) {
  std::string line;
  for (std::size_t i = 0; i < values.size(); ++i) line += (i == 0 ? "" : ",") + CsvValue(values[i]);
  return line + "\n";
}

std::string NumberText(double value) { return fmt::format("{:.9g}", value); }

}  // namespace siliscope
