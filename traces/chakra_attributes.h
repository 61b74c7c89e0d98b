// SPDX-License-Identifier: Apache-2.0
// What a node of a Chakra trace says of itself.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "sim/core/error.h"
#include "traces/chakra.pb.h"

namespace siliscope {

/// Attributes of a node by name.
class ChakraAttributes {
 public:
  ChakraAttributes(const chakra::Node& node, std::string place) : place_(std::move(place)) {
    for (const chakra::AttributeProto& a : node.attr()) by_name_[a.name()] = &a;
  }

  bool Has(const std::string& name) const { return by_name_.count(name) > 0; }
  std::int64_t Number(const std::string& name) const {
    const auto at = by_name_.find(name);
    if (at == by_name_.end())
      throw UserError(fmt::format("{}: attribute {} is missing", place_, name));
    return ValueOf(*at->second, name);
  }
  std::int64_t Number(const std::string& name, std::int64_t otherwise) const {
    return Has(name) ? Number(name) : otherwise;
  }
  /// Errors: UserError where it is not from `least` to `most`.
  std::int64_t Within(const std::string& name, std::int64_t least, std::int64_t most) const {
    const std::int64_t value = Number(name);
    if (value < least || value > most) {
      throw UserError(fmt::format("{}: {} {}: from {} to {}", place_, name, value, least, most));
    }
    return value;
  }
  std::int64_t Within(const std::string& name, std::int64_t least, std::int64_t most,
                      std::int64_t otherwise) const {
    return Has(name) ? Within(name, least, most) : otherwise;
  }
  const std::string& place() const { return place_; }
  std::string Text(const std::string& name) const {
    const auto at = by_name_.find(name);
    if (at == by_name_.end()) return "";
    const chakra::AttributeProto& a = *at->second;
    if (a.value_case() == chakra::AttributeProto::kStringVal) return a.string_val();
    return std::to_string(ValueOf(a, name));
  }

 private:
  std::int64_t ValueOf(const chakra::AttributeProto& a, const std::string& name) const {
    switch (a.value_case()) {
      case chakra::AttributeProto::kInt32Val:
        return a.int32_val();
      case chakra::AttributeProto::kInt64Val:
        return a.int64_val();
      case chakra::AttributeProto::kUint32Val:
        return a.uint32_val();
      case chakra::AttributeProto::kUint64Val:
        return static_cast<std::int64_t>(a.uint64_val());
      case chakra::AttributeProto::kSint32Val:
        return a.sint32_val();
      case chakra::AttributeProto::kSint64Val:
        return a.sint64_val();
      case chakra::AttributeProto::kBoolVal:
        return a.bool_val() ? 1 : 0;
      case chakra::AttributeProto::kDoubleVal:
        return Whole(a.double_val(), name);
      case chakra::AttributeProto::kFloatVal:
        return Whole(static_cast<double>(a.float_val()), name);
      default:
        throw UserError(fmt::format("{}: attribute {} is no number", place_, name));
    }
  }
  std::int64_t Whole(double value, const std::string& name) const {
    constexpr double kMost = 9e18;
    if (!(std::abs(value) < kMost)) {
      throw UserError(fmt::format("{}: attribute {} is no whole number", place_, name));
    }
    return std::llround(value);
  }

  std::string place_;
  std::map<std::string, const chakra::AttributeProto*> by_name_;
};

}  // namespace siliscope
