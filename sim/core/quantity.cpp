// SPDX-License-Identifier: Apache-2.0
#include "sim/core/quantity.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "sim/core/error.h"

namespace siliscope {
namespace {

struct Unit {
  std::string_view symbol;
  double factor;
};

struct DimensionInfo {
  std::string_view base_unit;
  std::string_view allowed;
  std::vector<Unit> units;
};

const DimensionInfo& Info(Dimension dimension) {
  static const std::array<DimensionInfo, 10> kInfo = {{
      {"", "a number without a unit", {{"", 1}}},
      {"Hz",
       "a frequency such as 700 MHz or 1.41 GHz",
       {{"Hz", 1}, {"kHz", 1e3}, {"MHz", 1e6}, {"GHz", 1e9}}},
      {"B",
       "a size such as 64 KiB, 24 MiB or 16 GB",
       {{"B", 1},
        {"KiB", 1024.0},
        {"MiB", 1048576.0},
        {"GiB", 1073741824.0},
        {"TiB", 1099511627776.0},
        {"KB", 1e3},
        {"MB", 1e6},
        {"GB", 1e9},
        {"TB", 1e12}}},
      {"B/s",
       "a bandwidth such as 34 GB/s or 1.2 TB/s",
       {{"B/s", 1},
        {"KB/s", 1e3},
        {"MB/s", 1e6},
        {"GB/s", 1e9},
        {"TB/s", 1e12},
        {"MiB/s", 1048576.0},
        {"GiB/s", 1073741824.0}}},
      {"B/cycle", "bytes a cycle such as 256 B/cycle", {{"B/cycle", 1}, {"KiB/cycle", 1024.0}}},
      {"s",
       "a time such as 5 us or 120 ns",
       {{"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"ns", 1e-9}, {"ps", 1e-12}}},
      {"cycles", "a number of cycles such as 120 cycles", {{"cycles", 1}, {"cycle", 1}}},
      {"W", "a power such as 75 W", {{"W", 1}, {"mW", 1e-3}, {"kW", 1e3}}},
      {"T/s", "a transfer rate such as 2133 MT/s or 3.2 GT/s", {{"MT/s", 1e6}, {"GT/s", 1e9}}},
      {"OP/s",
       "operations a second such as 92 TOP/s",
       {{"GOP/s", 1e9}, {"TOP/s", 1e12}, {"POP/s", 1e15}}},
  }};
  return kInfo[static_cast<std::size_t>(dimension)];
}

std::string_view TrimSpaces(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

std::string_view BaseUnit(Dimension dimension) { return Info(dimension).base_unit; }
std::string_view AllowedUnits(Dimension dimension) { return Info(dimension).allowed; }

double ParseQuantity(std::string_view text, Dimension dimension) {
  const DimensionInfo& info = Info(dimension);
  text = TrimSpaces(text);
  const auto fail = [&]() -> double {
    throw UserError(fmt::format("\"{}\" is not {}", text.substr(0, 80), info.allowed));
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) return fail();
  const std::string_view symbol =
      TrimSpaces(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const Unit& unit : info.units) {
    if (unit.symbol == symbol) return number * unit.factor;
  }
  return fail();
}

std::string QuantityPattern(Dimension dimension) {
  std::string symbols;
  for (const Unit& unit : Info(dimension).units) {
    symbols += (symbols.empty() ? "" : "|") + std::string(unit.symbol);
  }
  return "^-?[0-9]*\\.?[0-9]+([eE][-+]?[0-9]+)? *(" + symbols + ")$";
}

std::string Engineering(double value, std::string_view unit) {
  static constexpr std::array<std::string_view, 11> kPrefix = {"p", "n", "u", "m", "", "k",
                                                               "M", "G", "T", "P", "E"};
  if (value == 0 || !std::isfinite(value)) return fmt::format("{} {}", value, unit);
  int index = 4;
  double scaled = std::fabs(value);
  while (scaled >= 999.95 && index < 10) scaled /= 1000, ++index;
  while (scaled < 0.99995 && index > 0) scaled *= 1000, --index;
  const int decimals = scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
  return fmt::format("{}{:.{}f} {}{}", value < 0 ? "-" : "", scaled, decimals,
                     kPrefix[static_cast<std::size_t>(index)], unit);
}

}  // namespace siliscope
