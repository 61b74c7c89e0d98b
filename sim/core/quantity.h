// SPDX-License-Identifier: Apache-2.0
// Units of measure as people write them: "1.41 GHz", "40 MiB", "34 GB/s", "256 B/cycle", "5 us".
#pragma once

#include <string>
#include <string_view>

namespace siliscope {

/// What a number measures; its base unit is what parsed values are in.
enum class Dimension {
  kPlain,          ///< a pure number, no unit allowed
  kFrequency,      ///< hertz
  kBytes,          ///< bytes
  kBandwidth,      ///< bytes per second
  kBytesPerCycle,  ///< bytes per clock cycle
  kTime,           ///< seconds
  kCycles,         ///< clock cycles
  kPower,          ///< watts
  kTransferRate,   ///< transfers per second and pin
  kOperationRate,  ///< operations per second
};

/// The base unit's symbol ("Hz", "B", ...), "" for kPlain.
std::string_view BaseUnit(Dimension dimension);

/// Examples of what is allowed, for messages: `700 MHz or 1.41 GHz`.
std::string_view AllowedUnits(Dimension dimension);

/// Parses `text` into the base unit of `dimension`. Throws UserError naming what is allowed; the
/// caller adds the place. Integers may use "_" nowhere; exponents ("1e9") are allowed.
double ParseQuantity(std::string_view text, Dimension dimension);

/// A regular expression (ECMA) that accepts exactly the spellings ParseQuantity accepts.
std::string QuantityPattern(Dimension dimension);

/// Formats a number in engineering style with its unit: 1.41e9, "Hz" -> "1.41 GHz".
std::string Engineering(double value, std::string_view unit);

}  // namespace siliscope
