// SPDX-License-Identifier: Apache-2.0
// Every Spec describes its fields once, to a visitor: key, unit, range, meaning. One visitor reads
// YAML into the fields, one writes them back, one emits the JSON Schema, one explains a key. So
// the schema, the documentation and the reader can't disagree.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "sim/core/quantity.h"

namespace siliscope {

enum class Need { kRequired, kOptional };

/// Bounds of a number, both inclusive.
struct Range {
  double low = 0;
  double high = std::numeric_limits<double>::max();
};

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void Integer(const char* key, std::int64_t& field, Range range, Need need,
                       const char* meaning) = 0;
  /// A number with a unit.
  virtual void Real(const char* key, double& field, Dimension dimension, Range range, Need need,
                    const char* meaning) = 0;
  /// A whole number of bytes.
  virtual void Bytes(const char* key, std::int64_t& field, Range range, Need need,
                     const char* meaning) = 0;
  virtual void Flag(const char* key, bool& field, Need need, const char* meaning) = 0;
  virtual void Text(const char* key, std::string& field, Need need, const char* meaning) = 0;
  /// One of `names`; the field holds its index.
  virtual void Choice(const char* key, int& field, const std::vector<std::string>& names, Need need,
                      const char* meaning) = 0;
  /// A mapping from any name to a number.
  virtual void Table(const char* key, std::map<std::string, double>& field, Dimension dimension,
                     Need need, const char* meaning) = 0;
  /// A mapping from any name to a text.
  virtual void TextTable(const char* key, std::map<std::string, std::string>& field, Need need,
                         const char* meaning) = 0;
  /// Opens a nested section. Visits its fields only where this returns true; then call EndSection.
  virtual bool BeginSection(const char* key, Need need, const char* meaning) = 0;
  virtual void EndSection() = 0;
};

}  // namespace siliscope
